package identity

import (
	"strings"
	"testing"

	"selfsame/profile"
)

// FuzzHistory reads bytes as a history of assertions and removals, and compares every decision with
// the walk over all links. The first three bytes are the rules; then each step takes three: what
// and when, and two identities.
func FuzzHistory(f *testing.F) {
	f.Add([]byte("\x01\x00\x04\x10\x01\x21\x20\x02\x21"))
	f.Add([]byte("\x03\x02\x02abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
	f.Add([]byte("\x00\x01\x30" + strings.Repeat("\x01\x02\x03\xf1\x02\x03\x11\x22\x33", 12)))
	spaces := []string{"crm", "email", "phone", "cookie"}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 3 || len(data) > 300 {
			return
		}
		w := newWorld(t, "history", &oracle{
			order:  spaces,
			unique: map[string]bool{"crm": data[0]&1 > 0, "email": data[0]&2 > 0},
			limit:  map[string]int{"phone": int(data[1]%2) * 2, "cookie": int(data[1]%3) * 2},
			max:    4 + int(data[2]%47),
		})
		w.strict = true
		read := func(b byte) profile.Identity {
			value := string('a' + rune(b&3|b>>4&4))
			return profile.Identity{Namespace: spaces[b>>2&3], Value: value}
		}
		for data = data[3:]; len(data) >= 3; data = data[3:] {
			a, b, time := read(data[1]), read(data[2]), int64(data[0]&15)
			if b.Compare(a) < 0 {
				a, b = b, a
			}
			switch {
			case a == b:
				w.assert([]profile.Identity{a}, time)
			case data[0] >= 0xe0:
				w.retract([2]profile.Identity{a, b})
			default:
				w.assert([]profile.Identity{a, b}, time)
			}
		}
		v := w.check()
		w.checkReasons(v)
		w.checkPaths(v)
	})
}

func FuzzParseEvents(f *testing.F) {
	f.Add("crm:a ecid:1\n# said\n\n@-5 ecid:1 email:a@b:c\n")
	f.Add("@x")
	f.Add("crm")
	r := shop(f)
	f.Fuzz(func(t *testing.T, text string) {
		events, err := ParseEvents(text)
		if err != nil {
			if events != nil {
				t.Error("events and an error")
			}
			return
		}
		outcome, err := Simulate(r, events)
		if err != nil {
			t.Fatal(err)
		}
		back := make([]Event, 0, len(events))
		for i := range events {
			back = append(back, events[len(events)-1-i])
		}
		again, err := Simulate(r, back)
		if err != nil {
			t.Fatal(err)
		}
		if len(again.Clusters) != len(outcome.Clusters) ||
			len(again.LeftOut) != len(outcome.LeftOut) || again.Blocked != outcome.Blocked ||
			len(again.Rejected) != len(outcome.Rejected) {
			t.Errorf("backwards: %+v, not %+v", again, outcome)
		}
	})
}
