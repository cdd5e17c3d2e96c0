package pipeline

import (
	"slices"

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
