package pipeline

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"selfsame/profile"
	"selfsame/schemas"
	"selfsame/store"
)

// UnionName names the union schema of an entity class's record or event datasets: profile,
// profile.events.
func UnionName(entity string, class DatasetClass) string {
	if class == ClassEvent {
		return entity + ".events"
	}
	return entity
}

// Union composes the union schema of the record or event datasets of an entity class, retired ones
// among them; nil where it has none. Errors are joined [schemas.ConflictError]s.
func (m *Model) Union(entity string, class DatasetClass) (*schemas.Union, error) {
	var members []schemas.Member
	for _, ds := range m.Datasets {
		if ds.Entity == entity && ds.Class == class && ds.Schema != nil {
			members = append(members, schemas.Member{Dataset: ds.Name, Schema: ds.Schema,
				Rename: ds.Rename, LossyNumbers: ds.LossyNumbers})
		}
	}
	if len(members) == 0 {
		return nil, nil
	}
	return schemas.Compose(UnionName(entity, class), members)
}

// Unions composes every union schema of the model: of each entity class in turn, records before
// events. Errors are joined [schemas.ConflictError]s.
func (m *Model) Unions() ([]*schemas.Union, error) {
	var unions []*schemas.Union
	var errs []error
	for _, e := range m.Entities {
		for _, class := range []DatasetClass{ClassRecord, ClassEvent} {
			u, err := m.Union(e.Name, class)
			errs = append(errs, err)
			if u != nil {
				unions = append(unions, u)
			}
		}
	}
	return unions, errors.Join(errs...)
}

// UnionChange is what became of the union schema of a class.
type UnionChange struct {
	Class   string
	Old     *schemas.Union   // nil: the class is new
	New     *schemas.Union   // nil: the class is gone
	Changes []schemas.Change // in order of path; none of a class that is new or gone
	Gone    []string         // datasets that were part of the old one and are not of the new
	Emptied []string         // likewise, of which delete_dataset has left nothing
}

// Err says why data kept under the old union cannot go on under the new one, and the way out; nil
// where it can.
func (c *UnionChange) Err() error {
	var errs []error
	var lost []string // fields that may have gone with their dataset
	for _, change := range c.Changes {
		switch {
		case c.Accepts(&change):
		case len(c.Gone) > 0 && change.Kind == schemas.ChangeRemoved:
			lost = append(lost, change.Path)
		default:
			errs = append(errs, &schemas.EvolutionError{Path: change.Path, Was: change.Was,
				Is: change.Is})
		}
	}
	switch {
	case len(c.Gone) > 0:
		errs = append(errs, c.goneError(lost))
	case c.New == nil && len(c.Emptied) == 0:
		errs = append(errs, errors.New("the class is gone from the configuration: keep it"))
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("the union schema of class %s cannot change like this:\n%w", c.Class,
		errors.Join(errs...))
}

// Accepts reports whether data kept under the old union can live with one of the changes: it adds
// something, or takes away what only a dataset had of which nothing is left.
func (c *UnionChange) Accepts(change *schemas.Change) bool {
	return change.Additive ||
		len(c.Emptied) > 0 && len(c.Gone) == 0 && change.Kind == schemas.ChangeRemoved
}

func (c *UnionChange) goneError(lost []string) error {
	fields := ""
	if len(lost) > 0 {
		fields = " (gone with it: " + strings.Join(lost, ", ") + ")"
	}
	return fmt.Errorf("dataset %s is gone from the configuration but what it said is kept%s: "+
		"declare it with retired: true; or put it back, delete what it said with delete_dataset, "+
		"and take it out once that is done; or rebuild the store from the input topics",
		strings.Join(c.Gone, ", "), fields)
}

// CompareUnions tells what changes from old to next, class by class in order of name, for every
// class that changes in anything. Datasets count as far as the unions know their lineage.
func CompareUnions(old, next []*schemas.Union) []UnionChange {
	return compareUnions(old, next, datasetsOf)
}

// compareUnions is CompareUnions where the datasets of an old union are known otherwise.
func compareUnions(old, next []*schemas.Union,
	datasets func(u *schemas.Union) []string) []UnionChange {
	var changes []UnionChange
	for _, class := range classesOf(old, next) {
		c := UnionChange{Class: class, Old: unionOf(old, class), New: unionOf(next, class)}
		if c.Old != nil {
			c.Gone = goneFrom(datasets(c.Old), c.New)
		}
		if c.Old != nil && c.New != nil {
			c.Changes = schemas.DiffUnions(c.Old, c.New)
		}
		if c.Old == nil || c.New == nil || len(c.Changes)+len(c.Gone) > 0 {
			changes = append(changes, c)
		}
	}
	return changes
}

func datasetsOf(u *schemas.Union) []string { return u.Lineage("") }

func classesOf(old, next []*schemas.Union) []string {
	var names []string
	for _, u := range slices.Concat(old, next) {
		names = append(names, u.Class())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func unionOf(all []*schemas.Union, class string) *schemas.Union {
	for _, u := range all {
		if u.Class() == class {
			return u
		}
	}
	return nil
}

// goneFrom lists the datasets that are no part of u.
func goneFrom(datasets []string, u *schemas.Union) []string {
	var gone []string
	for _, name := range datasets {
		if u == nil || !slices.Contains(datasetsOf(u), name) {
			gone = append(gone, name)
		}
	}
	return gone
}

// StoredUnionChanges compares the model's unions with those that the store's data was written
// under. A store that nothing was ever committed to binds nobody.
func StoredUnionChanges(m *Model, s *store.Store) ([]UnionChange, error) {
	next, err := m.Unions()
	if err != nil {
		return nil, err
	}
	if s.Empty() {
		return CompareUnions(nil, next), nil
	}
	old, datasets, err := storedUnions(s.Reader())
	if err != nil {
		return nil, err
	}
	changes := compareUnions(old, next, func(u *schemas.Union) []string {
		return datasets[u.Class()]
	})
	return changes, findEmptied(s.Reader(), changes)
}

// findEmptied tells datasets that are gone from the configuration and hold nothing apart from those
// that do.
func findEmptied(r *store.Reader, changes []UnionChange) error {
	emptied := map[string]bool{}
	err := r.Cuts(func(dataset string, row *store.DatasetCut) {
		emptied[dataset] = row.Done && !row.Anew
	})
	for i := range changes {
		c := &changes[i]
		c.Gone = slices.DeleteFunc(c.Gone, func(name string) bool {
			if emptied[name] {
				c.Emptied = append(c.Emptied, name)
			}
			return emptied[name]
		})
	}
	return err
}

// storedUnions reads the remembered unions, and the datasets of each class.
func storedUnions(r *store.Reader) (unions []*schemas.Union, datasets map[string][]string,
	err error) {
	datasets = map[string][]string{}
	err = r.Unions(func(row *store.Union) error {
		u, err := schemas.ParseUnion(row.Class, row.Avro)
		if err != nil {
			return fmt.Errorf("reading the remembered union schema of %s: %w", row.Class, err)
		}
		unions, datasets[row.Class] = append(unions, u), row.Datasets
		return nil
	})
	return unions, datasets, err
}

// AdoptUnions refuses unions that the store's data cannot live under, naming every path and the way
// out; else the store remembers them from now on. Call it before anything is consumed. It returns
// what has changed.
func AdoptUnions(m *Model, s *store.Store) ([]UnionChange, error) {
	changes, err := StoredUnionChanges(m, s)
	if err != nil {
		return nil, err
	}
	var refused []error
	for i := range changes {
		refused = append(refused, changes[i].Err())
	}
	if err := errors.Join(refused...); err != nil {
		return changes, err
	}
	unions, err := m.Unions()
	if err != nil {
		return changes, err
	}
	return changes, rememberUnions(s, unions)
}

// rememberUnions writes the rows that differ from what is stored.
func rememberUnions(s *store.Store, unions []*schemas.Union) error {
	var rows []store.Union
	for _, u := range unions {
		row := store.Union{Class: u.Class(), Fingerprint: u.Fingerprint(), Avro: u.Avro(),
			Datasets: datasetsOf(u)}
		held, err := s.Reader().Union(row.Class)
		if err != nil {
			return err
		}
		if held == nil || held.Fingerprint != row.Fingerprint ||
			!slices.Equal(held.Datasets, row.Datasets) {
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return s.SetUnions(rows...)
}

// UnionPath is where what the dataset has at a path of its schema is in the union.
func (ds *Dataset) UnionPath(path profile.Path) profile.Path {
	for _, r := range ds.Rename {
		if moved, ok := path.Rebase(r.From, r.To); ok {
			return moved
		}
	}
	return path
}
