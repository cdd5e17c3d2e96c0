package pipeline

import (
	"slices"
	"strings"

	"selfsame/profile"
	"selfsame/store"
)

// dataFloors are what turns data of one dataset about one identity away.
type dataFloors struct {
	row   store.DataFloors
	dirty bool
}

// floors returns what turns data of a dataset about p away; the caller must not change it but by
// changeFloors.
func (s *state) floors(p *person, dataset string) (*dataFloors, error) {
	if f := p.floors[dataset]; f != nil {
		return f, nil
	}
	f := &dataFloors{}
	if p.row.Floored {
		ref := store.FragmentRef{Class: p.key.class, Identity: p.key.id, Dataset: dataset}
		row, err := s.reader.DataFloors(ref)
		if err != nil {
			return nil, err
		}
		if row != nil {
			f.row = *row
		}
	}
	if p.floors == nil {
		p.floors = map[string]*dataFloors{}
	}
	p.floors[dataset] = f
	return f, nil
}

// changeFloors changes what turns data of a dataset about p away.
func (s *state) changeFloors(p *person, dataset string, change func(*store.DataFloors)) error {
	f, err := s.floors(p, dataset)
	if err != nil {
		return err
	}
	change(&f.row)
	f.dirty = true
	p.row.Floored = true
	s.touch(p)
	return nil
}

func writeFloors(b *store.Batch, p *person) {
	for _, dataset := range sortedNames(p.floors) {
		if f := p.floors[dataset]; f.dirty {
			f.dirty = false
			b.SetDataFloors(store.FragmentRef{Class: p.key.class, Identity: p.key.id,
				Dataset: dataset}, &f.row)
		}
	}
}

func sortedNames[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// addEventFloor adds a floor, without those that it makes needless.
func addEventFloor(row *store.DataFloors, floor store.EventFloor) {
	row.Events = slices.Clone(row.Events)
	for i := range row.Events {
		if e := &row.Events[i]; e.From == floor.From && e.To == floor.To {
			cut := store.Cut{Parts: slices.Clone(e.Cut.Parts)}
			cut.Join(&floor.Cut)
			e.Cut = cut
			return
		}
	}
	row.Events = append(row.Events, floor)
}

// bars reports whether floors turn an event away that is consumed at pos of the topic of that id.
func bars(row *store.DataFloors, at int64, pos profile.Position, id store.TopicID) bool {
	return slices.ContainsFunc(row.Events, func(f store.EventFloor) bool {
		return f.From <= at && at <= f.To && f.Cut.CoversRecord(pos, id)
	})
}

// joinFloors adds floors to others.
func joinFloors(row, more *store.DataFloors) {
	row.Fragment = profile.Later(row.Fragment, more.Fragment)
	for _, floor := range more.Events {
		addEventFloor(row, floor)
	}
}

// above leaves out the floors that turn nothing away but what an erasure does.
func above(row store.DataFloors, erased profile.Stamp) store.DataFloors {
	if !erased.Before(row.Fragment) {
		row.Fragment = profile.Stamp{}
	}
	row.Events = slices.DeleteFunc(slices.Clone(row.Events), func(f store.EventFloor) bool {
		return f.To < erased.Time
	})
	return row
}

// addNamed adds the floors of a dataset to what is kept of an identity that was erased.
func addNamed(row *store.Erased, dataset string, more *store.DataFloors) {
	joined := store.NamedFloors{Dataset: dataset}
	i, found := slices.BinarySearchFunc(row.Floors, dataset,
		func(f store.NamedFloors, name string) int { return strings.Compare(f.Dataset, name) })
	row.Floors = slices.Clone(row.Floors)
	if found {
		joined = row.Floors[i]
		row.Floors = slices.Delete(row.Floors, i, i+1)
	}
	joinFloors(&joined.DataFloors, more)
	if joined.DataFloors = above(joined.DataFloors, row.Floor); !joined.IsZero() {
		row.Floors = slices.Insert(row.Floors, i, joined)
	}
}

// floored lists the datasets of which something about p may be turned away.
func (s *state) floored(p *person) (datasets []string, err error) {
	err = s.reader.DataFloorsOf(p.key.class, p.key.id, func(dataset string) {
		datasets = append(datasets, dataset)
	})
	return append(datasets, sortedNames(p.floors)...), err
}

// sinkFloors forgets the floors of single datasets of p that an erasure makes needless.
func (s *state) sinkFloors(p *person, erased profile.Stamp) error {
	if !p.row.Floored {
		return nil
	}
	return s.lowerFloors(p, func(row store.DataFloors) store.DataFloors {
		return above(row, erased)
	})
}

// clearFloors takes all floors of single datasets of p back.
func (s *state) clearFloors(p *person) error {
	return s.lowerFloors(p, func(store.DataFloors) store.DataFloors { return store.DataFloors{} })
}

// lowerFloors leaves of the floors of single datasets of p what left says.
func (s *state) lowerFloors(p *person, left func(store.DataFloors) store.DataFloors) error {
	datasets, err := s.floored(p)
	if err != nil {
		return err
	}
	floored := false
	for _, dataset := range datasets {
		err := s.changeFloors(p, dataset, func(row *store.DataFloors) {
			*row = left(*row)
			floored = floored || !row.IsZero()
		})
		if err != nil {
			return err
		}
	}
	p.row.Floored = floored
	return nil
}

// hashFloors has the hash of p keep the floors of single datasets, in place of rows with its value.
func (sh *Shard) hashFloors(p *person) error {
	kept, err := sh.erased(p)
	if err != nil || kept == nil || !p.row.Floored {
		return err
	}
	datasets, err := sh.state.floored(p)
	if err != nil {
		return err
	}
	row := *kept
	for _, dataset := range datasets {
		f, err := sh.state.floors(p, dataset)
		if err != nil {
			return err
		}
		addNamed(&row, dataset, &f.row)
	}
	sh.setErased(sh.hash(p), &row)
	return nil
}

// unhashFloors gives p the floors back that its hash has kept.
func (sh *Shard) unhashFloors(p *person, kept *store.Erased) error {
	for i := range kept.Floors {
		f := &kept.Floors[i]
		err := sh.state.changeFloors(p, f.Dataset, func(row *store.DataFloors) {
			joinFloors(row, &f.DataFloors)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
