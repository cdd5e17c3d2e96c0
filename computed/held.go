package computed

import (
	"bytes"
	"slices"
)

// Bounds of the rows that a state holds in memory.
const (
	heldFew   = 4       // of a function that gives out one
	heldMany  = 32      // of one that gives out as many as there are
	heldBytes = 4 << 10 // in all, but for the first
)

// held is the beginning of a state's index, from the end that the function asks for: most folds
// need no more, and most changes tell what it is now. So the store is scanned once for a state that
// is opened, and again only when all that was held has left.
type held struct {
	rows  []Row
	bytes int
	known bool // rows are the first of the index
	all   bool // and there are no others
}

// empty notes that the index has no row.
func (h *held) empty() {
	clear(h.rows)
	h.rows, h.bytes, h.known, h.all = h.rows[:0], 0, true, true
}

// holds is how many rows a state of the attribute holds.
func (a *Attribute) holds() int {
	switch {
	case a.distinct:
		return heldMany
	case a.keeps > 1:
		return a.keeps
	}
	return heldFew
}

// find is the place of a key among the rows that are held.
func (s *State) find(key []byte) (at int, found bool) {
	return slices.BinarySearchFunc(s.held.rows, key, func(r Row, key []byte) int {
		if s.attribute.reverse {
			return bytes.Compare(key, r.Key)
		}
		return bytes.Compare(r.Key, key)
	})
}

// lookUp is the value of a row of the index, nil where there is none.
func (s *State) lookUp(key []byte) ([]byte, error) {
	if h := &s.held; h.known {
		if at, found := s.find(key); found {
			return h.rows[at].Value, nil
		} else if h.all || at < len(h.rows) {
			return nil, nil
		}
	}
	return s.rows.Get(indexKey(key))
}

// indexKey is the stored key of a row of the whole's index.
func indexKey(key []byte) []byte {
	return append(append(make([]byte, 0, 1+len(key)), spaceIndex), key...)
}

// holdRow follows a row of the index that was written; key and value are kept.
func (s *State) holdRow(key, value []byte) {
	h := &s.held
	if !h.known {
		return
	}
	at, found := s.find(key)
	switch {
	case found:
		h.bytes += len(value) - len(h.rows[at].Value)
		h.rows[at].Value = value
	case h.all || at < len(h.rows):
		h.rows = slices.Insert(h.rows, at, Row{key, value})
		h.bytes += len(key) + len(value)
	}
	for len(h.rows) > s.attribute.holds() || h.bytes > heldBytes && len(h.rows) > 1 {
		last := &h.rows[len(h.rows)-1]
		h.bytes -= len(last.Key) + len(last.Value)
		*last = Row{}
		h.rows, h.all = h.rows[:len(h.rows)-1], false
	}
}

// releaseRow follows a row of the index that was taken away.
func (s *State) releaseRow(key []byte) {
	h := &s.held
	if !h.known {
		return
	}
	if at, found := s.find(key); found {
		h.bytes -= len(key) + len(h.rows[at].Value)
		h.rows = slices.Delete(h.rows, at, at+1)
	}
	h.known = h.all || len(h.rows) > 0
}

// leading are the first rows of the index, from the end that the function asks for, keys without
// prefix: so many, or all where there are fewer. Only read them, until the state is changed.
func (s *State) leading(n int) ([]Row, error) {
	h := &s.held
	if s.total.rows == 0 {
		return nil, nil
	}
	if h.known && (h.all || len(h.rows) >= n) {
		return h.rows[:min(n, len(h.rows))], nil
	}
	most := s.attribute.holds()
	rows, more, err := s.scan(max(n, most))
	if err != nil {
		return nil, err
	}
	h.empty()
	h.all = false
	for _, row := range rows[:min(most, len(rows))] {
		if h.bytes += len(row.Key) + len(row.Value); h.bytes > heldBytes && len(h.rows) > 0 {
			h.bytes -= len(row.Key) + len(row.Value)
			break
		}
		h.rows = append(h.rows, row)
	}
	h.all = !more && len(h.rows) == len(rows)
	return rows[:min(n, len(rows))], nil
}

// scan reads the first rows of the index from the store; more says that there are others.
func (s *State) scan(n int) (rows []Row, more bool, err error) {
	from, to := part(nil).index()
	if w := s.attribute.window; s.attribute.index == byTime && w.kind != lifetime {
		// What was taken out lies before the span. The store need not step over its remains.
		from = appendTime(from, s.total.span.From)
	}
	for row, err := range s.rows.Scan(from, to, s.attribute.reverse) {
		if err != nil {
			return nil, false, err
		}
		if len(rows) == n {
			return rows, true, nil
		}
		rows = append(rows, Row{bytes.Clone(row.Key[1:]), bytes.Clone(row.Value)})
	}
	return rows, false, nil
}
