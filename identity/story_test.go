package identity

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const shuffles = 60

// TestStories runs testdata/*.txt; vectors.txt explains the language.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		stories := readStories(t, file)
		if len(stories) == 0 {
			t.Errorf("%s holds no story", file)
		}
		for _, s := range stories {
			t.Run(s.name, s.run)
		}
	}
}

type story struct {
	name       string
	namespaces []Namespace
	max        int
	events     string
	clusters   []string
	out        []string
}

func (s *story) run(t *testing.T) {
	rules, err := NewRules(s.namespaces, s.max)
	if err != nil {
		t.Fatal(err)
	}
	events, err := ParseEvents(s.events)
	if err != nil {
		t.Fatal(err)
	}
	s.check(t, rules, events, "in order")
	s.check(t, rules, slices.Repeat(events, 2), "twice over")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range shuffles {
		shuffled := slices.Repeat(events, 1+random.IntN(2))
		random.Shuffle(len(shuffled), func(i, j int) {
			shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
		})
		s.check(t, rules, shuffled, "shuffled")
	}
}

func (s *story) check(t *testing.T, rules *Rules, events []Event, how string) {
	t.Helper()
	outcome, err := Simulate(rules, events)
	if err != nil {
		t.Fatalf("%s: %v", how, err)
	}
	if len(outcome.Rejected) > 0 {
		t.Errorf("%s: rejected %v", how, outcome.Rejected)
	}
	var clusters, out []string
	for _, c := range outcome.Clusters {
		clusters = append(clusters, sortedWords(fmt.Sprint(c)))
	}
	for _, r := range outcome.LeftOut {
		out = append(out, fmt.Sprintf("%s %s", sortedWords(r.Link.A.String()+" "+
			r.Link.B.String()), r.Rule))
	}
	diff(t, how+": clusters", clusters, s.clusters)
	diff(t, how+": left out", out, s.out)
}

func diff(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("%s\n got  %s\n want %s", what, strings.Join(got, "\n      "),
			strings.Join(want, "\n      "))
	}
}

func sortedWords(text string) string {
	return strings.Join(slices.Sorted(slices.Values(strings.Fields(strings.Trim(text, "[]")))), " ")
}

func readStories(t *testing.T, file string) []*story {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var stories []*story
	known := map[string]*story{}
	for i, line := range strings.Split(string(text), "\n") {
		where := fmt.Sprintf("%s:%d", file, i+1)
		word, rest, _ := strings.Cut(line, " ")
		if word == "story" {
			s := &story{name: rest}
			name, _, _ := strings.Cut(rest, " ")
			if known[name] != nil {
				t.Fatalf("%s: a second story %s", where, name)
			}
			known[name] = s
			stories = append(stories, s)
			continue
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(stories) == 0 {
			t.Fatalf("%s: no story yet", where)
		}
		if err := stories[len(stories)-1].readLine(word, rest, known); err != nil {
			t.Fatalf("%s: %v", where, err)
		}
	}
	return stories
}

func (s *story) readLine(word, rest string, known map[string]*story) (err error) {
	switch word {
	case "namespaces":
		s.namespaces, err = parseNamespaces(rest)
	case "max_identities":
		s.max, err = strconv.Atoi(rest)
	case "use":
		base := known[rest]
		if base == nil {
			return fmt.Errorf("no story %q among %v", rest, slices.Sorted(maps.Keys(known)))
		}
		if s.namespaces == nil {
			s.namespaces, s.max = base.namespaces, base.max
		}
		s.events += base.events
	case "=":
		s.clusters = append(s.clusters, sortedWords(rest))
	case "out":
		words := strings.SplitN(rest, " ", 3)
		s.out = append(s.out, sortedWords(words[0]+" "+words[1])+" "+words[2])
	default:
		s.events += word + " " + rest + "\n"
	}
	return err
}

func parseNamespaces(text string) ([]Namespace, error) {
	var list []Namespace
	for item := range strings.SplitSeq(text, ",") {
		words := strings.Fields(item)
		n := Namespace{Name: words[0], Type: CrossDevice}
		for i := 1; i < len(words); i++ {
			switch words[i] {
			case "unique":
				n.Unique = true
			case "limit":
				i++
				limit, err := strconv.Atoi(words[i])
				if err != nil {
					return nil, err
				}
				n.Limit = limit
			default:
				kind, err := ParseType(words[i])
				if err != nil {
					return nil, err
				}
				n.Type = kind
			}
		}
		list = append(list, n)
	}
	return list, nil
}
