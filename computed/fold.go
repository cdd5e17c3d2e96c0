package computed

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/cockroachdb/apd/v3"

	"selfsame/profile"
)

// Result is the value of an attribute for a cluster.
type Result struct {
	// Value is null where the attribute is absent: no event counts, or the number has overflowed.
	Value profile.Value
	// Truncated says that there are more than max_distinct values, and only the least of them, in
	// their order, were looked at. What is said of these is exact.
	Truncated bool
	// Overflow says that a sum or average has more digits than its type.
	Overflow bool
}

// Fold computes the attribute from the states of all identities of a cluster, each moved to now.
// The order of states does not matter.
func (a *Attribute) Fold(states []*State, now int64) (Result, error) {
	for _, s := range states {
		if !s.Ready(now) {
			return Result{}, fmt.Errorf("folding %q at %d: %w", a.def.Name, now, ErrStale)
		}
	}
	return a.FoldUnfinished(states, now)
}

// FoldUnfinished is Fold of states of which some were not moved to now yet. What it gives is
// neither the value of now nor that of before.
func (a *Attribute) FoldUnfinished(states []*State, _ int64) (Result, error) {
	switch {
	case a.index == byTime:
		return a.foldTimes(states)
	case a.distinct:
		return a.foldDistinct(states)
	case a.index == byValue:
		return a.foldExtreme(states)
	}
	return a.foldTotals(states), nil
}

func (a *Attribute) foldTotals(states []*State) Result {
	var count int64
	sum := new(apd.Decimal)
	for _, s := range states {
		count += s.total.count
		addTo(sum, &s.total.sum, false)
	}
	switch {
	case a.def.Function == Count:
		return Result{Value: profile.Int(count)}
	case count == 0:
		return Result{}
	case a.def.Function == Avg:
		sum = average(sum, count)
	}
	fixed := a.def.Function == Sum && a.value.Kind != profile.KindFloat
	v, ok := giveOut(sum, a.output, fixed)
	return Result{Value: v, Overflow: !ok}
}

// heads gathers the first rows of the index of every state, from the end that the function asks
// for, keys without prefix.
func (a *Attribute) heads(states []*State, each int) ([]Row, error) {
	var rows []Row
	for _, s := range states {
		first, err := s.leading(each)
		if err != nil {
			return nil, fmt.Errorf("folding %q: %w", a.def.Name, err)
		}
		if len(states) == 1 {
			return first, nil
		}
		rows = append(rows, first...)
	}
	return rows, nil
}

// order sorts rows from the end that the function asks for.
func (a *Attribute) order(rows []Row) {
	slices.SortFunc(rows, func(x, y Row) int {
		if a.reverse {
			x, y = y, x
		}
		return bytes.Compare(x.Key, y.Key)
	})
}

func (a *Attribute) foldExtreme(states []*State) (Result, error) {
	rows, err := a.heads(states, 1)
	if err != nil || len(rows) == 0 {
		return Result{}, err
	}
	a.order(rows)
	v, err := readValue(rows[0].Key, a.value)
	return Result{Value: v}, err
}

func (a *Attribute) foldTimes(states []*State) (Result, error) {
	rows, err := a.heads(states, a.keeps)
	if err != nil || len(rows) == 0 {
		return Result{}, err
	}
	a.order(rows)
	rows = rows[:min(len(rows), a.keeps)]
	values := make([]profile.Value, len(rows))
	for i, row := range rows {
		if len(row.Value) == 0 {
			return Result{}, errRow
		}
		if values[i], err = readValue(row.Value[1:], a.value); err != nil {
			return Result{}, err
		}
	}
	switch a.def.Function {
	case LastN:
		return Result{Value: profile.Array(values)}, nil
	case First:
		return Result{Value: values[0]}, nil
	}
	at, err := readTime(rows[0].Key)
	return Result{Value: profile.Object(a.names, []profile.Value{
		profile.Temporal(profile.KindTimestampNanos, at), values[0]})}, err
}

// foldDistinct looks at the least max_distinct values of all. Each of these is among the least of
// every state that has it, so its count is exact.
func (a *Attribute) foldDistinct(states []*State) (Result, error) {
	limit := a.keeps
	rows, err := a.heads(states, limit+1)
	if err != nil {
		return Result{}, err
	}
	counts := make(map[string]int64, len(rows))
	for _, row := range rows {
		n, err := readCount(row.Value)
		if err != nil {
			return Result{}, err
		}
		counts[string(row.Key)] += n
	}
	keys := slices.Sorted(maps.Keys(counts))
	truncated := len(keys) > limit
	for _, s := range states {
		truncated = truncated || s.total.cut > 0
	}
	keys = keys[:min(len(keys), limit)]
	v, err := a.ofDistinct(keys, counts)
	return Result{Value: v, Truncated: truncated}, err
}

// ofDistinct computes a function of distinct values. Keys are sorted.
func (a *Attribute) ofDistinct(keys []string, counts map[string]int64) (profile.Value, error) {
	switch {
	case a.def.Function == UniqueCount && len(keys) > 0:
		return profile.Int(int64(len(keys))), nil
	case len(keys) == 0:
		return profile.Null(), nil
	case a.def.Function == MostFrequent:
		best := keys[0]
		for _, key := range keys {
			if counts[key] > counts[best] {
				best = key
			}
		}
		return readValue([]byte(best), a.value)
	}
	values := make([]profile.Value, len(keys))
	for i, key := range keys {
		var err error
		if values[i], err = readValue([]byte(key), a.value); err != nil {
			return profile.Null(), err
		}
	}
	return profile.Array(values), nil
}
