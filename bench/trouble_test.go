package main

import (
	"encoding/json"
	"testing"
	"time"
)

func TestPlanOfTroubles(t *testing.T) {
	o := troubles{on: true, cookies: 100, visitors: 200, pairs: 4, events: 60, deleted: 1,
		rate: 50, quiet: 2 * time.Second}
	if err := o.check(); err != nil {
		t.Fatal(err)
	}
	phases := o.plan()
	at, calm := warmUp, 0
	for _, p := range phases {
		if p.begin != at || p.end <= p.begin {
			t.Errorf("%s goes from %v to %v, want it from %v on", p.name, p.begin, p.end, at)
		}
		if p.name == quiet && p.records == 0 && p.end-p.begin == o.quiet {
			calm++
		}
		at = p.end
	}
	if calm != 6 || len(phases) != 11 {
		t.Errorf("%d quiet phases among %d, want 6 among 11", calm, len(phases))
	}
	if storm := phases[3]; storm.rate() != o.rate || storm.records != o.cookies {
		t.Errorf("the storm has %d records, %g per second", storm.records, storm.rate())
	}
	o.events = identitiesMax - 1
	if err := o.check(); err == nil {
		t.Error("people with fewer events than identities are taken")
	}
}

// identitiesOf lists the identities of a trouble's event.
func identitiesOf(t *testing.T, m message) []string {
	t.Helper()
	var event struct {
		ID     string `json:"event_id"`
		Cookie string
		User   struct {
			Customer string `json:"customer_id"`
			Email    string
		}
	}
	if err := json.Unmarshal(m.value, &event); err != nil || event.ID == "" {
		t.Fatalf("event %s: %v", m.value, err)
	}
	var ids []string
	for _, id := range []string{event.User.Customer, event.User.Email, event.Cookie} {
		if id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

func TestPairsAreAtTheCap(t *testing.T) {
	const events = 70
	tm := &turmoil{series: &series{plan: &plan{trouble: troubles{events: events}}}}
	owners := map[string]int{} // of an identity, which half of which pair
	for half := range 4 {
		mine := map[string]bool{}
		for n := range events {
			for _, id := range identitiesOf(t, tm.earlier(half*events+n, time.Now())) {
				mine[id] = true
				if owner, known := owners[id]; known && owner != half {
					t.Fatalf("halves %d and %d share %s", owner, half, id)
				}
				owners[id] = half
			}
		}
		if len(mine) != identitiesMax {
			t.Errorf("half %d has %d identities, want %d", half, len(mine), identitiesMax)
		}
	}
	for pair := range 2 {
		ids := identitiesOf(t, joinPair(pair, time.Now()))
		if len(ids) != 2 || owners[ids[0]] != 2*pair || owners[ids[1]] != 2*pair+1 {
			t.Errorf("pair %d is joined by %v", pair, ids)
		}
	}
}

func TestTroublesAreWhatTheyClaim(t *testing.T) {
	all, err := codecs("avro")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"storm": 101, "kiosk": 201} {
		make := map[string]func(int, time.Time) message{"storm": storm, "kiosk": kiosk}[name]
		met := map[string]int{}
		for n := range 100 {
			m := make(n, time.Now())
			for _, id := range identitiesOf(t, m) {
				met[id]++
			}
			if err := m.encode(all); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		shared := 0
		for _, n := range met {
			if n == 100 {
				shared++
			}
		}
		if shared != 1 || len(met) != want {
			t.Errorf("%s: %d identities, %d of them in all events; want %d and 1", name, len(met),
				shared, want)
		}
	}
}

func TestNothingIsDroppedInSilence(t *testing.T) {
	sound := mark{Positions: 10, Consumed: 10, Accepted: 10, JobsDone: 1}
	for name, change := range map[string]func(m *mark, f *figures){
		"not read":     func(m *mark, _ *figures) { m.Positions = 9 },
		"not consumed": func(m *mark, _ *figures) { m.Consumed, m.Accepted = 9, 9 },
		"no outcome":   func(m *mark, _ *figures) { m.Accepted = 9 },
		"superseded":   func(m *mark, _ *figures) { m.Accepted, m.Superseded = 9, 1 },
		"not deleted":  func(m *mark, _ *figures) { m.JobsDone = 0 },
		"a problem":    func(_ *mark, f *figures) { f.Problems = 1 },
		"":             func(*mark, *figures) {},
	} {
		last, f := sound, figures{}
		change(&last, &f)
		f.Marks = []mark{{}, last}
		err := (&turmoil{sent: 10, got: f}).verify()
		if (err == nil) != (name == "") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
