package config

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"selfsame/identity"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/schemas"
	"selfsame/schemas/infer"
)

// Scaffold is a dataset that is to be added to a configuration.
type Scaffold struct {
	Name, Topic, Entity string
	Event               bool
	Schema              string // path of its file, as the configuration names it
	Plan                *infer.Plan
	Left                []infer.Left // what its schema leaves out
	Moved               []Move       // fields that cannot stand beside those of other datasets
}

// Move is an entry of map: a field that has another path in the union, and why.
type Move struct {
	From, To string
	Why      string
}

// plainName are the names that need no quotes in YAML.
var plainName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]*$`)

// Validate reports names that cannot be written as they are.
func (s *Scaffold) Validate() error {
	var errs []error
	for what, name := range map[string]string{"dataset": s.Name, "topic": s.Topic} {
		if !plainName.MatchString(name) {
			errs = append(errs, fmt.Errorf("the name of the %s must be letters, digits, dots, "+
				"dashes and underscores, a letter first", what))
		}
	}
	return errors.Join(errs...)
}

// Block writes the dataset as it stands below datasets in the file. What is a guess says so.
func (s *Scaffold) Block() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, "    "+format+"\n", args...) }
	fmt.Fprintf(&b, "  %s:\n", s.Name)
	line("topic: %s", s.Topic)
	line("entity: %s", s.Entity)
	class := "record"
	if s.Event {
		class = "event"
	}
	line("class: %s", class)
	line("format: json")
	line("schema: %s", s.Schema)
	if s.Event {
		line("id: %s   # guess, unless you named it", s.Plan.ID)
	}
	if s.Plan.Timestamp != "" {
		line("timestamp: %s   # guess", s.Plan.Timestamp)
	} else {
		line("# timestamp:   # none found: the Kafka timestamp counts")
	}
	if len(s.Left) > 0 {
		line("unknown_fields: ignore   # the schema leaves out:")
	}
	for _, left := range s.Left {
		line("  # %q %s", left.Path, left.Reason)
	}
	if len(s.Moved) > 0 {
		line("map:   # all other paths here are those after it")
	}
	for _, m := range s.Moved {
		line("  %s: %s   # %s", m.From, m.To, m.Why)
	}
	line("identities:")
	for _, id := range s.Plan.Identities {
		line("  - %s   # %s", identityEntry(id), id.Why)
	}
	for _, id := range s.Plan.Others {
		line("  # - %s   # %s", identityEntry(id), id.Why)
	}
	return b.String()
}

func identityEntry(id infer.Identity) string {
	primary := ""
	if id.Primary {
		primary = ", primary: true"
	}
	return fmt.Sprintf("{path: %s, namespace: %s%s}", id.Path, id.Namespace, primary)
}

// ErrDatasetExists says that the name of a new dataset is taken. Fit returns it.
var ErrDatasetExists = errors.New("the configuration has already a dataset")

// maxFits bounds how often Fit looks for conflicts; moving a field can uncover one below it.
const maxFits = 10

// Fit moves the fields of a new dataset that contradict the datasets of its class. The plan's
// paths follow them. It fails where the configuration has a dataset of this name.
func (c *Config) Fit(s *Scaffold, schema *schemas.Schema) error {
	if c.model.Dataset(s.Name) != nil {
		return fmt.Errorf("%w %s", ErrDatasetExists, s.Name)
	}
	ds := &pipeline.Dataset{Name: s.Name, Entity: s.Entity, Schema: schema}
	if s.Event {
		ds.Class = pipeline.ClassEvent
	}
	m := *c.model
	m.Datasets = append(slices.Clone(m.Datasets), ds)
	for range maxFits {
		_, err := m.Union(ds.Entity, ds.Class)
		if err == nil {
			return nil
		}
		conflicts := conflictsOf(err)
		if len(conflicts) == 0 {
			return err
		}
		for _, conflict := range conflicts {
			s.move(ds, conflict)
		}
	}
	return errors.New("the sample contradicts the other datasets in too many places")
}

func conflictsOf(err error) []*schemas.ConflictError {
	var all []*schemas.ConflictError
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	for _, one := range joined.Unwrap() {
		var conflict *schemas.ConflictError
		if errors.As(one, &conflict) {
			all = append(all, conflict)
		}
	}
	return all
}

// move gives the field that a conflict is about another path in the union.
func (s *Scaffold) move(ds *pipeline.Dataset, conflict *schemas.ConflictError) {
	path, _, _ := strings.Cut(conflict.Path, "[]")
	path, _, _ = strings.Cut(path, ".*")
	to := path + "_" + schemas.MakeName(s.Name)
	r := schemas.Rename{From: profile.ParsePath(path), To: profile.ParsePath(to)}
	if slices.ContainsFunc(s.Moved, func(m Move) bool { return m.From == path }) {
		return
	}
	other, typ := conflict.DatasetA, conflict.TypeA
	if other == s.Name {
		other, typ = conflict.DatasetB, conflict.TypeB
	}
	s.Moved = append(s.Moved, Move{path, to, "guess: " + conflict.Path + " is " + typ + " in " +
		other})
	ds.Rename = append(ds.Rename, r)
	follow := func(p *string) {
		if rest, ok := strings.CutPrefix(*p, path); ok && (rest == "" || rest[0] == '.') {
			*p = to + rest
		}
	}
	follow(&s.Plan.Timestamp)
	follow(&s.Plan.ID)
	for i := range s.Plan.Identities {
		follow(&s.Plan.Identities[i].Path)
	}
	for i := range s.Plan.Others {
		follow(&s.Plan.Others[i].Path)
	}
}

// UnionType is the type of the records of the other datasets of a class, nil where there are none.
func (c *Config) UnionType(entity string, event bool) (*schemas.Type, error) {
	class := pipeline.ClassRecord
	if event {
		class = pipeline.ClassEvent
	}
	u, err := c.model.Union(entity, class)
	if u == nil || err != nil {
		return nil, err
	}
	return u.Type(), nil
}

// SampleNamespaces lists the namespaces of an entity class by what their values look like. A class
// that is not there has none.
func (c *Config) SampleNamespaces(entity string) []infer.Namespace {
	looks := map[identity.Type]infer.Looks{identity.Cookie: infer.LooksCookie,
		identity.Device: infer.LooksCookie, identity.CrossDevice: infer.LooksID,
		identity.Email: infer.LooksEmail, identity.Phone: infer.LooksPhone}
	var all []infer.Namespace
	e := c.model.Entity(entity)
	if e == nil {
		return nil
	}
	for _, name := range e.Rules.Names() {
		ns, _ := e.Rules.Namespace(name)
		all = append(all, infer.Namespace{Name: name, Looks: looks[ns.Type], Unique: ns.Unique})
	}
	return all
}

// StarterConfig is the configuration of Starter, for what does not depend on its id key.
func StarterConfig() (*Config, error) {
	files, err := fs.Sub(starter, "starter")
	if err != nil {
		return nil, err
	}
	noKey := strings.Repeat("00", 16)
	return Example(Starter()["selfsame.yaml"], files, Overrides{IDKey: noKey})
}
