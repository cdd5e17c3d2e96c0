package sim

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// field is what the oracle knows of one field of a schema.
type field struct {
	kind     string // string, int, strings, millis, or address
	required bool
}

var address = map[string]field{"city": {kind: "string"}, "zip": {kind: "string"}}

// fields are the schemas in the oracle's words.
var fields = map[string]map[string]field{
	"crm": {
		"id": {"string", true}, "email": {kind: "string"}, "name": {kind: "string"},
		"age": {kind: "int"}, "rev": {kind: "int"}, "tags": {kind: "strings"},
		"address": {kind: "address"}, "at": {kind: "millis"},
	},
	"shop": {
		"mail": {"string", true}, "name": {kind: "string"}, "tier": {kind: "string"},
		"address": {kind: "address"}, "at": {kind: "millis"},
	},
	"web": {
		"event": {"string", true}, "crm": {kind: "string"}, "login": {kind: "string"},
		"cookie": {kind: "string"}, "cookies": {kind: "strings"}, "page": {kind: "string"},
		"amount": {kind: "int"}, "at": {kind: "string"},
	},
	"club": {
		"no": {"string", true}, "email": {kind: "string"}, "cookies": {kind: "strings"},
		"name": {kind: "string"}, "tags": {kind: "strings"}, "points": {kind: "int"},
		"at": {kind: "millis"},
	},
}

// judge reads one record: a fact, or the reason why it is none.
func judge(r *fed) (f *fact, reason string) {
	name, named := r.headers["selfsame-dataset"]
	f = &fact{dataset: r.topic, stamp: stamp{time: r.time, topic: r.topic, partition: r.partition,
		offset: r.offset}}
	if r.topic == "web" || named {
		f.dataset = name
		if r.topic == "web" && name != "web" && name != "app" || r.topic != "web" &&
			name != r.topic {
			return nil, "unknown_dataset"
		}
	}
	size := len(r.key) + len(r.value)
	for k, v := range r.headers {
		size += len(k) + len(v)
	}
	if size > recordBytes {
		return nil, "too_large"
	}
	event := r.topic == "web"
	if _, edits := r.headers["selfsame-array"]; edits && event {
		return nil, "bad_operation"
	}
	allowed := []string{"upsert", "replace", "delete"}
	f.op = map[string]string{"crm": "upsert", "shop": "replace", "web": "insert",
		"club": "upsert"}[r.topic]
	if event {
		allowed = []string{"insert", "delete"}
	}
	if op, given := r.headers["selfsame-op"]; given {
		f.op = op
	}
	if !slices.Contains(allowed, f.op) {
		return nil, "bad_operation"
	}
	if r.value == nil {
		return f, f.tombstone(r)
	}
	return f, f.read(r)
}

func (f *fact) tombstone(r *fed) string {
	if f.dataset != "crm" && f.dataset != "club" {
		return "bad_operation"
	}
	f.op = "delete"
	if reason := f.when(r, nil); reason != "" {
		return reason
	}
	return f.identify([]claim{{who{"crm", string(r.key)}, true}})
}

func (f *fact) read(r *fed) string {
	var doc map[string]any
	if json.Unmarshal(r.value, &doc) != nil || doc == nil {
		return "malformed"
	}
	if !conforms(doc, fields[r.topic], f.op == "replace" || f.op == "insert") {
		return "schema_violation"
	}
	if reason := f.when(r, doc); reason != "" {
		return reason
	}
	if r.topic == "web" {
		if f.event, _ = doc["event"].(string); f.event == "" {
			return "schema_violation"
		}
		if f.op == "delete" {
			return ""
		}
		if page, given := doc["page"].(string); given {
			f.page = &page
		}
		if amount, given := doc["amount"].(float64); given {
			f.amount = &amount
		}
	} else if f.op != "delete" {
		if reason := f.change(r, doc); reason != "" {
			return reason
		}
		f.say(r, doc)
	}
	for _, e := range f.edits {
		if e.kind == "remove" {
			delete(doc, e.path)
		}
	}
	f.edits = slices.DeleteFunc(f.edits, func(e edit) bool { return len(e.items) == 0 })
	return f.identify(claims(f.dataset, doc))
}

func conforms(doc map[string]any, schema map[string]field, whole bool) bool {
	for name, value := range doc {
		known, ok := schema[name]
		if !ok || !fits(value, known) {
			return false
		}
	}
	for name, known := range schema {
		if _, given := doc[name]; whole && known.required && !given {
			return false
		}
	}
	return true
}

func fits(value any, f field) bool {
	if value == nil {
		return !f.required
	}
	switch f.kind {
	case "string":
		_, ok := value.(string)
		return ok
	case "int", "millis":
		n, ok := value.(float64)
		return ok && n == float64(int64(n))
	case "strings":
		items, ok := value.([]any)
		return ok && !slices.ContainsFunc(items, func(item any) bool {
			return !fits(item, field{"string", true})
		})
	}
	object, ok := value.(map[string]any)
	return ok && conforms(object, address, false)
}

// when finds the record's time: by header, by its path, else Kafka's.
func (f *fact) when(r *fed, doc map[string]any) string {
	if rev, ok := doc["rev"].(float64); ok && f.dataset == "crm" {
		f.stamp.seq = int64(rev)
	}
	if text, given := r.headers["selfsame-time"]; given {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			f.stamp.time = n * 1e6
			return ""
		}
		return f.rfc3339(text)
	}
	switch at := doc["at"].(type) {
	case float64:
		f.stamp.time = int64(at) * 1e6
	case string:
		return f.rfc3339(at)
	}
	return ""
}

func (f *fact) rfc3339(text string) string {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return "bad_timestamp"
	}
	f.stamp.time = at.UnixNano()
	return ""
}

// change takes the edits of arrays out of the document. Identities in an array that is removed from
// are not asserted; all others are where they were.
func (f *fact) change(r *fed, doc map[string]any) (reason string) {
	text, edits := r.headers["selfsame-array"]
	if _, unsets := r.headers["selfsame-unset"]; f.op == "replace" && (edits || unsets) {
		return "bad_operation"
	}
	if !edits {
		return ""
	}
	for one := range strings.SplitSeq(text, ",") {
		path, kind, _ := strings.Cut(one, "=")
		if !slices.Contains([]string{"append", "remove", "union"}, kind) {
			return "bad_operation"
		}
		field, known := fields[r.topic][path]
		if !known {
			return "schema_violation"
		}
		items, written := doc[path].([]any)
		if field.kind != "strings" || !written || f.edited(path) {
			return "bad_operation"
		}
		f.edits = append(f.edits, edit{path, kind, items, f.stamp})
	}
	return ""
}

// edited reports whether the record edits the array at a path, or the array there is edited.
func (f *fact) edited(path string) bool {
	return slices.ContainsFunc(f.edits, func(e edit) bool { return e.path == path })
}

// say turns the document of a record into leaves under the paths of the union.
func (f *fact) say(r *fed, doc map[string]any) {
	f.leaves = map[string]any{}
	var walk func(prefix string, doc map[string]any)
	walk = func(prefix string, doc map[string]any) {
		for name, value := range doc {
			path := prefix + name
			if f.edited(path) {
				continue
			}
			if inner, ok := value.(map[string]any); ok {
				walk(path+".", inner)
				continue
			}
			switch {
			case value == nil && f.op == "replace":
				continue
			case path == "mail":
				path = "email"
			case path == "at" && value != nil:
				at := time.UnixMilli(int64(value.(float64))).UTC()
				value = at.Format("2006-01-02T15:04:05.000Z")
			}
			f.leaves[path] = value
		}
	}
	walk("", doc)
	for path := range strings.SplitSeq(r.headers["selfsame-unset"], ",") {
		if path = strings.TrimSpace(path); path != "" {
			f.leaves[path] = nil
		}
	}
}

// claim is an identity as a record carries it.
type claim struct {
	id      who
	primary bool
}

func claims(dataset string, doc map[string]any) []claim {
	var all []claim
	add := func(path, ns string, primary bool) {
		switch v := doc[path].(type) {
		case string:
			all = append(all, claim{who{ns, v}, primary})
		case []any:
			for _, item := range v {
				all = append(all, claim{who{ns, item.(string)}, primary})
			}
		}
	}
	switch dataset {
	case "crm":
		add("id", "crm", true)
		add("email", "email", false)
	case "shop":
		add("mail", "email", true)
	case "web":
		add("crm", "crm", false)
		add("login", "crm", false)
		add("cookie", "cookie", false)
		add("cookies", "cookie", false)
	case "app":
		add("cookie", "cookie", false)
	case "club":
		add("no", "crm", true)
		add("email", "email", false)
		add("cookies", "cookie", false)
	}
	return all
}

// identify settles the claims: those that count, and the primary one.
func (f *fact) identify(all []claim) string {
	var primaries []who
	for _, c := range all {
		id := normal(c.id)
		if id.value == "" || id.value == "guest" {
			continue
		}
		if !slices.Contains(f.all, id) {
			f.all = append(f.all, id)
		}
		if c.primary {
			primaries = append(primaries, id)
		}
	}
	var people []who
	for _, id := range f.all {
		if id.ns == "crm" {
			people = append(people, id)
		}
	}
	if len(people) > 1 {
		return "identity_conflict"
	}
	if f.event != "" {
		primaries = f.all
	}
	return f.choose(primaries)
}

// choose finds the primary identity.
func (f *fact) choose(primaries []who) string {
	if len(primaries) == 0 {
		return "missing_identity"
	}
	f.primary = slices.MinFunc(primaries, func(a, b who) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a.value, b.value)
	})
	return ""
}

// without leaves out identities whose values are none. A record needs its primary one, an event
// any.
func (f *fact) without(out func(id who) bool) string {
	if !slices.ContainsFunc(f.all, out) {
		return ""
	}
	f.all = slices.DeleteFunc(f.all, out)
	if f.event == "" && !out(f.primary) {
		return ""
	}
	if f.event == "" {
		return "missing_identity"
	}
	return f.choose(f.all)
}

// normal is an identity as it is compared.
func normal(id who) who {
	id.value = strings.TrimSpace(id.value)
	if id.ns == "email" {
		id.value = strings.ToLower(id.value)
	}
	return id
}
