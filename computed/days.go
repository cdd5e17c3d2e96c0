package computed

import (
	"bytes"
	"math"
	"time"

	"github.com/cockroachdb/apd/v3"
)

const dayLength = int64(24 * time.Hour)

// Day is the UTC day that an instant lies in, counted from the epoch.
func Day(t int64) int64 {
	day := t / dayLength
	if t%dayLength < 0 {
		day--
	}
	return day
}

// Expire lets go of an event whose retention has ended. Of a lifetime attribute it goes on to
// count: it is folded into its day. For other windows it is a Delete; they have let go of it before
// where the caller moves them first.
//
// Of days that are folded nobody knows any more from where their events came. Era keeps those apart
// that a deletion of the dataset covers: it counts the deletions that the event came after.
func (s *State) Expire(e *Event, era uint64) (Reading, error) {
	if s.attribute.window.kind != lifetime {
		return s.Delete(e)
	}
	r := s.attribute.Read(e)
	if !r.Counts {
		return r, nil
	}
	share := s.attribute.share(e, r)
	c := &share
	if !s.total.span.Contains(e.Time) { // the state is being built, and has not come to it
		if err := s.add(c); err != nil {
			return r, err
		}
	}
	return r, s.fold(dayPart(e.Dataset, era, Day(e.Time)), c)
}

// fold adds an event, which is in the whole, to a folded day. A day keeps no more rows than can
// ever be given out; what it leaves out leaves the whole too.
func (s *State) fold(day part, c *share) error {
	total, err := s.load(day)
	if err != nil {
		return err
	}
	if total == nil {
		total = &summary{}
	}
	total.count++
	if s.attribute.adds {
		addTo(&total.sum, &c.number, false)
	}
	if c.key != nil {
		if err := s.foldRow(day, total, c); err != nil {
			return err
		}
	}
	return s.rows.Put(day.key(spaceSummary), appendSummary(nil, total))
}

// foldRow adds the row of an event to a day's index and keeps the index within its limit: of the
// rows there ever were, those at the end that the function asks for.
func (s *State) foldRow(day part, total *summary, c *share) error {
	edge, err := s.edge(day)
	if err != nil {
		return err
	}
	full := total.rows >= int64(s.attribute.keeps)
	if full && s.beyond(c.key, edge.Key) {
		s.leaveOut(total)
		return s.shrink(c.key, 1)
	}
	created, err := s.grow(day, c, 1)
	if err != nil || !created {
		return err
	}
	if !full {
		total.rows++
		return nil
	}
	s.leaveOut(total)
	if err := s.rows.Put(append(day.key(spaceIndex), edge.Key...), nil); err != nil {
		return err
	}
	n, err := s.events(edge)
	if err != nil {
		return err
	}
	return s.shrink(edge.Key, n)
}

// beyond reports whether a row comes after the last one that a full day keeps.
func (s *State) beyond(key, edge []byte) bool {
	if s.attribute.reverse {
		return bytes.Compare(key, edge) < 0
	}
	return bytes.Compare(key, edge) > 0
}

// leaveOut notes that a day has more values than it keeps. Where max_distinct bounds them, the
// attribute is no longer of all values.
func (s *State) leaveOut(day *summary) {
	if !s.attribute.distinct || day.cut > 0 {
		return
	}
	day.cut = 1
	s.total.cut++
	s.dirty = true
}

// edge is the row of a day that goes first where there are too many, its key without prefix.
func (s *State) edge(day part) (Row, error) {
	from, to := day.index()
	for row, err := range s.rows.Scan(from, to, !s.attribute.reverse) {
		if err != nil {
			return Row{}, err
		}
		return Row{Key: bytes.Clone(row.Key[len(from):]), Value: bytes.Clone(row.Value)}, nil
	}
	return Row{}, nil
}

// events is how many events a row stands for.
func (s *State) events(row Row) (int64, error) {
	if s.attribute.index == byTime {
		return 1, nil
	}
	return readCount(row.Value)
}

// Removed is what [State.RemoveDays] took away, for the audit record.
type Removed struct {
	Days   int
	Events int64 // that counted
}

// RemoveDays takes away the folded days of a dataset in an era, from one up to and including
// another, by [Day]. A single event cannot be taken out of a folded day: its whole day goes.
func (s *State) RemoveDays(dataset string, era uint64, from, to int64) (Removed, error) {
	var removed Removed
	prefix := daysPrefix(dataset, era)
	for from <= to {
		day, found, err := s.nextDay(prefix, from, to)
		if err != nil || !found {
			return removed, err
		}
		n, err := s.removeDay(dayPart(dataset, era, day))
		if err != nil {
			return removed, err
		}
		removed.Days++
		removed.Events += n
		if day == math.MaxInt64 {
			break
		}
		from = day + 1
	}
	return removed, nil
}

// nextDay finds the first folded day of a dataset between two.
func (s *State) nextDay(prefix []byte, from, to int64) (day int64, found bool, err error) {
	low := appendTime(bytes.Clone(prefix), from)
	high := append(appendTime(bytes.Clone(prefix), to), 0xff)
	for row, err := range s.rows.Scan(low, high, false) {
		if err != nil {
			return 0, false, err
		}
		day, err = readTime(row.Key[len(prefix):])
		return day, err == nil, err
	}
	return 0, false, nil
}

func (s *State) removeDay(day part) (events int64, err error) {
	total, err := s.load(day)
	if err != nil {
		return 0, err
	}
	if total == nil {
		return 0, errRow
	}
	rows, err := s.collect(day)
	if err != nil {
		return 0, err
	}
	for _, row := range rows {
		n, err := s.events(row)
		if err != nil {
			return 0, err
		}
		if err := s.shrink(row.Key, n); err != nil {
			return 0, err
		}
	}
	s.dirty = true
	s.total.count -= total.count
	s.total.cut -= total.cut
	difference := new(apd.Decimal).Set(&s.total.sum)
	addTo(difference, &total.sum, true)
	s.total.sum.Set(difference)
	return total.count, s.rows.Clear(day, append(bytes.Clone(day), 0xff))
}

// collect copies the index of a day, at most as many rows as it keeps.
func (s *State) collect(day part) ([]Row, error) {
	from, to := day.index()
	var rows []Row
	for row, err := range s.rows.Scan(from, to, false) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, Row{bytes.Clone(row.Key[len(from):]), bytes.Clone(row.Value)})
	}
	return rows, nil
}
