package pipeline

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"selfsame/computed"
	"selfsame/profile"
	"selfsame/schemas"
	"selfsame/store"
)

// ComputedClass returns what the computed attributes of an entity class are checked against: the
// union of its event datasets, retired ones among them.
func (m *Model) ComputedClass(entity string) (*computed.Class, error) {
	union, err := m.Union(entity, ClassEvent)
	if err != nil {
		return nil, err
	}
	class := &computed.Class{Type: &computed.Type{Kind: profile.KindObject}}
	if union != nil {
		class.Type = computedType(union.Schema().Root())
	}
	for _, ds := range m.Datasets {
		if ds.Entity == entity && ds.Class == ClassEvent {
			class.Datasets = append(class.Datasets, computed.Dataset{Name: ds.Name,
				Retention: ds.Retention, Lacks: func(p profile.Path) bool {
					return union != nil && !slices.Contains(union.Lineage(p), ds.Name)
				}})
		}
	}
	return class, nil
}

// computedType turns the type of a union schema into one that computed attributes know.
func computedType(t *schemas.Type) *computed.Type {
	out := &computed.Type{Kind: t.ValueKind(), Single: t.Kind == schemas.KindFloat,
		Precision: t.Precision, Scale: t.Scale}
	if t.Items != nil {
		out.Items = computedType(t.Items)
	}
	for _, f := range t.Fields {
		out.Fields = append(out.Fields, computed.Field{Name: f.Name, Type: computedType(f.Type)})
	}
	return out
}

// ComputedDefinition is a computed attribute of an entity class, as it is configured.
type ComputedDefinition struct {
	computed.Definition
	Class     *computed.Class // that it was checked against
	Attribute *computed.Attribute
}

// DefineComputed checks a definition against the events of an entity class. Errors are joined
// [computed.DefinitionError]s.
func DefineComputed(def computed.Definition, class *computed.Class) (*ComputedDefinition, error) {
	a, err := computed.Compile(def, class)
	if err != nil {
		return nil, err
	}
	return &ComputedDefinition{Definition: def, Class: class, Attribute: a}, nil
}

// computedText is how the store keeps a definition: with all that compiling it needs, so that it
// can go on when the configuration has another.
type computedText struct {
	Definition computed.Definition `json:"definition"`
	Class      *computed.Class     `json:"class"`
}

func (d *ComputedDefinition) text() ([]byte, error) {
	raw, err := json.Marshal(computedText{d.Definition, d.Class})
	if err != nil {
		return nil, fmt.Errorf("writing down computed attribute %q: %w", d.Name, err)
	}
	return raw, nil
}

// catalog compiles the definitions that a store remembers, each once. Safe for concurrent use.
type catalog struct {
	model *Model
	mu    struct {
		sync.Mutex
		compiled map[catalogKey]*tracked
	}
}

type catalogKey struct {
	class  string
	number uint16
}

// tracked is a remembered attribute that can be computed.
type tracked struct {
	*computed.Attribute
	def    computed.Definition
	number uint16
}

func newCatalog(m *Model) *catalog {
	c := &catalog{model: m}
	c.mu.compiled = map[catalogKey]*tracked{}
	return c
}

// attribute compiles a remembered definition; nil where this program makes something else of it
// than what the states were made with.
func (c *catalog) attribute(class string, row *store.ComputedAttribute) *tracked {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := catalogKey{class, row.Number}
	if t, known := c.mu.compiled[key]; known {
		return t
	}
	t := c.compile(class, row)
	c.mu.compiled[key] = t
	return t
}

func (c *catalog) compile(class string, row *store.ComputedAttribute) *tracked {
	if e := c.model.Entity(class); e != nil {
		if d := e.computed(row.Name, row.Fingerprint); d != nil {
			return &tracked{d.Attribute, d.Definition, row.Number}
		}
	}
	var text computedText
	if json.Unmarshal(row.Definition, &text) != nil || text.Class == nil {
		return nil
	}
	text.Class.Accepted = true
	a, err := computed.Compile(text.Definition, text.Class)
	if err != nil || a.Fingerprint() != row.Fingerprint {
		return nil
	}
	return &tracked{a, text.Definition, row.Number}
}

// shown lists the attributes that profiles decided at a version show, in order of name.
func (c *catalog) shown(row *store.ComputedClass, version uint64) []*tracked {
	var list []*tracked
	for i := range row.Attributes {
		if !row.Attributes[i].Shows(version) {
			continue
		}
		if t := c.attribute(row.Class, &row.Attributes[i]); t != nil {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b *tracked) int { return cmp.Compare(a.Name(), b.Name()) })
	return list
}

// kept lists the attributes whose states follow the events, in order of number.
func (c *catalog) kept(row *store.ComputedClass) []*tracked {
	var list []*tracked
	for i := range row.Attributes {
		if row.Attributes[i].Until != store.NotYet {
			continue
		}
		if t := c.attribute(row.Class, &row.Attributes[i]); t != nil {
			list = append(list, t)
		}
	}
	return list
}

// Computed is what the computed attributes of a profile come to.
type Computed struct {
	Values []ComputedValue // in order of name
	// Outlives says that events which have expired still count.
	Outlives bool
}

// ComputedValue is one computed attribute of a profile.
type ComputedValue struct {
	Name string
	computed.Result
	Output *computed.Type // of the value
	// CatchingUp says that more events than one commit looks at are entering or leaving the window:
	// the value is neither that of before nor that of now, and a record with that of now follows.
	CatchingUp bool
}

// Flags are what is to be known of a value besides: truncated, overflow, catching_up.
func (v *ComputedValue) Flags() []string {
	var flags []string
	if v.Truncated {
		flags = append(flags, "truncated")
	}
	if v.Overflow {
		flags = append(flags, "overflow")
	}
	if v.CatchingUp {
		flags = append(flags, "catching_up")
	}
	return flags
}

// folding is one fold under way: the states of the members so far.
type folding struct {
	shown  []*tracked
	states [][]*computed.State // alongside shown
	late   []bool              // alongside shown: some state is not of now
	out    Computed
}

func newFolding(shown []*tracked) *folding {
	f := &folding{shown: shown, states: make([][]*computed.State, len(shown)),
		late: make([]bool, len(shown))}
	room := make([]*computed.State, len(shown)) // for one member, as most have
	for i := range f.states {
		f.states[i] = room[i : i : i+1]
	}
	return f
}

// add takes in what an attribute keeps of a member. ready says that it was moved to now.
func (f *folding) add(i int, s *computed.State, ready bool) {
	f.states[i] = append(f.states[i], s)
	f.late[i] = f.late[i] || !ready
	f.out.Outlives = f.out.Outlives || f.shown[i].Lifetime() && s.Counts() > 0
}

// result folds the states.
func (f *folding) result(now int64) (*Computed, error) {
	f.out.Values = make([]ComputedValue, len(f.shown))
	for i, t := range f.shown {
		fold := t.Fold
		if f.late[i] {
			fold = t.FoldUnfinished
		}
		r, err := fold(f.states[i], now)
		if err != nil {
			return nil, err
		}
		f.out.Values[i] = ComputedValue{t.Name(), r, t.Output(), f.late[i]}
	}
	return &f.out, nil
}

// hears reports whether one of the datasets is among those of the attribute. Both are sorted.
func (t *tracked) hears(datasets []string) bool {
	for _, name := range datasets {
		if _, found := slices.BinarySearch(t.Datasets(), name); found {
			return true
		}
	}
	return false
}

// shownAlike reports whether profiles decided in this commit show the same definitions as those
// decided at a version.
func (w *computedWork) shownAlike(class string, version uint64) bool {
	if w == nil || w.classes[class] == nil {
		return true
	}
	return !slices.ContainsFunc(w.classes[class].row.Attributes,
		func(a store.ComputedAttribute) bool { return a.Shows(version) != a.Shows(w.version) })
}

// windows reports whether an attribute that is shown depends on the time.
func (w *computedWork) windows(class string) bool {
	return w != nil && w.classes[class] != nil && slices.ContainsFunc(w.showing(w.classes[class]),
		func(t *tracked) bool { return !t.Lifetime() })
}

// moveStep is how many events one call of a move looks at that is called again until it is done.
const moveStep = 10_000

// moveAll moves a state to now, however many events it passes.
func moveAll(s *computed.State, now int64, events computed.Events) error {
	for {
		done, err := s.Move(now, events, moveStep)
		if done || err != nil {
			return err
		}
	}
}

// eventOf is an event as computed attributes see it.
func eventOf(ref store.EventRef, row *store.Event) *computed.Event {
	return &computed.Event{Dataset: ref.Dataset, ID: ref.ID, Time: ref.Time,
		Sequence: row.Stamp.Sequence, Body: row.Body}
}
