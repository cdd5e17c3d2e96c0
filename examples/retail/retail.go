package retail

import (
	"cmp"
	"embed"
	"io/fs"
	"iter"
	"slices"
	"time"
)

// Message is one record to be produced.
type Message struct {
	Dataset string // what it belongs to, also where its headers say otherwise
	Topic   string
	Key     []byte
	Value   []byte // nil is a tombstone
	Headers []Header
	Time    int64 // the Kafka timestamp, nanoseconds since the epoch, whole milliseconds
	// Expect is what has to become of it: "" where it is accepted, [Duplicate] where it is the
	// second copy of an event, else the reason code to be rejected with.
	Expect string
}

// Header is one header of a message.
type Header struct {
	Key   string
	Value []byte
}

// Duplicate is what [Message.Expect] says of the second copy of an event.
const Duplicate = "duplicate"

// Span is the time that [Generate] fills.
const Span = 30 * 24 * time.Hour

// The pace of [Stream]: somebody new comes by every streamGap and stays for streamLife, which makes
// three messages a second. After streamPeople the first one comes back.
const (
	streamGap    = 4 * time.Second
	streamLife   = 2 * time.Minute
	streamPeople = 2000
)

//go:embed selfsame.yaml
var config string

//go:embed schemas/*.avsc
var schemas embed.FS

// Config returns the configuration file, selfsame.yaml.
func Config() []byte { return []byte(config) }

// Schemas returns the files that the configuration names, as schemas/*.avsc.
func Schemas() fs.FS { return schemas }

// Generate returns the traffic of a number of people in the [Span] from start on, about twelve
// messages a person. Every reason code occurs from 40 people on.
func Generate(seed uint64, people int, start time.Time) []Message {
	s := newShop(seed)
	var all []Message
	for i := range people {
		who := s.person(i)
		begin := start.Add(Span / 4 * time.Duration(i%97) / 97)
		all = append(all, s.live(who, 0, begin, start.Add(Span))...)
	}
	sortByTime(all)
	return all
}

// Stream returns endless traffic from start on: about three messages for each second of Kafka time.
// Whoever produces them sets the pace.
func Stream(seed uint64, start time.Time) iter.Seq[Message] {
	return func(yield func(Message) bool) {
		s := newShop(seed)
		var pending []Message
		begin := start
		for i := 0; ; i++ {
			who, round := s.person(i%streamPeople), i/streamPeople
			pending = append(pending, s.live(who, round, begin, begin.Add(streamLife))...)
			sortByTime(pending)
			begin = begin.Add(streamGap)
			due := dueBefore(pending, begin)
			for _, m := range pending[:due] {
				if !yield(m) {
					return
				}
			}
			pending = slices.Delete(pending, 0, due)
		}
	}
}

// dueBefore counts the messages before a time that no later life can add to.
func dueBefore(sorted []Message, limit time.Time) int {
	n, _ := slices.BinarySearchFunc(sorted, limit.Truncate(time.Millisecond).UnixNano(),
		func(m Message, at int64) int { return cmp.Compare(m.Time, at) })
	return n
}

func sortByTime(messages []Message) {
	slices.SortStableFunc(messages, func(a, b Message) int { return cmp.Compare(a.Time, b.Time) })
}

// View returns a page view of a visitor who is not signed in.
func View(cookie, id string, at time.Time) Message {
	value := obj{"event_id": id, "at": at.UnixMilli(), "kind": "view", "cookie": cookie,
		"page": obj{"url": "https://shop.example/tea", "category": "tea", "product": "tea-100"}}
	return Message{Dataset: "web", Topic: "shop.events", Key: []byte(cookie), Value: value.json(),
		Time:    at.Truncate(time.Millisecond).UnixNano(),
		Headers: []Header{{Key: "selfsame-dataset", Value: []byte("web")}}}
}
