package schemas

import (
	"errors"
	"slices"
)

// CheckEvolution reports what a new union takes away from the one that the store was written with,
// or retypes, joined, as [EvolutionError]s. Additions and promotions (int to long, float to double,
// more symbols, items that become nullable; integers to floating point where a dataset says
// promote: lossy) are fine.
func CheckEvolution(old, next *Union) error {
	return errors.Join(evolve(nil, "", old.root, next.root)...)
}

func evolve(faults []error, path string, old, next *merged) []error {
	was := old.typ
	if old.describe() != next.describe() && !widens(old, next) {
		fault := &EvolutionError{Path: path, Was: old.describe(), Is: next.describe()}
		return append(faults, fault)
	}
	switch was.Kind {
	case KindRecord:
		return evolveFields(faults, path, old, next)
	case KindArray, KindMap:
		below := path + "[]"
		if was.Kind == KindMap {
			below = joinPath(path, "*")
		}
		if old.items.typ.Nullable && !next.items.typ.Nullable {
			faults = append(faults, &EvolutionError{Path: below, Was: "nullable", Is: "not"})
		}
		return evolve(faults, below, old.items, next.items)
	case KindEnum:
		return evolveSymbols(faults, path, was.Symbols, next.typ.Symbols)
	}
	return faults
}

func evolveSymbols(faults []error, path string, was, is []string) []error {
	for _, symbol := range was {
		if !slices.Contains(is, symbol) {
			fault := &EvolutionError{Path: path, Was: "enum with " + symbol, Is: "without"}
			faults = append(faults, fault)
		}
	}
	return faults
}

func evolveFields(faults []error, path string, old, next *merged) []error {
	for _, f := range old.fields {
		below := joinPath(path, f.name)
		if now := next.step(f.name); now != nil {
			faults = evolve(faults, below, f, now)
			continue
		}
		faults = append(faults, &EvolutionError{Path: below, Was: f.describe()})
	}
	return faults
}

// describe names the type at this level only.
func (m *merged) describe() string {
	if m.typ.Kind == KindArray || m.typ.Kind == KindMap {
		return m.typ.Kind.String()
	}
	return m.typ.String()
}

func widens(old, next *merged) bool {
	was, is := old.typ, next.typ
	if was.Logical != "" || is.Logical != "" {
		return false
	}
	switch {
	case was.Kind == KindInt && is.Kind == KindLong, was.Kind == KindFloat && is.Kind == KindDouble:
		return true
	}
	return isInteger(&was) && isFloating(&is) && next.lossy
}
