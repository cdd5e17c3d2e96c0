package computed

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"selfsame/profile"
)

// The limits and defaults of a definition.
const (
	MaxListed          = 50      // the greatest n of last_n
	DefaultMaxDistinct = 10_000  // distinct values that one attribute gives out
	MaxMaxDistinct     = 100_000 // the greatest max_distinct
	MaxFilterLength    = 10_000  // characters of a filter
)

// Definition says what a computed attribute is, as the configuration does.
type Definition struct {
	Name        string   // of the attribute: letters, digits and underscores
	Datasets    []string // of events; all of them count alike
	Function    Function
	Value       string // dotted path of the value in the event; only count may have none
	Filter      string // CEL over the event; all events count where it is empty
	Window      string // "lifetime", a duration such as "36h" or "30d", "day", "week" or "month"
	Zone        string // of a calendar window, as the zone database names it; UTC where empty
	WeekStart   string // of the window week; monday where empty
	N           int    // of last_n: how many
	MaxDistinct int    // of the functions that keep values; DefaultMaxDistinct where 0
}

// Class is what definitions are checked against: the events of an entity class.
type Class struct {
	Type     *Type // the union schema of the events, a record
	Datasets []Dataset
	// Accepted says that the definition was right once: what is refused since then passes.
	Accepted bool `json:"-"`
}

// Dataset is an event dataset and how long it keeps its events; 0 is for ever.
type Dataset struct {
	Name      string
	Retention time.Duration
	// Lacks reports whether its events never have a path of the union; nil where that is not known.
	Lacks func(profile.Path) bool `json:"-"`
}

// DefinitionError says what is wrong with a definition, and where.
type DefinitionError struct {
	Attribute string
	Key       string // of the definition: "filter", "value", "window" ...
	Line      int    // in the text of the key, from 1; 0 where the whole of it is meant
	Column    int    // in characters, from 1
	Reason    string
}

// Error names the attribute, the key and the place in it.
func (e *DefinitionError) Error() string {
	at := e.Key
	if place := strings.TrimSuffix(e.Place(), ": "); place != "" {
		at += ", " + place
	}
	return fmt.Sprintf("attribute %q: %s: %s", e.Attribute, at, e.Reason)
}

// Place names the place in the key's text, such as "line 2, column 5: "; "" where the whole of it
// is meant.
func (e *DefinitionError) Place() string {
	switch {
	case e.Line > 1:
		return fmt.Sprintf("line %d, column %d: ", e.Line, e.Column)
	case e.Line > 0:
		return fmt.Sprintf("column %d: ", e.Column)
	}
	return ""
}

var attributeName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// checker gathers all that is wrong with a definition.
type checker struct {
	def   *Definition
	class *Class
	errs  []error
}

func (c *checker) fail(key, format string, args ...any) {
	c.failAt(key, 0, 0, fmt.Sprintf(format, args...))
}

func (c *checker) failAt(key string, line, column int, reason string) {
	c.errs = append(c.errs, &DefinitionError{Attribute: c.def.Name, Key: key, Line: line,
		Column: column, Reason: reason})
}

func (c *checker) err() error { return errors.Join(c.errs...) }

func (c *checker) checkName() {
	if !attributeName.MatchString(c.def.Name) {
		c.fail("name", "want up to 128 letters, digits and underscores, not a digit first")
	}
}

// checkDatasets returns the names, sorted.
func (c *checker) checkDatasets() []string {
	names := slices.Clone(c.def.Datasets)
	slices.Sort(names)
	if len(names) == 0 {
		c.fail("datasets", "want at least one event dataset")
	}
	for i, name := range names {
		switch {
		case i > 0 && name == names[i-1]:
			c.fail("datasets", "%q is listed twice", name)
		case c.dataset(name) == nil:
			c.fail("datasets", "%q is no event dataset of the class", name)
		}
	}
	return names
}

func (c *checker) dataset(name string) *Dataset {
	i := slices.IndexFunc(c.class.Datasets, func(d Dataset) bool { return d.Name == name })
	if i < 0 {
		return nil
	}
	return &c.class.Datasets[i]
}

// checkFunction returns what the function is like, nil for an unknown one.
func (c *checker) checkFunction() *behaviour {
	b, known := behaviours[c.def.Function]
	if c.def.Function == "" {
		c.fail("function", "is missing; there are %s", functionNames())
		return nil
	}
	if !known {
		c.fail("function", "%q is no function; there are %s", c.def.Function, functionNames())
		return nil
	}
	switch {
	case c.def.Function == LastN && (c.def.N < 1 || c.def.N > MaxListed):
		c.fail("n", "want 1 to %d", MaxListed)
	case c.def.Function != LastN && c.def.N != 0:
		c.fail("n", "only last_n has it")
	}
	switch {
	case !b.distinct && c.def.MaxDistinct != 0:
		c.fail("max_distinct", "only unique_count, unique_list and most_frequent have it")
	case c.def.MaxDistinct < 0 || c.def.MaxDistinct > MaxMaxDistinct:
		c.fail("max_distinct", "want 1 to %d", MaxMaxDistinct)
	}
	return &b
}

// checkValue returns the type at the value path, nil without a path or with a wrong one.
func (c *checker) checkValue(b *behaviour) *Type {
	text := c.def.Value
	if text == "" {
		if b != nil && c.def.Function != Count {
			c.fail("value", "%s needs the path of a value", c.def.Function)
		}
		return nil
	}
	path := profile.ParsePath(text)
	segments := path.Segments()
	t, at := c.class.Type.lookup(segments)
	if at >= 0 {
		c.failAt("value", 1, segmentColumn(text, at), fmt.Sprintf(
			"no field %q in the events of the class", segments[at]))
		return nil
	}
	if b != nil && !b.takes(t.Kind) {
		last := len(segments) - 1
		c.failAt("value", 1, segmentColumn(text, last), fmt.Sprintf(
			"%s takes %s, and %q is of type %s", c.def.Function, b.wants, text, t))
		return nil
	}
	for _, name := range c.def.Datasets {
		if d := c.dataset(name); d != nil && d.Lacks != nil && d.Lacks(path) {
			c.failAt("value", 1, 1, fmt.Sprintf(
				"events of dataset %q never have it: none of them would count", name))
		}
	}
	return t
}

// segmentColumn is the column, from 1, at which segment i of a dotted path begins.
func segmentColumn(dotted string, i int) int {
	escaped := false
	for at, r := range dotted {
		if i == 0 {
			return utf8.RuneCountInString(dotted[:at]) + 1
		}
		if r == '.' && !escaped {
			i--
		}
		escaped = r == '\\' && !escaped
	}
	return utf8.RuneCountInString(dotted) + 1
}

// checkWindow returns the window, nil for a wrong one.
func (c *checker) checkWindow() *window {
	w, key, err := parseWindow(c.def)
	if err != nil {
		c.fail(key, "%s", reason(err))
		return nil
	}
	for _, name := range c.def.Datasets {
		d := c.dataset(name)
		if d == nil || d.Retention == 0 || w.reach() <= d.Retention {
			continue
		}
		c.fail("window", "%s looks back %s, and dataset %q keeps its events for %s",
			strings.TrimSpace(c.def.Window), hours(w.reach()), name, hours(d.Retention))
	}
	return w
}

func reason(e error) string { return e.Error() }

// hours writes a duration in whole days where it is some.
func hours(d time.Duration) string {
	const day = 24 * time.Hour
	if d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return d.String()
}
