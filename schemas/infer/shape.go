package infer

import (
	"hash/fnv"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// The limits of what is remembered of one place.
const (
	maxDistinct = 10_000 // different scalars, by hash
	maxSymbols  = 10     // different texts in full, for enums
	maxDepth    = 30     // levels of objects and arrays; deeper ones are left out
	maxSmall    = math.MaxInt16
)

// shape is everything seen at one place of the records.
type shape struct {
	nulls, objects, arrays, scalars int
	deep                            bool // something here was too deep to look at

	fits   candidates // that take all scalars
	min    int64      // of the scalars that are integers
	max    int64
	hashes map[uint64]struct{}
	many   bool // more than maxDistinct

	texts   int // scalars that are strings
	emails  int
	phones  int
	symbols map[string]struct{} // nil: more than maxSymbols

	members []*member // of the objects, as first seen
	index   map[string]*member
	items   *shape // of the arrays
}

// member is one key of an object.
type member struct {
	name  string
	shape *shape
}

func newShape() *shape {
	return &shape{fits: allCandidates, min: math.MaxInt64, max: math.MinInt64,
		hashes: map[uint64]struct{}{}, symbols: map[string]struct{}{},
		index: map[string]*member{}}
}

// seen counts the values, null or not.
func (s *shape) seen() int { return s.nulls + s.objects + s.arrays + s.scalars }

// given counts the values that are not null.
func (s *shape) given() int { return s.seen() - s.nulls }

func (s *shape) member(name string) *shape {
	m := s.index[name]
	if m == nil {
		m = &member{name, newShape()}
		s.index[name] = m
		s.members = append(s.members, m)
	}
	return m.shape
}

func (s *shape) itemShape() *shape {
	if s.items == nil {
		s.items = newShape()
	}
	return s.items
}

// scalar takes note of a string, number or boolean.
func (s *shape) scalar(p *prober, raw jsontext.Value) {
	s.scalars++
	hash := fnv.New64a()
	hash.Write(raw)
	if s.hashes[hash.Sum64()] = struct{}{}; len(s.hashes) > maxDistinct {
		s.hashes, s.many = map[uint64]struct{}{}, true
	}
	s.fits = p.filter(s.fits, raw)
	switch raw.Kind() {
	case '"':
		s.text(raw)
	case '0':
		s.number(string(raw))
	}
}

func (s *shape) number(raw string) {
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil {
		return
	}
	s.min, s.max = min(s.min, n), max(s.max, n)
	if n > maxSmall || n < -maxSmall {
		s.fits &^= 1 << candidateInt
	}
	if isPhone(raw) {
		s.phones++
	}
}

func (s *shape) text(raw jsontext.Value) {
	unquoted, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return // what has no text is counted as a scalar only
	}
	text := string(unquoted)
	s.texts++
	if isEmail(text) {
		s.emails++
	}
	if isPhone(text) {
		s.phones++
	}
	if s.symbols == nil {
		return
	}
	if s.symbols[text] = struct{}{}; len(s.symbols) > maxSymbols {
		s.symbols = nil
	}
}

// distinct is how many different scalars there were; at the least, where there were many.
func (s *shape) distinct() int {
	if s.many {
		return maxDistinct
	}
	return len(s.hashes)
}

// absorb adds what was seen at another place, as if it had been seen here.
func (s *shape) absorb(other *shape) {
	s.nulls, s.objects, s.arrays = s.nulls+other.nulls, s.objects+other.objects,
		s.arrays+other.arrays
	s.scalars, s.texts = s.scalars+other.scalars, s.texts+other.texts
	s.fits, s.deep = s.fits&other.fits, s.deep || other.deep
	s.min, s.max, s.many = min(s.min, other.min), max(s.max, other.max), s.many || other.many
	s.symbols = nil
	for _, m := range other.members {
		s.member(m.name).absorb(m.shape)
	}
	if other.items != nil {
		s.itemShape().absorb(other.items)
	}
}
