package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"selfsame/pipeline"
)

// workload makes records about a few people: they share cookies and mailboxes, contradict each
// other, come late, come twice, and some are wrong.
type workload struct {
	world World
	rnd   *rand.Rand
	left  int
	past  []made // for copies

	before int64 // when retentions ended; 0 where they have not

	spoken map[string]string // by operation: the identities that it was about
}

// made is a record and where it goes.
type made struct {
	topic  string
	record pipeline.Record
}

// next makes one record. now is the clock of the brokers.
func (w *workload) next(now int64) made {
	w.left--
	if len(w.past) > 0 && w.rnd.IntN(10) == 0 {
		again := w.past[w.rnd.IntN(len(w.past))] // a producer's repetition is a record of its own
		again.record.Time = now
		return again
	}
	m := w.fresh(now)
	m.record.Time = now
	if w.rnd.IntN(12) == 0 { // a broker whose clock is elsewhere
		m.record.Time += (w.rnd.Int64N(20) - 10) * int64(time.Minute)
	}
	w.past = append(w.past, m)
	return m
}

func (w *workload) fresh(now int64) made {
	if w.world >= Governed {
		return w.governed(now)
	}
	switch n := w.rnd.IntN(40); {
	case n < 2:
		return w.broken(now)
	case n < 12:
		return w.crm(now)
	case n < 16:
		return w.crmChange(now)
	case n < 22:
		return w.shop(now)
	}
	return w.event(now)
}

// at is a record time: mostly recent, with ties, now and then too old or too far ahead. None is so
// near to its retention that it ends during a run: that is a matter of the clock, and not of the
// set of records, which is all that the oracle knows.
func (w *workload) at(now int64) time.Time {
	minutes := w.rnd.IntN(90)
	switch w.rnd.IntN(40) {
	case 0:
		minutes = -w.rnd.IntN(20)
	case 1:
		minutes = 60 * 24 * (31 + w.rnd.IntN(5))
	}
	return time.Unix(0, now).UTC().Truncate(time.Minute).Add(-time.Duration(minutes) * time.Minute)
}

func (w *workload) person() string { return fmt.Sprintf("c%d", w.rnd.IntN(6)) }
func (w *workload) cookie() string { return fmt.Sprintf("k%d", w.rnd.IntN(7)) }

func (w *workload) email() string {
	address := fmt.Sprintf("p%d@x.org", w.rnd.IntN(7))
	if w.rnd.IntN(4) == 0 {
		return " " + strings.ToUpper(address)
	}
	return address
}

func (w *workload) crm(now int64) made {
	fields := []string{fmt.Sprintf(`"id":%q`, w.person())}
	maybe := func(odds int, field string) {
		if w.rnd.IntN(odds) == 0 {
			fields = append(fields, field)
		}
	}
	maybe(2, fmt.Sprintf(`"email":%q`, w.email()))
	maybe(2, fmt.Sprintf(`"name":"n%d"`, w.rnd.IntN(100)))
	maybe(3, fmt.Sprintf(`"age":%d`, w.rnd.IntN(100)))
	maybe(3, fmt.Sprintf(`"rev":%d`, w.rnd.IntN(3)))
	maybe(4, fmt.Sprintf(`"tags":["a","t%d"]`, w.rnd.IntN(9)))
	maybe(4, fmt.Sprintf(`"address":{"city":"x%d","zip":"%d"}`, w.rnd.IntN(9), w.rnd.IntN(9)))
	maybe(8, `"tags":[]`)
	if w.rnd.IntN(6) > 0 {
		fields = append(fields, fmt.Sprintf(`"at":%d`, w.at(now).UnixMilli()))
	}
	m := made{"crm", value(dedupe(fields))}
	if w.rnd.IntN(8) == 0 {
		m.record.Headers = header("selfsame-time", w.at(now).Format(time.RFC3339))
	}
	return m
}

// dedupe keeps the first field of each name.
func dedupe(fields []string) []string {
	var kept []string
	seen := map[string]bool{}
	for _, f := range fields {
		name, _, _ := strings.Cut(f, ":")
		if !seen[name] {
			seen[name] = true
			kept = append(kept, f)
		}
	}
	return kept
}

// crmChange takes something away.
func (w *workload) crmChange(now int64) made {
	id, at := w.person(), w.at(now).UnixMilli()
	switch w.rnd.IntN(6) {
	case 0:
		return made{"crm", value([]string{fmt.Sprintf(`"id":%q,"name":null,"at":%d`, id, at)})}
	case 1:
		return made{"crm", value([]string{fmt.Sprintf(`"id":%q,"address":null,"at":%d`, id, at)})}
	case 2:
		m := made{"crm", value([]string{fmt.Sprintf(`"id":%q,"age":7,"at":%d`, id, at)})}
		m.record.Headers = header("selfsame-unset", "address.city, tags")
		return m
	case 3:
		m := made{"crm", value([]string{fmt.Sprintf(`"id":%q,"name":"r","at":%d`, id, at)})}
		m.record.Headers = header("selfsame-op", "replace")
		return m
	case 4:
		m := made{"crm", value([]string{fmt.Sprintf(`"id":%q,"at":%d`, id, at)})}
		m.record.Headers = header("selfsame-op", "delete")
		return m
	}
	return made{"crm", pipeline.Record{Key: []byte(id)}}
}

func (w *workload) shop(now int64) made {
	fields := []string{
		fmt.Sprintf(`"mail":%q`, w.email()), fmt.Sprintf(`"tier":"t%d"`, w.rnd.IntN(5)),
		fmt.Sprintf(`"name":"s%d"`, w.rnd.IntN(50)), fmt.Sprintf(`"at":%d`, w.at(now).UnixMilli()),
	}
	if w.rnd.IntN(2) == 0 {
		fields = append(fields, fmt.Sprintf(`"address":{"city":"y%d"}`, w.rnd.IntN(9)))
	}
	m := made{"shop", value(fields)}
	switch w.rnd.IntN(6) {
	case 0:
		m.record.Headers = header("selfsame-op", "delete")
	case 1:
		m.record.Headers = header("selfsame-op", "upsert")
	}
	return m
}

func (w *workload) event(now int64) made {
	fields := []string{fmt.Sprintf(`"event":"e%d"`, w.rnd.IntN(60)),
		fmt.Sprintf(`"at":%q`, w.at(now).Format(time.RFC3339))}
	dataset := "app"
	if w.rnd.IntN(4) > 0 {
		dataset = "web"
		switch w.rnd.IntN(4) {
		case 0:
			fields = append(fields, fmt.Sprintf(`"crm":%q`, w.person()))
		case 1:
			fields = append(fields, fmt.Sprintf(`"login":%q`, w.person()))
		case 2:
			fields = append(fields, fmt.Sprintf(`"cookies":[%q,%q]`, w.cookie(), w.cookie()))
		}
	}
	fields = append(fields, fmt.Sprintf(`"cookie":%q,"page":"/p%d"`, w.cookie(), w.rnd.IntN(9)))
	if w.world >= Counted && w.rnd.IntN(4) > 0 {
		fields = append(fields, fmt.Sprintf(`"amount":%d`, w.rnd.IntN(60)))
	}
	m := made{"web", value(fields)}
	m.record.Headers = header("selfsame-dataset", dataset)
	if w.rnd.IntN(12) == 0 {
		m.record.Headers = append(m.record.Headers, header("selfsame-op", "delete")...)
	}
	return m
}

// broken makes a record that has to be rejected.
func (w *workload) broken(now int64) made {
	at := w.at(now).UnixMilli()
	event := header("selfsame-dataset", "web")
	switch w.rnd.IntN(12) {
	case 0:
		return made{"crm", pipeline.Record{Value: []byte(`{"id":`)}}
	case 1:
		return made{"crm", value([]string{fmt.Sprintf(`"id":"c1","hat":"red","at":%d`, at)})}
	case 2:
		return made{"crm", value([]string{fmt.Sprintf(`"id":"c1","age":"old","at":%d`, at)})}
	case 3:
		return made{"crm", value([]string{fmt.Sprintf(`"id":"guest","at":%d`, at)})}
	case 4:
		return made{"web", pipeline.Record{Value: []byte(`{"event":"e1","cookie":"k1"}`)}}
	case 5:
		m := made{"crm", value([]string{fmt.Sprintf(`"id":"c1","at":%d`, at)})}
		m.record.Headers = header("selfsame-op", "insert")
		return m
	case 6:
		m := made{"crm", value([]string{`"id":"c1"`})}
		m.record.Headers = header("selfsame-time", "yesterday")
		return m
	case 7:
		return made{"web", with(event, `{"event":"e1","crm":"c1","login":"c2"}`)}
	case 8:
		return made{"web", with(event, `{"event":"","cookie":"k1"}`)}
	case 9:
		return made{"shop", value([]string{fmt.Sprintf(`"tier":"t1","at":%d`, at)})}
	case 10:
		long := strings.Repeat("c", recordBytes)
		return made{"crm", value([]string{fmt.Sprintf(`"id":%q`, long)})}
	}
	return made{"shop", pipeline.Record{Key: []byte("p1@x.org")}}
}

func value(fields []string) pipeline.Record {
	return pipeline.Record{Value: []byte("{" + strings.Join(fields, ",") + "}")}
}

func with(headers []pipeline.Header, text string) pipeline.Record {
	return pipeline.Record{Headers: headers, Value: []byte(text)}
}

func header(key, text string) []pipeline.Header {
	return []pipeline.Header{{Key: key, Value: []byte(text)}}
}
