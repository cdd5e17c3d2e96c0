package pipeline

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"selfsame/identity"
	"selfsame/profile"
	"selfsame/store"
)

// RulesText is what decides the clusters of an entity class, as the store remembers it and as a
// simulation is asked for.
type RulesText struct {
	Namespaces    []NamespaceText `json:"namespaces"` // strongest first
	MaxIdentities int             `json:"max_identities"`
	// Key tells whether the key of profile ids is still the same. It does not reveal the key.
	Key string `json:"id_key_check,omitempty"`
	// Links tells by record dataset whether its links are kept or the current ones.
	Links map[string]string `json:"links,omitempty"`
	// Assignments is the topic of the assignments; "" where an earlier version did not say.
	Assignments string `json:"assignment_topic,omitempty"`
}

// NamespaceText is an [identity.Namespace].
type NamespaceText struct {
	Name             string   `json:"name"`
	Type             string   `json:"type"`
	Unique           bool     `json:"unique,omitempty"`
	Limit            int      `json:"limit,omitempty"`
	Normalize        []string `json:"normalize,omitempty"`
	Region           string   `json:"region,omitempty"`
	Blocked          []string `json:"blocked,omitempty"`
	BlockedPatterns  []string `json:"blocked_patterns,omitempty"`
	NoDefaultBlocked bool     `json:"no_default_blocked,omitempty"`
	HubDegree        int      `json:"hub_degree,omitempty"`
	HubExempt        []string `json:"hub_exempt,omitempty"`
	DropContested    bool     `json:"drop_contested,omitempty"`
}

// RulesTextOf puts rules into words.
func RulesTextOf(rules *identity.Rules) RulesText {
	t := RulesText{MaxIdentities: rules.MaxIdentities()}
	for _, name := range rules.Names() {
		n, _ := rules.Namespace(name)
		t.Namespaces = append(t.Namespaces, NamespaceText{Name: n.Name, Type: n.Type.String(),
			Unique: n.Unique, Limit: n.Limit, Normalize: n.Normalize, Region: n.Region,
			Blocked: n.Blocked, BlockedPatterns: n.BlockedPatterns,
			NoDefaultBlocked: n.NoDefaultBlocked, HubDegree: n.HubDegree, HubExempt: n.HubExempt,
			DropContested: n.DropContested})
	}
	return t
}

// Rules makes them ready for use. The error joins everything that is wrong.
func (t *RulesText) Rules() (*identity.Rules, error) {
	var namespaces []identity.Namespace
	var errs []error
	for _, n := range t.Namespaces {
		kind, err := identity.ParseType(n.Type)
		if err != nil {
			errs = append(errs, fmt.Errorf("namespace %q: %w", n.Name, err))
		}
		namespaces = append(namespaces, identity.Namespace{Name: n.Name, Type: kind,
			Unique: n.Unique, Limit: n.Limit, Normalize: n.Normalize, Region: n.Region,
			Blocked: n.Blocked, BlockedPatterns: n.BlockedPatterns,
			NoDefaultBlocked: n.NoDefaultBlocked, HubDegree: n.HubDegree, HubExempt: n.HubExempt,
			DropContested: n.DropContested})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return identity.NewRules(namespaces, t.MaxIdentities)
}

func (t *RulesText) namespace(name string) *NamespaceText {
	i := slices.IndexFunc(t.Namespaces, func(n NamespaceText) bool { return n.Name == name })
	if i < 0 {
		return nil
	}
	return &t.Namespaces[i]
}

// keyCheck is a value that only the same key gives.
func keyCheck(key []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("selfsame: is the id key the same?"))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// RulesName stands for the configuration as the cause of a change.
const RulesName = "(rules)"

// RulesChange says that the rules of a class are not those its clusters were decided under.
type RulesChange struct {
	Class string
	Job   string // that decides them again
}

// AdoptRules compares the rules of each class with those that the store's clusters were decided
// under. What data cannot live under is refused, with the way out: another type or normalisation of
// a namespace that has data, a namespace that is gone, a dataset whose links are kept and were the
// current ones, or the other way round. Any other change is remembered, and a job begins that
// decides the clusters again. Call it before a shard is made of the model.
func AdoptRules(m *Model, s *store.Store, now int64) ([]RulesChange, error) {
	var changes []RulesChange
	var rows []store.Rules
	var jobs []store.Job
	var refused []error
	for _, e := range m.Entities {
		next, err := nextRules(m, s, e)
		if err != nil {
			refused = append(refused, err)
			continue
		}
		if next.row != nil {
			rows = append(rows, *next.row)
		}
		if next.changed {
			job := rulesJob(e.Name, next.row.Generation, now)
			jobs = append(jobs, job)
			changes = append(changes, RulesChange{e.Name, job.ID})
		}
	}
	if err := errors.Join(refused...); err != nil || len(rows) == 0 {
		return nil, err
	}
	return changes, s.SetRules(rows, jobs)
}

// adopted is what is to be remembered of the rules of a class.
type adopted struct {
	row     *store.Rules // nil: what is remembered already
	changed bool         // clusters are to be decided again
}

// nextRules compares the rules of a class with those that are remembered.
func nextRules(m *Model, s *store.Store, e *Entity) (adopted, error) {
	next := RulesTextOf(e.Rules)
	next.Key, next.Links = keyCheck(m.IDKey), linksText(m, e.Name)
	next.Assignments = e.AssignmentTopic
	text, err := json.Marshal(next)
	if err != nil {
		return adopted{}, fmt.Errorf("remembering the rules of class %s: %w", e.Name, err)
	}
	held, err := s.Reader().Rules(e.Name)
	if err != nil {
		return adopted{}, err
	}
	row := &store.Rules{Class: e.Name, Generation: 1, Complete: true, Text: text}
	if held == nil {
		return adopted{row: row}, nil
	}
	if bytes.Equal(held.Text, text) {
		return adopted{}, nil
	}
	var old RulesText
	if err := json.Unmarshal(held.Text, &old); err != nil {
		return adopted{}, fmt.Errorf("reading the remembered rules of class %s: %w", e.Name, err)
	}
	err = errors.Join(checkRules(s.Reader(), e, &old), checkLinks(s.Reader(), e, &old, next),
		checkAssignments(s.Reader(), e, &old))
	if err != nil {
		return adopted{}, err
	}
	row.Generation, row.Complete = held.Generation, held.Complete
	old.Links = next.Links // other datasets decide nothing again, nor does the topic
	old.Assignments = next.Assignments
	if same, err := json.Marshal(old); err != nil || bytes.Equal(same, text) {
		return adopted{row: row}, err
	}
	row.Generation, row.Complete = held.Generation+1, false
	return adopted{row, true}, nil
}

func linksText(m *Model, class string) map[string]string {
	modes := map[string]string{}
	for _, ds := range m.Datasets {
		switch {
		case ds.Entity != class || ds.Class != ClassRecord:
		case ds.CurrentLinks:
			modes[ds.Name] = "current"
		default:
			modes[ds.Name] = "keep"
		}
	}
	return modes
}

// checkLinks refuses other links of a dataset: what it has asserted would stay as it was.
func checkLinks(r *store.Reader, e *Entity, old *RulesText, next RulesText) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(next.Links)) {
		was, known := old.Links[name]
		if known && was != next.Links[name] {
			errs = append(errs, fmt.Errorf("dataset %q: links changes from %s to %s, but what it "+
				"has linked is kept: set it back, or rebuild the store from the input topics",
				name, was, next.Links[name]))
		}
	}
	return whereKnown(r, e, old, errors.Join(errs...))
}

// checkAssignments refuses another assignment topic: it would only get what changes from now on.
func checkAssignments(r *store.Reader, e *Entity, old *RulesText) error {
	if old.Assignments == "" || old.Assignments == e.AssignmentTopic {
		return nil
	}
	return whereKnown(r, e, old, fmt.Errorf("topics.assignment of class %s changes from %s to %s, "+
		"but the assignments that are published lie in the former, and the latter would not get "+
		"them: set it back, or rebuild the store from the input topics", e.Name, old.Assignments,
		e.AssignmentTopic))
}

// whereKnown returns what is refused, nil where nobody is known yet.
func whereKnown(r *store.Reader, e *Entity, old *RulesText, refused error) error {
	if refused == nil {
		return nil
	}
	for _, n := range old.Namespaces {
		if used, err := r.HasNamespace(e.Name, n.Name); err != nil || used {
			return errors.Join(refused, err)
		}
	}
	return nil
}

// checkRules refuses what the data of a class cannot live under.
func checkRules(r *store.Reader, e *Entity, old *RulesText) error {
	now := RulesTextOf(e.Rules)
	var errs []error
	for i := range old.Namespaces {
		was := &old.Namespaces[i]
		problem := ""
		switch is := now.namespace(was.Name); {
		case is == nil:
			problem = "it is gone from the configuration"
		case is.Type != was.Type:
			problem = fmt.Sprintf("its type changes from %s to %s", was.Type, is.Type)
		case !slices.Equal(is.Normalize, was.Normalize) || is.Region != was.Region:
			problem = "its normalisation changes"
		}
		if problem == "" {
			continue
		}
		used, err := r.HasNamespace(e.Name, was.Name)
		if err != nil {
			return err
		}
		if used {
			errs = append(errs, fmt.Errorf("namespace %q of class %s: %s, but identities of it "+
				"are kept: set it back, or rebuild the store from the input topics", was.Name,
				e.Name, problem))
		}
	}
	return errors.Join(errs...)
}

// CheckKey refuses a key of profile ids that is not the one the store's ids were made with.
func CheckKey(m *Model, s *store.Store) error {
	check := keyCheck(m.IDKey)
	return s.Reader().EachRules(func(row *store.Rules) error {
		var t RulesText
		if err := json.Unmarshal(row.Text, &t); err != nil {
			return fmt.Errorf("reading the remembered rules of class %s: %w", row.Class, err)
		}
		if t.Key != check {
			return errors.New("id_key is not the one that the profile ids of the store were made " +
				"with: every id would change; set it back, or rebuild the store from the input " +
				"topics")
		}
		return nil
	})
}

// rulesJob is the job that decides the clusters of a class again. A newer change takes the place of
// one that is not done.
func rulesJob(class string, generation uint64, now int64) store.Job {
	args, _ := json.Marshal(reformArgs{Class: class, Generation: generation})
	return store.Job{ID: RulesName + class, Kind: jobReform, Args: args, State: store.JobRunning,
		Cause: profile.Position{Topic: RulesName, Offset: int64(generation)}, Created: now}
}
