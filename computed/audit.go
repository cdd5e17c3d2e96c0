package computed

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// Audit holds what is stored of an attribute of an identity to the law of a [State]: its totals and
// its index are those of the stored events in its span and of the folded days. The state is not
// built again: indexes are compared by the sums of the hashes of their rows, each as often as there
// are events that have it. So an audit needs the same little memory whatever there is, and what it
// overlooks is one error in 2^64.
//
// What is wrong is told in words that hold no value and name no identity.
type Audit struct {
	attribute *Attribute
	rows      Rows
	total     *summary // as stored; nil: nothing is
	sum       tally    // of the events in the span, and of the folded days
	oldest    int64    // time of the first event in the span that counts; Never without one
	outside   bool     // events count that are not in the span
	cut       int64    // folded days that have left out values
	wrong     []string
}

// tally is what a set of events comes to.
type tally struct {
	count  int64
	number apd.Decimal
	index  uint64
	rows   int64 // of an index that was read
}

// Audit begins one of what lies in rows. Tell it every stored event of the identity, then ask for
// its Findings.
func (a *Attribute) Audit(rows Rows) (*Audit, error) {
	x := &Audit{attribute: a, rows: rows, oldest: Never}
	raw, err := rows.Get([]byte(SummaryKey))
	if err != nil || raw == nil {
		return x, err
	}
	if x.total, err = readSummary(raw); err != nil {
		x.fail("its summary does not decode")
	}
	return x, nil
}

func (x *Audit) fail(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(x.wrong, text) {
		x.wrong = append(x.wrong, text)
	}
}

// Event tells of a stored event, whether it counts or not, in any order.
func (x *Audit) Event(e *Event) {
	r := x.attribute.Read(e)
	switch {
	case !r.Counts:
		return
	case x.total == nil || !x.total.span.Contains(e.Time):
		x.outside = true
		return
	}
	x.oldest = min(x.oldest, e.Time)
	c := x.attribute.share(e, r)
	x.sum.count++
	if x.attribute.adds {
		addTo(&x.sum.number, &c.number, false)
	}
	if c.key != nil {
		x.sum.index += rowHash(c.key, c.value)
	}
}

// rowHash is the hash of a row of an index; one by value counts its events, which are no part of
// it.
func rowHash(key, value []byte) uint64 {
	h := fnv.New64a()
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(key)))
	for _, part := range [][]byte{length[:], key, value} {
		_, _ = h.Write(part) // it never fails
	}
	return h.Sum64()
}

// Findings lists what is wrong. wake is when the state is looked at next, [Never] if no timer is
// set. An error is one of reading.
func (x *Audit) Findings(wake int64) ([]string, error) {
	if x.total == nil {
		if x.outside && x.attribute.Lifetime() {
			x.fail("it keeps nothing, and there are events that count")
		}
		return x.wrong, nil
	}
	stored, err := x.index(part(nil))
	if err != nil {
		return nil, err
	}
	if err := x.days(); err != nil {
		return nil, err
	}
	if x.total.count != x.sum.count {
		x.fail("it is made of %d events, and %d count", x.total.count, x.sum.count)
	}
	if x.total.sum.Cmp(&x.sum.number) != 0 {
		x.fail("its sum is not that of its events")
	}
	if stored.index != x.sum.index {
		x.fail("its index is not that of its events")
	}
	if x.total.rows != stored.rows {
		x.fail("its index has %d rows, it says %d", stored.rows, x.total.rows)
	}
	if x.total.cut != x.cut {
		x.fail("%d of its folded days have left out values, it says %d", x.cut, x.total.cut)
	}
	x.timer(wake)
	return x.wrong, nil
}

// timer: what is to change by itself is waited for. Of a rolling window events that are still to
// come are not looked at, since nothing says how late it is.
func (x *Audit) timer(wake int64) {
	s := &State{attribute: x.attribute, total: *x.total}
	due := int64(Never)
	switch w := x.attribute.window; {
	case w.kind == lifetime:
		if x.outside && wake == Never {
			x.fail("events count that it has not come to, and no timer is set")
		}
	case x.oldest == Never || !s.whole():
	case w.kind == rolling:
		due = w.leaves(x.oldest)
	default:
		due = x.total.span.To
	}
	if wake > due {
		x.fail("its value changes before its timer")
	}
}

// index reads the index of a part.
func (x *Audit) index(p part) (tally, error) {
	var t tally
	from, to := p.index()
	for row, err := range x.rows.Scan(from, to, false) {
		if err != nil {
			return t, err
		}
		x.row(&t, row.Key[len(from):], row.Value)
	}
	return t, nil
}

// row takes in a row of an index.
func (x *Audit) row(t *tally, key, value []byte) {
	a, n := x.attribute, int64(1)
	var err error
	switch a.index {
	case byValue:
		if n, err = readCount(value); err == nil {
			_, err = readValue(key, a.value)
		}
		value = nil
	case byTime:
		if len(value) == 0 || value[0] != 1 {
			err = errRow
		} else {
			_, err = readValue(value[1:], a.value)
		}
	default:
		err = errRow
	}
	if err != nil {
		x.fail("a row of its index does not decode")
		return
	}
	t.rows++
	t.count += n
	t.index += uint64(n) * rowHash(key, value)
}

// foldedDay is a folded day as its rows are read, the index before the totals.
type foldedDay struct {
	part    part
	dataset string
	day     int64
	index   tally
	total   *summary
}

// days adds the folded days.
func (x *Audit) days() error {
	var at *foldedDay
	for row, err := range x.rows.Scan([]byte{spaceDay}, []byte{spaceDay + 1}, false) {
		if err != nil {
			return err
		}
		next := cutDay(row.Key)
		if next == nil {
			x.fail("the key of a row of a folded day does not decode")
			continue
		}
		if at == nil || !bytes.Equal(at.part, next.part) {
			x.day(at)
			at = next
		}
		x.dayRow(at, row.Key[len(at.part):], row.Value)
	}
	x.day(at)
	return nil
}

// cutDay reads of which day a row is, nil where its key is none of a day.
func cutDay(key []byte) *foldedDay {
	dataset, rest, ok := cutText(key[1:])
	dataset, _, _ = strings.Cut(dataset, eraMark)
	day, err := readTime(rest)
	if !ok || err != nil || len(rest) == 8 {
		return nil
	}
	return &foldedDay{part: bytes.Clone(key[:len(key)-len(rest)+8]), dataset: dataset, day: day}
}

// cutText reads what appendText wrote.
func cutText(src []byte) (text string, rest []byte, ok bool) {
	var out []byte
	for i := 0; i+1 < len(src); i++ {
		switch {
		case src[i] != 0:
			out = append(out, src[i])
		case src[i+1] == 1:
			return string(out), src[i+2:], true
		default:
			out = append(out, 0)
			i++
		}
	}
	return "", nil, false
}

func (x *Audit) dayRow(d *foldedDay, tail, value []byte) {
	switch {
	case tail[0] == spaceSummary && len(tail) == 1:
		total, err := readSummary(value)
		if err != nil {
			x.fail("the totals of a folded day do not decode")
			return
		}
		d.total = total
	case tail[0] == spaceIndex:
		x.row(&d.index, tail[1:], value)
		if x.attribute.index == byTime && !ofDay(d, tail[1:]) {
			x.fail("a folded day has an event of another")
		}
	default:
		x.fail("a row of a folded day is of no known kind")
	}
}

// ofDay reports whether a row by time is of an event of a dataset and day.
func ofDay(d *foldedDay, key []byte) bool {
	at, err := readTime(key)
	if err != nil || Day(at) != d.day || len(key) < 16 {
		return false
	}
	dataset, _, ok := cutText(key[16:])
	return ok && dataset == d.dataset
}

// day ends a folded day, nil: there was none.
func (x *Audit) day(d *foldedDay) {
	switch {
	case d == nil:
		return
	case d.total == nil:
		x.fail("a folded day has no totals")
		return
	}
	a := x.attribute
	if !a.Lifetime() || !slices.Contains(a.datasets, d.dataset) {
		x.fail("it has folded days of dataset %q, and may not", d.dataset)
	}
	full := a.index != noIndex && d.index.rows == int64(a.keeps)
	if d.index.rows != d.total.rows || d.index.rows > int64(a.keeps) ||
		d.index.count > d.total.count ||
		a.index != noIndex && !full && d.index.count < d.total.count {
		x.fail("a folded day has %d rows of %d events, it says %d of %d", d.index.rows,
			d.index.count, d.total.rows, d.total.count)
	}
	if d.total.cut > 1 || d.total.cut == 1 && !(a.distinct && full) {
		x.fail("a folded day has left out values, and had no need to")
	}
	x.sum.count += d.total.count
	x.sum.index += d.index.index
	x.cut += d.total.cut
	addTo(&x.sum.number, &d.total.sum, false)
}
