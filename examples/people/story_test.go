package people

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"selfsame/pipeline"
	"selfsame/profile"
)

// sentence is a line of a story, taken apart.
type sentence struct {
	words []string // before the JSON
	value string   // the JSON, "" without one
	after string   // behind it
}

func parse(line string) sentence {
	from, to := strings.Index(line, " {"), strings.LastIndex(line, "}")
	if from < 0 || to < from {
		return sentence{words: strings.Fields(line)}
	}
	return sentence{words: strings.Fields(line[:from]), value: line[from+1 : to+1],
		after: squeeze(line[to+1:])}
}

// policy takes the word "policy=NAME" out of the sentence.
func (s *sentence) policy() string {
	for i, word := range s.words {
		if name, ok := strings.CutPrefix(word, "policy="); ok {
			s.words = slices.Delete(s.words, i, i+1)
			return name
		}
	}
	return ""
}

// tell plays a line of a story and compares what it says with what is so.
func (w *world) tell(line string, below []string) {
	w.t.Helper()
	s := parse(line)
	policy := s.policy()
	if s.words[0] != ">" && len(w.shown) > 0 {
		w.nothingUnsaid()
	}
	switch s.words[0] {
	case "=":
		w.tellProfile(&s, policy)
	case ">":
		w.tellOutput(&s, policy)
	case "?":
		w.tellWhy(&s, policy, below)
	case "same":
		w.tellSame(&s)
	case "audit":
		w.tellAudit(&s)
	case "preview":
		w.tellPreview(&s, below)
	case "wait":
		w.wait(s.words[1])
	default:
		w.tellRecord(&s)
	}
}

// tellRecord sends a record, and compares what becomes of it.
func (w *world) tellRecord(s *sentence) {
	w.t.Helper()
	r, want := w.record(s)
	if got := w.send(s.words[0], r); got != want {
		w.t.Errorf("%s: %s, want %s", w.at, got, want)
	}
}

// record makes the record of a sentence, and says what is to become of it.
func (w *world) record(s *sentence) (r pipeline.Record, want string) {
	w.t.Helper()
	r.Value = []byte(s.value)
	headers, want := s.words[1:], s.after
	if s.value == "" { // DATASET KEY null [OUTCOME]
		at := slices.Index(headers, "null")
		if at < 1 {
			w.t.Fatalf("%s: neither a record nor a tombstone", w.at)
		}
		r.Value, r.Key = nil, []byte(headers[at-1])
		headers, want = headers[:at-1], strings.Join(headers[at+1:], " ")
	}
	for _, header := range headers {
		key, value, ok := strings.Cut(header, "=")
		if !ok {
			w.t.Fatalf("%s: no header: %s", w.at, header)
		}
		r.Headers = append(r.Headers, pipeline.Header{Key: key, Value: []byte(value)})
	}
	return r, cmp.Or(want, "accepted")
}

// tellProfile compares the attributes of a merged profile.
func (w *world) tellProfile(s *sentence, policy string) {
	w.t.Helper()
	answer, err := w.lookup().Find(w.query(s.words[1], policy))
	must(w.t, err)
	if answer == nil {
		w.compare(strings.Join(append(s.words[2:], s.value), ""), "nothing")
		return
	}
	var shown struct{ Attributes json.RawMessage }
	must(w.t, unmarshal(answer.JSON(false), &shown))
	w.compare(cmp.Or(s.value, strings.Join(s.words[2:], " ")), string(shown.Attributes))
}

// tellOutput compares the next record of a policy's topic. Lines that follow each other tell all
// that was written there.
func (w *world) tellOutput(s *sentence, policy string) {
	w.t.Helper()
	topic := w.topics[policy]
	if topic == "" {
		w.t.Fatalf("%s: no policy %s", w.at, policy)
	}
	if _, begun := w.shown[topic]; !begun {
		w.shown[topic] = w.unread(topic)
	}
	got := "nothing"
	if next := w.shown[topic]; len(next) > 0 {
		got = w.render(&next[0])
		w.shown[topic] = next[1:]
	}
	want := squeeze(strings.Join(append(s.words[1:], s.value), " "))
	name, value, ok := strings.Cut(got, " {")
	if ok && s.value != "" && name == s.words[1] {
		w.compare(s.value, "{"+value)
	} else if got != want {
		w.t.Errorf("%s: got %s, want %s", w.at, got, want)
	}
}

// render shows a record of a profile topic as a story does.
func (w *world) render(r *pipeline.Record) string {
	if r.Value == nil {
		into, _ := r.Header(pipeline.HeaderMergedInto)
		if len(into) > 0 {
			return w.alias(string(r.Key)) + " ends in " + w.alias(string(into))
		}
		return w.alias(string(r.Key)) + " ends"
	}
	var shown struct{ Attributes json.RawMessage }
	must(w.t, unmarshal(r.Value, &shown))
	return w.alias(string(r.Key)) + " " + string(shown.Attributes)
}

// nothingUnsaid makes sure that the lines about a topic have told everything.
func (w *world) nothingUnsaid() {
	w.t.Helper()
	for topic, left := range w.shown {
		for i := range left {
			w.t.Errorf("%s: before this, %s got also %s", w.at, topic, w.render(&left[i]))
		}
	}
	clear(w.shown)
}

// tellWhy compares what was said of an attribute, what stands first.
func (w *world) tellWhy(s *sentence, policy string, below []string) {
	w.t.Helper()
	x, err := w.lookup().ExplainProfile(w.query(s.words[1], policy),
		profile.ParsePath(s.words[2]))
	must(w.t, err)
	var got []string
	if x != nil {
		for _, a := range x.Attributes {
			for _, said := range a.Statements {
				got = append(got, squeeze(fmt.Sprintf("%s %s %s %s:%s",
					cmp.Or(string(said.Value), "unset "+said.Unset), said.Reason, said.Dataset,
					said.Identity.Namespace, said.Identity.Value)))
			}
		}
	}
	if !slices.Equal(got, below) {
		w.t.Errorf("%s: got\n%s\nwant\n%s", w.at, strings.Join(got, "\n"),
			strings.Join(below, "\n"))
	}
}

// tellPreview compares what another policy would change of a profile.
func (w *world) tellPreview(s *sentence, below []string) {
	w.t.Helper()
	q := pipeline.PreviewQuery{Class: "profile", Identity: s.words[1]}
	must(w.t, unmarshal([]byte(s.value), &q.Policy))
	p, err := w.lookup().Preview(q)
	must(w.t, err)
	var got []string
	for i := range p.Profiles {
		for _, a := range p.Profiles[i].Attributes {
			got = append(got, squeeze(fmt.Sprintf("%s %s -> %s", a.Path,
				cmp.Or(string(a.Old), "absent"), cmp.Or(string(a.New), "absent"))))
		}
	}
	if !slices.Equal(got, below) {
		w.t.Errorf("%s: got\n%s\nwant\n%s", w.at, strings.Join(got, "\n"),
			strings.Join(below, "\n"))
	}
}

// tellSame compares all identities of a profile.
func (w *world) tellSame(s *sentence) {
	w.t.Helper()
	answer, err := w.lookup().Find(w.query(s.words[1], ""))
	must(w.t, err)
	if answer == nil {
		w.t.Fatalf("%s: nothing is known", w.at)
	}
	var shown struct{ Identities map[string][]string }
	must(w.t, unmarshal(answer.JSON(false), &shown))
	var got []string
	for namespace, values := range shown.Identities {
		for _, value := range values {
			got = append(got, namespace+":"+value)
		}
	}
	slices.Sort(got)
	if want := slices.Sorted(slices.Values(s.words[1:])); !slices.Equal(got, want) {
		w.t.Errorf("%s: got %v, want %v", w.at, got, want)
	}
}

// tellAudit compares fields of the next record of the audit topic.
func (w *world) tellAudit(s *sentence) {
	w.t.Helper()
	topic := w.model.AuditTopic
	records := w.records(topic)
	if w.read[topic] == len(records) {
		w.t.Fatalf("%s: nothing more was audited", w.at)
	}
	var got, want map[string]any
	must(w.t, unmarshal(records[w.read[topic]].Value, &got))
	must(w.t, unmarshal([]byte(s.value), &want))
	w.read[topic]++
	for key := range want {
		if !reflect.DeepEqual(got[key], want[key]) {
			w.t.Errorf("%s: %s: got %v, want %v", w.at, key, got[key], want[key])
		}
	}
}

// wait lets time pass, and works off what is due.
func (w *world) wait(by string) {
	w.t.Helper()
	var d time.Duration
	if days, ok := strings.CutSuffix(by, "d"); ok {
		n, err := strconv.Atoi(days)
		must(w.t, err)
		d = time.Duration(n) * 24 * time.Hour
	} else {
		var err error
		d, err = time.ParseDuration(by)
		must(w.t, err)
	}
	w.now = w.now.Add(d)
	w.work()
}

// compare compares two texts, as JSON where they are.
func (w *world) compare(want, got string) {
	w.t.Helper()
	var a, b any
	if unmarshal([]byte(want), &a) == nil && unmarshal([]byte(got), &b) == nil &&
		reflect.DeepEqual(a, b) || want == got {
		return
	}
	w.t.Errorf("%s:\ngot  %s\nwant %s", w.at, got, want)
}
