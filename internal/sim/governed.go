package sim

import (
	"fmt"
	"strings"
	"time"

	"selfsame/pipeline"
)

// governed makes a record of the governed world: those of the plain one, edits of arrays, members
// of the club, and what operators ask for.
func (w *workload) governed(now int64) made {
	switch n := w.rnd.IntN(50); {
	case n < 2:
		return w.broken(now)
	case n < 9:
		return w.crm(now)
	case n < 12:
		return w.crmChange(now)
	case n < 17:
		return w.edit(now)
	case n < 22:
		return w.shop(now)
	case n < 30:
		return w.club(now)
	case n < 42:
		return w.event(now)
	}
	return w.control(now)
}

// edit changes the tags of a customer, or tries to.
func (w *workload) edit(now int64) made {
	kind := []string{"append", "union", "remove"}[w.rnd.IntN(3)]
	path := "tags"
	tags := fmt.Sprintf(`["t%d","t%d"]`, w.rnd.IntN(9), w.rnd.IntN(9))
	switch w.rnd.IntN(30) {
	case 0:
		kind = "prepend"
	case 1:
		path = "name"
	case 2:
		path = "hat"
	case 3:
		tags = "null"
	case 4:
		tags = "[]"
	}
	m := made{"crm", value([]string{fmt.Sprintf(`"id":%q,"tags":%s,"at":%d`, w.person(), tags,
		w.at(now).UnixMilli())})}
	m.record.Headers = header("selfsame-array", path+"="+kind)
	return m
}

func (w *workload) club(now int64) made {
	fields := []string{fmt.Sprintf(`"no":%q`, w.person()),
		fmt.Sprintf(`"at":%d`, w.at(now).UnixMilli())}
	maybe := func(odds int, field string) {
		if w.rnd.IntN(odds) == 0 {
			fields = append(fields, field)
		}
	}
	maybe(2, fmt.Sprintf(`"email":%q`, w.email()))
	maybe(2, fmt.Sprintf(`"points":%d`, w.rnd.IntN(100)))
	maybe(3, fmt.Sprintf(`"name":"m%d"`, w.rnd.IntN(50)))
	maybe(3, fmt.Sprintf(`"tags":["b","t%d"]`, w.rnd.IntN(9)))
	cookies := w.rnd.IntN(3) == 0
	if cookies {
		fields = append(fields, fmt.Sprintf(`"cookies":[%q,%q]`, w.cookie(), w.cookie()))
	}
	m := made{"club", value(fields)}
	switch w.rnd.IntN(8) {
	case 0:
		m.record.Headers = header("selfsame-op", "delete")
	case 1:
		m.record.Headers = header("selfsame-op", "replace")
	case 2:
		if cookies {
			m.record.Headers = header("selfsame-array", "cookies=remove")
		}
	case 3:
		return made{"club", pipeline.Record{Key: []byte(w.person())}}
	}
	return m
}

// anyone is an identity as operators name it.
func (w *workload) anyone() string {
	switch w.rnd.IntN(3) {
	case 0:
		return "crm:" + w.person()
	case 1:
		return "email:" + w.email()
	}
	return "cookie:" + w.cookie()
}

// named are the identities that an operation speaks of: now and then those of an earlier one of its
// kind, so that operators change their minds.
func (w *workload) named(op string) string {
	ids := fmt.Sprintf("[%q]", w.anyone())
	switch op {
	case "delete_dataset", "remerge":
		return ""
	case "link", "forbid_link":
		ids = fmt.Sprintf("[%q,%q]", w.anyone(), w.anyone())
	case "delete_events":
		ids = fmt.Sprintf("[%q]", []string{"crm:" + w.person(),
			"cookie:" + w.cookie()}[w.rnd.IntN(2)])
	case "lift_delete":
		op = []string{"delete_profile", "erase"}[w.rnd.IntN(2)]
	}
	if w.spoken == nil {
		w.spoken = map[string]string{}
	}
	if before := w.spoken[op]; before != "" && w.rnd.IntN(3) == 0 {
		return before
	}
	w.spoken[op] = ids
	return ids
}

// control asks for something, or tries to.
func (w *workload) control(now int64) made {
	fields := []string{fmt.Sprintf(`"id":"o%d"`, w.rnd.IntN(100))}
	add := func(name, format string, args ...any) {
		fields = append(fields, fmt.Sprintf("%q:"+format, append([]any{name}, args...)...))
	}
	ops := []string{"link", "forbid_link", "link", "forbid_link", "unlink", "block_value",
		"block_value", "delete_profile", "delete_profile", "delete_fragment", "delete_events",
		"delete_events", "delete_dataset", "erase", "erase", "lift_delete", "lift_delete",
		"remerge"}
	op := ops[w.rnd.IntN(len(ops))]
	add("op", "%q", op)
	if ids := w.named(op); ids != "" {
		add("identities", "%s", ids)
	}
	records, all := []string{"crm", "shop", "club"}, []string{"crm", "shop", "club", "web", "app"}
	switch op {
	case "delete_fragment":
		add("dataset", "%q", records[w.rnd.IntN(3)])
	case "delete_dataset":
		add("dataset", "%q", all[w.rnd.IntN(5)])
	case "delete_events":
		add("dataset", "%q", all[3+w.rnd.IntN(2)])
		if w.rnd.IntN(2) == 0 {
			add("from", "%q", w.then(now).Format(time.RFC3339))
		}
		if w.rnd.IntN(2) == 0 {
			add("until", "%q", w.then(now).Format(time.RFC3339))
		}
	case "link", "forbid_link", "block_value":
		if w.rnd.IntN(3) == 0 {
			add("lift", "true")
		}
	case "erase":
		if w.rnd.IntN(4) == 0 {
			add("suppress", "true")
		}
	}
	if w.rnd.IntN(2) == 0 {
		add("time", "%q", w.then(now).Format(time.RFC3339))
	}
	return made{topicControl, w.spoilt(value(fields))}
}

// then is a time that an operator names: once retentions have ended, of now or of before.
func (w *workload) then(now int64) time.Time {
	if w.before != 0 && w.rnd.IntN(2) == 0 {
		return w.at(w.before - w.rnd.Int64N(int64(48*time.Hour)))
	}
	return w.at(now)
}

// spoilt makes some control records wrong.
func (w *workload) spoilt(r pipeline.Record) pipeline.Record {
	swap := func(old, other string) {
		r.Value = []byte(strings.Replace(string(r.Value), old, other, 1))
	}
	switch w.rnd.IntN(80) {
	case 0:
		swap("}", "")
	case 1:
		swap(`"op"`, `"opp"`)
	case 2:
		swap(`"op":"`, `"op":"x`)
	case 3:
		swap("crm:c1", "crm:guest")
	case 4:
		swap(`"time":"`, `"time":"x`)
	case 5:
		swap("cookie:", "phone:")
	}
	return r
}
