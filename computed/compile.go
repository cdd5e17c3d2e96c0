package computed

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"selfsame/profile"
)

// Attribute is a definition, checked and ready for use. It never changes, and many goroutines may
// use it at once.
type Attribute struct {
	def      Definition
	datasets []string // sorted
	window   *window
	filter   *filter // nil where all events count
	path     profile.Path
	value    *Type // at path, nil without
	output   *Type
	keeps    int      // rows of an index that can ever be given out
	names    []string // of the fields that most_recent gives out

	index    index
	reverse  bool
	adds     bool
	distinct bool
}

// Compile checks a definition against the events of its class. All faults are reported at once,
// joined, as [DefinitionError]s.
func Compile(def Definition, class *Class) (*Attribute, error) {
	if def.MaxDistinct == 0 && behaviours[def.Function].distinct {
		def.MaxDistinct = DefaultMaxDistinct
	}
	c := &checker{def: &def, class: class}
	c.checkName()
	a := &Attribute{def: def, datasets: c.checkDatasets(), path: profile.ParsePath(def.Value)}
	b := c.checkFunction()
	a.value = c.checkValue(b)
	a.window = c.checkWindow()
	a.filter = c.checkFilter()
	if err := c.err(); err != nil {
		return nil, err
	}
	a.index, a.reverse, a.adds, a.distinct = b.index, b.reverse, b.adds, b.distinct
	a.output = outputType(def.Function, a.value)
	a.names = []string{"time", "value"}
	switch {
	case b.distinct:
		a.keeps = def.MaxDistinct
	case def.Function == LastN:
		a.keeps = def.N
	default:
		a.keeps = 1
	}
	return a, nil
}

// Name returns the name of the attribute.
func (a *Attribute) Name() string { return a.def.Name }

// Datasets returns the names of the datasets whose events count, sorted. Only read it.
func (a *Attribute) Datasets() []string { return a.datasets }

// Output returns the type of what the attribute gives out; it is absent where nothing is there.
func (a *Attribute) Output() *Type { return a.output }

// Lifetime reports whether the attribute looks back for ever: it needs [State.Expire], and that
// event ids are remembered.
func (a *Attribute) Lifetime() bool { return a.window.kind == lifetime }

// Window returns which instants count at now.
func (a *Attribute) Window(now int64) Span { return a.window.span(now) }

// Fingerprint tells definitions apart whose states differ. The name is no part of it. States may
// be kept exactly while it stays the same; it covers all that decides which events count and what
// is kept of them.
func (a *Attribute) Fingerprint() string {
	d := a.def
	text := []string{strconv.Itoa(summaryVersion), string(d.Function), a.path.String(), d.Filter,
		a.windowText(), strconv.Itoa(a.keeps)}
	if a.value != nil {
		text = append(text, a.value.String())
	}
	text = append(text, a.datasets...)
	for i, s := range text {
		text[i] = strconv.Quote(s)
	}
	sum := sha256.Sum256([]byte(strings.Join(text, " ")))
	return hex.EncodeToString(sum[:16])
}

func (a *Attribute) windowText() string {
	w := a.window
	return fmt.Sprintf("%d %d %s %d", w.kind, w.length, w.zone, w.weekStart)
}
