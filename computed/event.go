package computed

import (
	"iter"
	"slices"

	"github.com/cockroachdb/apd/v3"

	"selfsame/profile"
)

// Event is one stored event. (Dataset, ID) names it. It is not changed once it was read.
type Event struct {
	Dataset  string
	ID       string
	Time     int64 // nanoseconds since the epoch
	Sequence int64 // decides between events of the same time
	Body     profile.Value

	seen *variables // what filters have seen of it; nil where none has looked
}

// Events are the stored events of one identity, as they are after the change that is being made.
type Events interface {
	// Within yields the events of a span by time, in any order at the same time. It may leave out
	// datasets that no attribute reads. It stops after an error, a fault of the store.
	Within(s Span) iter.Seq2[*Event, error]
}

// Reading is what one attribute makes of one event.
type Reading struct {
	// Counts says that the event contributes: it is of a dataset of the attribute, the filter lets
	// it through, and there is a value where one is asked for.
	Counts bool
	// Absent says that the filter met a field that the event does not have, or failed otherwise; it
	// is false then.
	Absent bool
	// Unusable says that the value is there, but is no number, infinite, or over [MaxValueBytes].
	Unusable bool

	value profile.Value
}

// Read evaluates the filter and the value of an attribute on an event. What it says depends on the
// event alone.
func (a *Attribute) Read(e *Event) Reading {
	if _, ours := slices.BinarySearch(a.datasets, e.Dataset); !ours {
		return Reading{}
	}
	if a.filter != nil {
		pass, ok := a.filter.passes(e)
		if !pass || !ok {
			return Reading{Absent: !ok}
		}
	}
	if a.value == nil {
		return Reading{Counts: true}
	}
	v := e.Body.At(a.path)
	if v.IsNull() {
		return Reading{}
	}
	if a.def.Function == Count {
		return Reading{Counts: true}
	}
	v, ok := usable(v, a.value)
	return Reading{Counts: ok, Unusable: !ok, value: v}
}

// share is what an event that counts adds to a part.
type share struct {
	number apd.Decimal // of a function that adds
	row    []byte      // the stored key of its row in the index of the whole, nil without one
	key    []byte      // the same without prefix, not nil
	value  []byte      // of a row by time: the value
}

// share is made anew for each event, so that what is kept of it need not be copied.
func (a *Attribute) share(e *Event, r Reading) share {
	var s share
	if a.adds {
		numberOf(&s.number, r.value, a.value)
	}
	switch a.index {
	case byValue:
		row := append(make([]byte, 0, 1+len(r.value.AsText())+8), spaceIndex)
		s.row = appendValue(row, r.value, a.value)
	case byTime:
		row := append(make([]byte, 0, 1+16+len(e.Dataset)+2+len(e.ID)), spaceIndex)
		s.row = appendOrder(row, e)
		// The first byte keeps the row of an empty text from being empty.
		value := append(make([]byte, 0, 1+len(r.value.AsText())+8), 1)
		s.value = appendValue(value, r.value, a.value)
	default:
		return s
	}
	s.key = s.row[1:]
	return s
}
