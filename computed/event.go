package computed

import (
	"iter"
	"slices"

	"github.com/cockroachdb/apd/v3"

	"selfsame/profile"
)

// Event is one stored event. (Dataset, ID) names it.
type Event struct {
	Dataset  string
	ID       string
	Time     int64 // nanoseconds since the epoch
	Sequence int64 // decides between events of the same time
	Body     profile.Value
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
	key    []byte      // of its row in the index, nil without one
	value  []byte      // of a row by time: the value
}

func (a *Attribute) share(e *Event, r Reading) *share {
	s := &share{}
	if a.adds {
		numberOf(&s.number, r.value, a.value)
	}
	switch a.index {
	case byValue:
		s.key = appendValue([]byte{}, r.value, a.value) // not nil, also of an empty text
	case byTime:
		s.key = appendOrder(nil, e)
		// The first byte keeps the row of an empty text from being empty.
		s.value = appendValue([]byte{1}, r.value, a.value)
	}
	return s
}
