package story

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"selfsame/identity"
)

// Story is one history and its outcome.
type Story struct {
	Name          string // the first word names it
	Namespaces    []identity.Namespace
	MaxIdentities int // 0: the default
	Steps         []Step

	Clusters []Cluster
	LeftOut  []string  // "identity identity rule" each, the lesser identity first
	Was      []History // of some identities
	Told     bool      // steps say what the identity topic tells: nothing where they are silent

	batch int // of the next step
}

// Kind says who speaks in a step.
type Kind string

// The kinds of steps.
const (
	Record Kind = "record" // identifiers that were seen together
	Link   Kind = "link"   // an operator: two identities are one self
	Forbid Kind = "forbid" // an operator: two identities are never in one cluster
	Unlink Kind = "unlink" // an operator: what links an identity so far is void
)

// Step is one line of a story.
type Step struct {
	Kind    Kind
	Line    int   // from 1, those of stories that are used included
	Time    int64 // the line, unless the step says otherwise
	Batch   int   // from 0
	ID      string
	Claims  []identity.Claim
	Refused string   // the reason for which a record is turned away; "" where it is not
	Says    []string // what the identity topic says of it, when the steps are played in order
}

// Cluster is a line of who is who.
type Cluster struct {
	Root    string
	Members []string // sorted, Root included
}

// History is a list of profiles that an identity belongs to, one after the other, when each step is
// a commit; profiles are named by their root.
type History struct {
	Identity string
	Roots    []string
}

// ReadAll reads all stories of the files that match pattern.
func ReadAll(pattern string) ([]*Story, error) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("reading stories: no files match %s: %w", pattern, err)
	}
	var all []*Story
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading stories: %w", err)
		}
		stories, err := parse(file, string(text))
		if err != nil {
			return nil, fmt.Errorf("reading stories: %w", err)
		}
		all = append(all, stories...)
	}
	return all, nil
}

func parse(file, text string) ([]*Story, error) {
	var stories []*Story
	told := false
	known := map[string]*Story{}
	for i, line := range strings.Split(text, "\n") {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "" || strings.HasPrefix(word, "#") {
			continue
		}
		if word == "story" {
			s := &Story{Name: rest, Told: told}
			name, _, _ := strings.Cut(rest, " ")
			if known[name] != nil {
				return nil, fmt.Errorf("%s:%d: a second story %s", file, i+1, name)
			}
			known[name] = s
			stories = append(stories, s)
			continue
		}
		if word == "told" {
			told = true
			continue
		}
		if len(stories) == 0 {
			return nil, fmt.Errorf("%s:%d: no story yet", file, i+1)
		}
		if err := stories[len(stories)-1].readLine(word, rest, known); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, i+1, err)
		}
	}
	if len(stories) == 0 {
		return nil, fmt.Errorf("%s holds no story", file)
	}
	return stories, nil
}

func (s *Story) readLine(word, rest string, known map[string]*Story) (err error) {
	words := strings.Fields(rest)
	if len(words) == 0 && (word == "=" || word == "was") {
		return fmt.Errorf("%s wants identities", word)
	}
	switch word {
	case "namespaces":
		s.Namespaces, err = parseNamespaces(rest)
	case "max_identities":
		s.MaxIdentities, err = strconv.Atoi(rest)
	case "use":
		return s.use(known, rest)
	case "batch":
		if len(s.Steps) == 0 {
			return fmt.Errorf("a batch ends before anything happened")
		}
		s.batch = s.Steps[len(s.Steps)-1].Batch + 1
	case "=":
		s.Clusters = append(s.Clusters, Cluster{words[0], slices.Sorted(slices.Values(words))})
	case "out":
		if len(words) < 3 {
			return fmt.Errorf("out wants two identities and a rule")
		}
		ends := slices.Sorted(slices.Values(words[:2]))
		s.LeftOut = append(s.LeftOut, strings.Join(append(ends, words[2:]...), " "))
	case "was":
		s.Was = append(s.Was, History{words[0], words[1:]})
	case ">":
		if len(s.Steps) == 0 {
			return fmt.Errorf("the topic says something before anything happened")
		}
		last := &s.Steps[len(s.Steps)-1]
		last.Says = append(last.Says, rest)
	default:
		return s.readStep(word, rest)
	}
	return err
}

// use begins with the steps of an earlier story, and takes its rules over where there are none.
func (s *Story) use(known map[string]*Story, name string) error {
	base := known[name]
	if base == nil {
		return fmt.Errorf("no story %q among %v", name, slices.Sorted(maps.Keys(known)))
	}
	if len(s.Steps) > 0 {
		return fmt.Errorf("use comes first")
	}
	if s.Namespaces == nil {
		s.Namespaces, s.MaxIdentities = base.Namespaces, base.MaxIdentities
	}
	s.Steps, s.batch = slices.Clone(base.Steps), base.batch
	return nil
}

func (s *Story) readStep(word, rest string) error {
	line := len(s.Steps) + 1
	step := Step{Kind: Record, Line: line, Time: int64(line), Batch: s.batch,
		ID: fmt.Sprint("e", line)}
	switch Kind(word) {
	case Link, Forbid, Unlink:
		step.Kind = Kind(word)
	case "refused":
		step.Refused, rest, _ = strings.Cut(rest, " ")
	default:
		rest = word + " " + rest
	}
	if err := step.readWords(rest); err != nil {
		return err
	}
	wanted := map[Kind]int{Link: 2, Forbid: 2, Unlink: 1}[step.Kind]
	if wanted > 0 && len(step.Claims) != wanted {
		return fmt.Errorf("%s wants %d identities", word, wanted)
	}
	s.Steps = append(s.Steps, step)
	return nil
}

// readWords reads identifiers as namespace:value; a word @n gives the time, ~x an event id that
// several steps can have.
func (st *Step) readWords(text string) (err error) {
	for word := range strings.FieldsSeq(text) {
		namespace, value, ok := strings.Cut(word, ":")
		switch {
		case word[0] == '@':
			if st.Time, err = strconv.ParseInt(word[1:], 10, 64); err != nil {
				return fmt.Errorf("the time after @ is not a whole number")
			}
		case word[0] == '~':
			st.ID = word[1:]
		case ok:
			value = strings.ReplaceAll(value, "%20", " ")
			st.Claims = append(st.Claims, identity.Claim{Namespace: namespace, Value: value})
		default:
			return fmt.Errorf("%q is neither namespace:value nor @time nor ~id", word)
		}
	}
	return nil
}

func parseNamespaces(text string) ([]identity.Namespace, error) {
	var list []identity.Namespace
	for item := range strings.SplitSeq(text, ",") {
		words := strings.Fields(item)
		if len(words) == 0 {
			return nil, fmt.Errorf("a namespace has no name")
		}
		n := identity.Namespace{Name: words[0], Type: identity.CrossDevice}
		for i := 1; i < len(words); i++ {
			var err error
			switch words[i] {
			case "unique":
				n.Unique = true
			case "contested":
				n.DropContested = true
			case "limit":
				i++
				n.Limit, err = strconv.Atoi(words[i])
			case "hub":
				i++
				n.HubDegree, err = strconv.Atoi(words[i])
			default:
				n.Type, err = identity.ParseType(words[i])
			}
			if err != nil {
				return nil, err
			}
		}
		list = append(list, n)
	}
	return list, nil
}
