package schemas

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Member is one dataset's part in a union.
type Member struct {
	Dataset string
	Schema  *Schema
	Rename  []Rename
	// LossyNumbers lets integers and floating point meet, as double, wherever this dataset is one
	// of the two.
	LossyNumbers bool
}

// claim is what one dataset says about one place of the union.
type claim struct {
	dataset    string // "" when reading a union back
	file       string // of the schema
	line       int    // of the field, or the one around it; 0 for the whole record
	lossy      bool
	deprecated bool // here or above
	typ        *Type
}

// where names the file and line that a claim comes from; "" where there is no file.
func (c claim) where() string {
	if c.file == "" || c.line == 0 {
		return c.file
	}
	return fmt.Sprintf("%s:%d", c.file, c.line)
}

// merged is one place of the union.
type merged struct {
	name       string
	typ        Type      // of records without fields, of arrays and maps without items
	fields     []*merged // of a record, by name
	items      *merged   // of an array or map
	datasets   []string  // sorted
	deprecated bool      // by all datasets
	lossy      bool      // by one dataset at least
	hides      bool      // something at or below is deprecated
}

// step goes one segment down: to a field, or by any key into a map.
func (m *merged) step(segment string) *merged {
	if m.typ.Kind == KindMap {
		return m.items
	}
	i, ok := slices.BinarySearchFunc(m.fields, segment, func(f *merged, name string) int {
		return strings.Compare(f.name, name)
	})
	if !ok {
		return nil
	}
	return m.fields[i]
}

// claimsOf makes the claims for the whole record, in the order of dataset names, so that nothing
// below depends on the order of members.
func claimsOf(class string, members []Member) ([]claim, error) {
	sorted := slices.SortedFunc(slices.Values(members), func(a, b Member) int {
		return strings.Compare(a.Dataset, b.Dataset)
	})
	claims := make([]claim, 0, len(sorted))
	for i, m := range sorted {
		if i > 0 && sorted[i-1].Dataset == m.Dataset {
			return nil, fmt.Errorf("composing %s: dataset %s stands twice", class, m.Dataset)
		}
		typ, err := renamed(class, m)
		if err != nil {
			return nil, err
		}
		claims = append(claims, claim{dataset: m.Dataset, lossy: m.LossyNumbers, typ: typ,
			file: m.Schema.file})
	}
	return claims, nil
}

// composer merges claims and gathers the conflicts.
type composer struct {
	class  string
	faults []error
}

func (c *composer) conflicts() error { return errors.Join(c.faults...) }

// merge makes one place of the union. In case of a conflict the place is unfinished and the
// conflict noted.
func (c *composer) merge(path string, claims []claim) *merged {
	m := &merged{deprecated: len(claims) > 0}
	for _, claim := range claims {
		if claim.dataset != "" {
			m.datasets = append(m.datasets, claim.dataset)
		}
		m.deprecated = m.deprecated && claim.deprecated
		m.lossy = m.lossy || claim.lossy
	}
	if !c.agree(path, claims) {
		return m
	}
	m.typ = widest(claims)
	switch m.typ.Kind {
	case KindRecord:
		c.mergeFields(m, path, claims)
	case KindArray:
		m.items = c.mergeItems(path+"[]", claims)
	case KindMap:
		m.items = c.mergeItems(joinPath(path, "*"), claims)
	}
	return m
}

func (c *composer) mergeFields(m *merged, path string, claims []claim) {
	byName := map[string][]claim{}
	for _, claim := range claims {
		for _, f := range claim.typ.Fields {
			below := claim
			below.typ, below.deprecated = f.Type, claim.deprecated || f.Deprecated
			if f.Line > 0 {
				below.line = f.Line
			}
			byName[f.Name] = append(byName[f.Name], below)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		field := c.merge(joinPath(path, name), byName[name])
		field.name = name
		m.fields = append(m.fields, field)
	}
}

func (c *composer) mergeItems(path string, claims []claim) *merged {
	below := slices.Clone(claims)
	for i := range below {
		below[i].typ = below[i].typ.Items
	}
	return c.merge(path, below)
}

// agree notes each pair of types that cannot meet, by the first dataset that has either.
func (c *composer) agree(path string, claims []claim) bool {
	ok := true
	noted := map[[2]string]bool{}
	for i, a := range claims {
		for _, b := range claims[i+1:] {
			hint := conflict(a, b)
			pair := [2]string{a.typ.String(), b.typ.String()}
			if hint == "" || noted[pair] || noted[[2]string{pair[1], pair[0]}] {
				continue
			}
			noted[pair] = true
			ok = false
			c.faults = append(c.faults, &ConflictError{Class: c.class, Path: path,
				DatasetA: a.dataset, TypeA: pair[0], WhereA: a.where(),
				DatasetB: b.dataset, TypeB: pair[1], WhereB: b.where(), Hint: hint})
		}
	}
	return ok
}

const (
	hintRename = "rename the field of one dataset (map), or change its schema"
	hintLossy  = "let one of them say promote: lossy, rename its field (map), or change its schema"
)

// conflict says what to do about two types that cannot meet, "" where they can.
func conflict(a, b claim) (hint string) {
	switch {
	case a.typ.Logical != b.typ.Logical:
		return hintRename
	case isInteger(a.typ) && isFloating(b.typ), isFloating(a.typ) && isInteger(b.typ):
		if a.typ.Logical != "" {
			return hintRename
		}
		if a.lossy || b.lossy {
			return ""
		}
		return hintLossy
	case isInteger(a.typ) && isInteger(b.typ), isFloating(a.typ) && isFloating(b.typ):
		return ""
	case a.typ.Kind != b.typ.Kind || a.typ.Size != b.typ.Size,
		a.typ.Precision != b.typ.Precision || a.typ.Scale != b.typ.Scale:
		return hintRename
	}
	return ""
}

// Agree reports whether two datasets can have these types at one path, the types inside of records,
// arrays and maps aside.
func Agree(a, b *Type) bool { return conflict(claim{typ: a}, claim{typ: b}) == "" }

func isInteger(t *Type) bool  { return t.Kind == KindInt || t.Kind == KindLong }
func isFloating(t *Type) bool { return t.Kind == KindFloat || t.Kind == KindDouble }

// widest is the type, at this level, that holds what all claims hold. No claims make a record, for
// a class without datasets.
func widest(claims []claim) Type {
	var t Type
	symbols := map[string]bool{}
	for i, claim := range claims {
		if i == 0 {
			t = Type{Kind: claim.typ.Kind, Logical: claim.typ.Logical, Size: claim.typ.Size,
				Precision: claim.typ.Precision, Scale: claim.typ.Scale}
		}
		t.Kind = promote(t.Kind, claim.typ.Kind)
		t.Nullable = t.Nullable || claim.typ.Nullable
		for _, symbol := range claim.typ.Symbols {
			symbols[symbol] = true
		}
	}
	t.Symbols = slices.Sorted(maps.Keys(symbols))
	return t
}

// promote finds the wider of two kinds that agree. Integers and floating point meet in double.
func promote(a, b Kind) Kind {
	switch {
	case a == b:
		return a
	case a == KindInt && b == KindLong || a == KindLong && b == KindInt:
		return KindLong
	}
	return KindDouble
}
