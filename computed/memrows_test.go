package computed

import (
	"bytes"
	"iter"
	"slices"
	"sort"
)

// memRows are Rows in memory: short sorted runs of rows, one after the other.
type memRows struct {
	runs [][]Row
	ops  int // rows that were looked at or written
}

const runLength = 256

// find is the run and the place in it where a key is or would be.
func (m *memRows) find(key []byte) (run, at int, found bool) {
	run = sort.Search(len(m.runs), func(i int) bool {
		last := m.runs[i][len(m.runs[i])-1]
		return bytes.Compare(last.Key, key) >= 0
	})
	if run == len(m.runs) {
		return run, 0, false
	}
	at, found = slices.BinarySearchFunc(m.runs[run], key, func(r Row, key []byte) int {
		return bytes.Compare(r.Key, key)
	})
	return run, at, found
}

func (m *memRows) Get(key []byte) ([]byte, error) {
	m.ops++
	if run, at, found := m.find(key); found {
		return m.runs[run][at].Value, nil
	}
	return nil, nil
}

func (m *memRows) Put(key, value []byte) error {
	m.ops++
	run, at, found := m.find(key)
	switch {
	case found && len(value) > 0:
		m.runs[run][at].Value = bytes.Clone(value)
	case found:
		m.cut(run, at, at+1)
	case len(value) > 0:
		m.insert(run, at, Row{bytes.Clone(key), bytes.Clone(value)})
	}
	return nil
}

func (m *memRows) insert(run, at int, row Row) {
	if run == len(m.runs) {
		if run == 0 {
			m.runs = [][]Row{{row}}
			return
		}
		run--
		at = len(m.runs[run])
	}
	rows := slices.Insert(m.runs[run], at, row)
	m.runs[run] = rows
	if len(rows) > runLength {
		half := len(rows) / 2
		m.runs = slices.Insert(m.runs, run+1, slices.Clone(rows[half:]))
		m.runs[run] = rows[:half:half]
	}
}

func (m *memRows) cut(run, from, to int) {
	m.runs[run] = slices.Delete(m.runs[run], from, to)
	if len(m.runs[run]) == 0 {
		m.runs = slices.Delete(m.runs, run, run+1)
	}
}

func (m *memRows) Scan(from, to []byte, reverse bool) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		low, lowAt, _ := m.find(from)
		high, highAt, _ := m.find(to)
		for i := range high - low + 1 {
			run := low + i
			if reverse {
				run = high - i
			}
			if run == len(m.runs) {
				continue
			}
			rows := m.runs[run]
			if run == high {
				rows = rows[:highAt]
			}
			if run == low {
				rows = rows[lowAt:]
			}
			for j := range rows {
				row := rows[j]
				if reverse {
					row = rows[len(rows)-1-j]
				}
				m.ops++
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}

func (m *memRows) Clear(from, to []byte) error {
	m.ops++
	var keys [][]byte
	ops := m.ops
	for row := range m.Scan(from, to, false) {
		keys = append(keys, row.Key)
	}
	for _, key := range keys {
		run, at, _ := m.find(key)
		m.cut(run, at, at+1)
	}
	m.ops = ops
	return nil
}

// all copies the rows, for comparison.
func (m *memRows) all() []Row { return slices.Concat(m.runs...) }
