package pipeline

import (
	"slices"

	"selfsame/profile"
	"selfsame/store"
)

// orderedPair is what operators have said about an identity and another one.
type orderedPair struct {
	other profile.Identity
	row   store.Orders
}

type dirtyPair struct {
	p    *person
	pair *orderedPair
}

// ordersOf returns what operators have said about p, pair by pair, this commit included.
func (s *state) ordersOf(p *person) ([]*orderedPair, error) {
	if p.ordered || !p.row.Ordered {
		return p.orders, nil
	}
	err := s.reader.Orders(p.key.class, p.key.id, func(other profile.Identity, row *store.Orders) {
		p.orders = append(p.orders, &orderedPair{other, *row})
	})
	p.ordered = err == nil
	return p.orders, err
}

// order changes what operators have said about p and other, seen from p.
func (s *state) order(p *person, other profile.Identity, change func(*store.Orders)) error {
	pairs, err := s.ordersOf(p)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(pairs, func(pair *orderedPair) bool { return pair.other == other })
	if at < 0 {
		at = len(pairs)
		p.orders = append(p.orders, &orderedPair{other: other})
	}
	change(&p.orders[at].row)
	p.row.Ordered, p.ordered = true, true
	s.touch(p)
	s.dirtyOrders = append(s.dirtyOrders, dirtyPair{p, p.orders[at]})
	return nil
}

// dropOrders forgets what operators have said about p and other.
func (s *state) dropOrders(p *person, other profile.Identity) error {
	q, err := s.person(p.key.class, other)
	if err != nil {
		return err
	}
	for _, ends := range [2][2]*person{{p, q}, {q, p}} {
		from, to := ends[0], ends[1].key.id
		if _, err := s.ordersOf(from); err != nil {
			return err
		}
		from.orders = slices.DeleteFunc(from.orders, func(pair *orderedPair) bool {
			return pair.other == to
		})
		from.row.Ordered, from.ordered = len(from.orders) > 0, true
		s.touch(from)
		s.dirtyOrders = slices.DeleteFunc(s.dirtyOrders, func(d dirtyPair) bool {
			return d.p == from && d.pair.other == to
		})
	}
	s.droppedOrders = append(s.droppedOrders, linkKeyOf(p.key.class, p.key.id, other))
	return nil
}

// writeControl puts what control records have changed into b.
func (s *state) writeControl(b *store.Batch) {
	for _, key := range s.droppedOrders {
		b.DeleteOrders(key.class, key.a, key.b)
	}
	for _, d := range s.dirtyOrders {
		b.SetOrders(d.p.key.class, d.p.key.id, d.pair.other, &d.pair.row)
	}
	s.writeSaid(b)
	for _, class := range s.newUnlinks {
		b.SetUnlinks(class)
	}
	for id, row := range s.applied {
		b.SetApplied(id, row)
	}
	s.dirtyOrders, s.newUnlinks = s.dirtyOrders[:0], s.newUnlinks[:0]
	s.droppedOrders = s.droppedOrders[:0]
	clear(s.applied)
}

// appliedOf returns what became of the control record with an id, nil where there was none yet.
func (s *state) appliedOf(id string) (*store.Applied, error) {
	if row := s.applied[id]; row != nil {
		return row, nil
	}
	return s.reader.Applied(id)
}

func (s *state) setApplied(id string, row *store.Applied) { s.applied[id] = row }

// setUnlinks notes that some links of a class do not count: they were voided, or an end is silent.
func (s *state) setUnlinks(class string) {
	if !s.unlinks[class] {
		s.unlinks[class] = true
		s.newUnlinks = append(s.newUnlinks, class)
	}
}

// dropFragment deletes a fragment that says nothing any more.
func (s *state) dropFragment(p *person, dataset string) {
	p.row.Fragments = slices.DeleteFunc(slices.Clone(p.row.Fragments), func(name string) bool {
		return name == dataset
	})
	delete(p.fragments, dataset)
	p.dropped = append(p.dropped, dataset)
	s.touch(p)
}
