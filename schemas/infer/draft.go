package infer

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"selfsame/schemas"
)

// Draft is the guess of a schema.
type Draft struct {
	Avro []byte // the text of the schema, one field a line
	Left []Left // what no type fits; the dataset must ignore unknown fields where there is any

	records int
	leaves  []leaf // scalars outside of arrays and maps
}

// Left is a place that the schema leaves out.
type Left struct {
	Path   string
	Reason string
}

// leaf is a scalar field that can be an identity, a time or an id.
type leaf struct {
	path  string
	words []string // of its name
	typ   string   // name of the candidate type
	shape *shape
}

// node is the type of a place.
type node struct {
	scalar   int // number of the candidate type
	fields   []field
	items    *node // of an array, or of a map
	form     form
	nullable bool // of items
}

type form uint8

const (
	formScalar form = iota
	formRecord
	formArray
	formMap
)

type field struct {
	name string
	typ  *node
	doc  string
}

// drafter turns shapes into nodes. In all of its methods like is the type that other datasets give
// the place, nil where they have none.
type drafter struct {
	draft  *Draft
	prober *prober
	quiet  bool // inside an array or a map, where no leaf has a path
}

// Guess makes a schema of what was seen; name becomes that of its record. like is the type of the
// records of other datasets, nil where there are none: where the sample fits it, it is followed.
func (s *Sample) Guess(name string, like *schemas.Type) (*Draft, error) {
	if s.records == 0 {
		return nil, errors.New("the sample holds no record")
	}
	d := drafter{draft: &Draft{records: s.records}, prober: s.prober}
	root := d.record("", s.root, like)
	if len(root.fields) == 0 {
		return nil, errors.New("no field of the sample can be part of a schema")
	}
	w := writer{types: s.prober.types, names: map[string]bool{}}
	w.record(root, schemas.MakeName(name), 0)
	d.draft.Avro = append(w.text, '\n')
	slices.SortFunc(d.draft.Left, func(a, b Left) int { return strings.Compare(a.Path, b.Path) })
	_, err := schemas.Parse(name, d.draft.Avro)
	return d.draft, err
}

// leave notes that a place is left out.
func (d *drafter) leave(path, reason string) *node {
	d.draft.Left = append(d.draft.Left, Left{path, reason})
	return nil
}

// place finds the type of a place and what is a guess about it; nil where none fits.
func (d *drafter) place(path, name string, s *shape, like *schemas.Type) (
	typ *node, doc string) {
	forms := 0
	for _, n := range []int{s.objects, s.arrays, s.scalars} {
		if n > 0 {
			forms++
		}
	}
	switch {
	case s.deep:
		return d.leave(path, "is nested too deeply"), ""
	case forms > 1:
		return d.leave(path, "is of several kinds: "+s.kinds()), ""
	case s.objects > 0:
		return d.object(path, s, like)
	case s.arrays > 0:
		return d.array(path, name, s, like)
	}
	return d.scalar(path, name, s, like)
}

// kinds lists what was seen.
func (s *shape) kinds() string {
	var kinds []string
	for name, n := range map[string]int{"object": s.objects, "array": s.arrays, "string": s.texts,
		"number or boolean": s.scalars - s.texts} {
		if n > 0 {
			kinds = append(kinds, name)
		}
	}
	slices.Sort(kinds)
	return strings.Join(kinds, ", ")
}

func (d *drafter) scalar(path, name string, s *shape, like *schemas.Type) (*node, string) {
	number, doc, ok := d.prober.choose(s, wordsOf(name), like)
	if !ok {
		return d.leave(path, "no type takes all of its values: "+s.kinds()), ""
	}
	if !d.quiet {
		typ := d.prober.types[number].name
		d.draft.leaves = append(d.draft.leaves, leaf{path, wordsAt(path), typ, s})
	}
	return &node{scalar: number}, doc
}

// choose finds the type of scalars by its number, and says what is a guess about it: what other
// datasets have, where it fits; a time, where integers are called so; else the narrowest that fits.
func (p *prober) choose(s *shape, words []string, like *schemas.Type) (
	number int, doc string, ok bool) {
	if s.given() == 0 {
		doc = "guess: the sample has no value of it"
	}
	if followed := s.fits & p.agreeing(like); followed != 0 {
		number, _ = followed.first()
		return number, doc, true
	}
	if s.given() == 0 {
		return len(p.types) - 1, doc, true
	}
	if number, ok = s.fits.first(); !ok {
		return 0, "", false
	}
	if epoch, unit := s.epoch(words); epoch != "" && p.types[number].name == "long" {
		number = slices.IndexFunc(p.types, func(c candidateType) bool { return c.name == epoch })
		return number, "guess: a time, in " + unit + " since the epoch", true
	}
	if p.types[number].name == "string" {
		return number, s.enumDoc(), true
	}
	return number, p.types[number].why, true
}

// The instants that numbers called times are taken for: of the years 2001 to 2100.
const (
	epochFrom = 978_307_200_000 // milliseconds
	epochTo   = 4_102_444_800_000
)

// epoch tells the type of integers that are called a time and can be one; "" otherwise.
func (s *shape) epoch(words []string) (logical, unit string) {
	timely := slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains([]string{"at", "time", "timestamp", "ts", "date"}, w) ||
			strings.HasSuffix(w, "time") || strings.HasSuffix(w, "timestamp")
	})
	switch {
	case !timely || s.min > s.max:
	case s.min >= epochFrom && s.max <= epochTo:
		return "timestamp-millis", "milliseconds"
	case s.min >= epochFrom*1000 && s.max <= epochTo*1000:
		return "timestamp-micros", "microseconds"
	}
	return "", ""
}

// enumDoc suggests an enum where few texts come again and again.
func (s *shape) enumDoc() string {
	if s.symbols == nil || s.texts < 20 || s.texts < 5*len(s.symbols) {
		return ""
	}
	symbols := slices.Sorted(maps.Keys(s.symbols))
	for _, symbol := range symbols {
		if !schemas.ValidName(symbol) {
			return ""
		}
	}
	return "guess: could be an enum of " + strings.Join(symbols, ", ")
}

func (d *drafter) array(path, name string, s *shape, like *schemas.Type) (*node, string) {
	quiet := d.quiet
	d.quiet = true
	items, doc := d.place(path+"[]", name, s.items, itemsOf(like, schemas.KindArray))
	d.quiet = quiet
	if items == nil {
		return nil, ""
	}
	items.nullable = s.items.nulls > 0
	return &node{form: formArray, items: items}, doc
}

// itemsOf is the type of the items of an array or the values of a map; nil of anything else.
func itemsOf(t *schemas.Type, k schemas.Kind) *schemas.Type {
	if t == nil || t.Kind != k {
		return nil
	}
	return t.Items
}

// object finds out whether objects are records or maps.
func (d *drafter) object(path string, s *shape, like *schemas.Type) (*node, string) {
	if values := d.values(path, s, like); values != nil {
		return &node{form: formMap, items: values},
			"guess: a map, as its keys are no fixed set of field names"
	}
	r := d.record(path, s, like)
	if len(r.fields) == 0 {
		return d.leave(path, "no key of the object is a valid field name"), ""
	}
	return r, ""
}

// A map is suspected of objects with so many keys, of which no more than a share is there at once.
const (
	mapKeys    = 8
	mapObjects = 4
	mapShare   = 0.5
)

// values is the type of the values where objects look like maps; nil where they do not.
func (d *drafter) values(path string, s *shape, like *schemas.Type) *node {
	keys, all, valid := 0, newShape(), true
	for _, m := range s.members {
		keys += m.shape.seen()
		valid = valid && schemas.ValidName(m.name)
		all.absorb(m.shape)
	}
	vary := len(s.members) >= mapKeys && s.objects >= mapObjects &&
		float64(keys) <= mapShare*float64(s.objects*len(s.members))
	asRecord := valid && !vary && len(s.members) > 0
	if like != nil && (like.Kind == schemas.KindRecord || like.Kind == schemas.KindMap) {
		asRecord = like.Kind == schemas.KindRecord
	}
	if asRecord {
		return nil
	}
	trial := drafter{draft: &Draft{}, prober: d.prober, quiet: true}
	typ, _ := trial.place(joinPath(path, "*"), "", all, itemsOf(like, schemas.KindMap))
	if typ == nil || len(trial.draft.Left) > 0 {
		return nil
	}
	typ.nullable = all.nulls > 0
	return typ
}

func (d *drafter) record(path string, s *shape, like *schemas.Type) *node {
	r := &node{form: formRecord}
	known := func(name string) *schemas.Type {
		if like == nil || like.Field(name) == nil {
			return nil
		}
		return like.Field(name).Type
	}
	for _, m := range s.members {
		below := joinPath(path, m.name)
		if !schemas.ValidName(m.name) {
			d.leave(below, "is no valid field name: letters, digits and _ only")
			continue
		}
		if typ, doc := d.place(below, m.name, m.shape, known(m.name)); typ != nil {
			r.fields = append(r.fields, field{m.name, typ, doc})
		}
	}
	return r
}

func joinPath(above, below string) string {
	if above == "" {
		return below
	}
	return above + "." + below
}
