package pipeline_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/schemas"
	"selfsame/store"
)

var versions = regexp.MustCompile(`"version":\d+,?`)

// TestStories plays the stories of testdata: see testdata/README for their language.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		w := newWorldOn(t, memlog.Options{}, 1, storyModel(t))
		defer w.close()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			w.t = t
			out := w.tell(d)
			if out != "" && !strings.HasSuffix(out, "\n") {
				out += "\n"
			}
			return out
		})
	})
}

const prefsSchema = `{"type":"record","name":"prefs","fields":[
	{"name":"id","type":"string"},
	{"name":"consents","type":["null",{"type":"map","values":["null","boolean"]}],"default":null},
	{"name":"notes","type":["null",{"type":"map","values":{"type":"record","name":"note","fields":[
		{"name":"text","type":["null","string"],"default":null},
		{"name":"by","type":["null","string"],"default":null}]}}],"default":null},
	{"name":"revision","type":["null","long"],"default":null}]}`

// storyModel is the world of the stories: also datasets with envelopes, and one, prefs, that has
// maps and a sequence.
func storyModel(t testing.TB) func(m *pipeline.Model) {
	return func(m *pipeline.Model) {
		addEnveloped(t)(m)
		m.Datasets = append(m.Datasets, &pipeline.Dataset{
			Name: "prefs", Topic: "prefs", Entity: "profile", Schema: parse(t, prefsSchema),
			Sequence: "revision", MaxFuture: 5 * time.Minute,
			Identities: []pipeline.IdentityField{{Path: "id", Namespace: "crm", Primary: true}},
		})
		m.Limits.ArrayEdits = 10
	}
}

// TestPolicyStories plays stories in a world of several policies.
func TestPolicyStories(t *testing.T) { tellStories(t, "testdata/policies", addPolicies) }

// TestClassStories plays stories in a world of people and companies.
func TestClassStories(t *testing.T) { tellStories(t, "testdata/classes", addCompanies) }

func tellStories(t *testing.T, dir string, change func(*testing.T) func(*pipeline.Model)) {
	t.Helper()
	datadriven.Walk(t, dir, func(t *testing.T, path string) {
		w := newWorldOn(t, memlog.Options{}, 1, change(t))
		defer w.close()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			w.t = t
			out := w.tell(d)
			if out != "" && !strings.HasSuffix(out, "\n") {
				out += "\n"
			}
			return out
		})
	})
}

func (w *world) tell(d *datadriven.TestData) string {
	switch d.Cmd {
	case "send":
		return w.tellSend(d)
	case "control":
		return w.tellControl(d)
	case "audit":
		return w.emitted("audit")
	case "work":
		return w.tellWork()
	case "profiles":
		return w.emitted("profiles", pipeline.HeaderMergedInto, pipeline.HeaderCause)
	case "graph":
		return w.emitted("identity")
	case "topic":
		return w.emitted(d.CmdArgs[0].Key)
	case "assignments":
		return w.emitted("assignments")
	case "dead":
		return w.emitted("dead", pipeline.HeaderDeadReason, pipeline.HeaderDeadPath,
			pipeline.HeaderDeadWanted, pipeline.HeaderDeadFound, pipeline.HeaderDeadOmitted)
	case "get":
		return w.tellGet(d)
	case "rules":
		w.changeRules(d)
		return ""
	case "retire":
		w.retire(d.CmdArgs[0].Key)
		return ""
	case "orders":
		return w.tellOrders(d)
	case "identity":
		return w.tellIdentity(d)
	case "explain":
		return w.tellExplain(d)
	case "preview":
		return w.tellPreview(d)
	case "computed":
		return w.tellComputed(d)
	case "attributes":
		return w.tellAttributes()
	case "readings":
		return w.tellReadings()
	case "crash":
		w.crash(vfs.CrashCloneCfg{})
		w.publish()
		return ""
	case "wait":
		var by string
		d.ScanArgs(w.t.(*testing.T), "for", &by)
		duration, err := time.ParseDuration(by)
		w.must(err)
		w.now = w.now.Add(duration)
		return ""
	}
	d.Fatalf(w.t, "unknown command %s", d.Cmd)
	return ""
}

// tellSend sends one record per line, "{...}", "key => {...}", "key null" or any text, and says
// what became of it, or, where they are sent together, in one commit, of all.
func (w *world) tellSend(d *datadriven.TestData) string {
	dataset := w.model.Dataset(d.CmdArgs[0].Key)
	together := d.HasArg("together")
	var headers []pipeline.Header
	for _, arg := range d.CmdArgs[1:] {
		if arg.Key == "together" {
			continue
		}
		value := strings.Join(arg.Vals, ",")
		headers = append(
			headers,
			pipeline.Header{Key: "selfsame-" + arg.Key, Value: []byte(value)},
		)
	}
	var out strings.Builder
	before := w.shard.Stats().Figures()
	for line := range strings.Lines(d.Input) {
		record := w.recordOfLine(dataset, strings.TrimSpace(line))
		record.Headers = headers
		w.send(pipeline.TopicPartition{Topic: dataset.Topic}, record)
		if together {
			continue
		}
		w.drain()
		after := w.shard.Stats().Figures()
		fmt.Fprintln(&out, outcome(before, after))
		before = after
	}
	if together {
		w.drain()
		fmt.Fprintln(&out, outcome(before, w.shard.Stats().Figures()))
	}
	return out.String()
}

// recordOfLine makes the record of a line of a story.
func (w *world) recordOfLine(dataset *pipeline.Dataset, line string) pipeline.Record {
	if key, ok := strings.CutSuffix(line, " null"); ok {
		return pipeline.Record{Key: []byte(key)}
	}
	key, value, keyed := strings.Cut(line, " => ")
	if !keyed {
		key, value = "", line
	}
	return pipeline.Record{Key: []byte(key), Value: w.encode(dataset, value)}
}

// tellControl sends one control record per line, and says what became of it.
func (w *world) tellControl(d *datadriven.TestData) string {
	var out strings.Builder
	for line := range strings.Lines(d.Input) {
		before := w.shard.Stats().Figures()
		w.send(pipeline.TopicPartition{Topic: "control"},
			pipeline.Record{Value: []byte(strings.TrimSpace(line))})
		w.drain()
		fmt.Fprintln(&out, outcome(before, w.shard.Stats().Figures()))
	}
	return out.String()
}

// tellWork goes on with background work until there is none, and says how it went.
func (w *world) tellWork() string {
	steps := 0
	for w.shard.Busy(w.now.UnixNano()) {
		w.must(w.shard.Apply(nil, w.now.UnixNano()))
		steps++
	}
	w.publish()
	out := fmt.Sprintf("%d steps", steps)
	w.must(w.store.Reader().Jobs(func(job *store.Job) error {
		out += fmt.Sprintf("\n%s %s %d of %d, state %d", job.ID, job.Kind, job.Done, job.Total,
			job.State)
		return nil
	}))
	return out
}

// encode gives the bytes of a line in the dataset's format. What does not fit the schema stays
// text.
func (w *world) encode(ds *pipeline.Dataset, line string) []byte {
	if ds.Format == pipeline.FormatJSON {
		return []byte(line)
	}
	value, err := ds.Schema.DecodeJSON([]byte(line), schemas.Options{})
	if err != nil {
		return []byte(line)
	}
	raw, err := ds.Schema.EncodeAvro(value)
	w.must(err)
	return raw
}

// outcome names the counter that one record raised.
func outcome(before, after pipeline.Figures) string {
	var names []string
	for name, now := range after.Datasets {
		was := before.Datasets[name]
		counts := map[string]uint64{"accepted": now.Accepted - was.Accepted,
			"duplicate":  now.Duplicate - was.Duplicate,
			"superseded": now.Superseded - was.Superseded}
		for reason, n := range now.Rejected {
			counts["rejected "+string(reason)] = n - was.Rejected[reason]
		}
		for what, n := range counts {
			if n > 0 {
				names = append(names, what)
			}
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// tellExplain explains a profile, or what is said at and below a path of it.
func (w *world) tellExplain(d *datadriven.TestData) string {
	namespace, value, _ := strings.Cut(d.CmdArgs[0].Key, ":")
	query := pipeline.Query{Class: "profile", Namespace: namespace, Value: value}
	var path string
	d.MaybeScanArgs(w.t.(*testing.T), "policy", &query.Policy)
	d.MaybeScanArgs(w.t.(*testing.T), "path", &path)
	x, err := pipeline.NewLookup(w.model, w.store).ExplainProfile(query, profile.ParsePath(path))
	if err != nil {
		return "error: " + err.Error()
	}
	if x == nil {
		return "not found"
	}
	out := w.alias(x.ID) + " under " + x.Policy
	for _, a := range x.Attributes {
		out += "\n" + a.Path + " " + cmp.Or(string(a.Value), "absent")
		for _, s := range a.Statements {
			mark := "-"
			if s.Stands {
				mark = "+"
			}
			said := cmp.Or(string(s.Value), "unset "+s.Unset)
			out += fmt.Sprintf("\n  %s %s: %s, by %s of %s:%s, %s/%d/%d", mark, s.Reason, said,
				s.Dataset, s.Identity.Namespace, s.Identity.Value, s.Topic, s.Partition, s.Offset)
		}
	}
	return out
}

// tellPreview says what a policy, given as JSON, would change of a person or of all.
func (w *world) tellPreview(d *datadriven.TestData) string {
	q := pipeline.PreviewQuery{Class: "profile"}
	d.MaybeScanArgs(w.t.(*testing.T), "of", &q.Identity)
	d.MaybeScanArgs(w.t.(*testing.T), "against", &q.Against)
	d.MaybeScanArgs(w.t.(*testing.T), "sample", &q.Sample)
	w.must(json.Unmarshal([]byte(d.Input), &q.Policy))
	p, err := pipeline.NewLookup(w.model, w.store).Preview(q)
	if err != nil {
		return "error: " + err.Error()
	}
	if p == nil {
		return "not found"
	}
	out := fmt.Sprintf("looked at %d, against %s", p.Looked, p.Against)
	for i := range p.Profiles {
		line, err := json.Marshal(p.Profiles[i])
		w.must(err)
		out += "\n" + w.alias(string(line))
	}
	return out
}

func (w *world) tellGet(d *datadriven.TestData) string {
	namespace, value, _ := strings.Cut(d.CmdArgs[0].Key, ":")
	lookup := pipeline.NewLookup(w.model, w.store)
	lookup.Now = func() int64 { return w.now.UnixNano() }
	query := pipeline.Query{Class: "profile", Namespace: namespace, Value: value}
	d.MaybeScanArgs(w.t.(*testing.T), "policy", &query.Policy)
	answer, err := lookup.Find(query)
	if err != nil {
		return "error: " + err.Error()
	}
	if answer == nil {
		return "not found"
	}
	text := string(answer.JSON(d.HasArg("provenance")))
	return w.alias(versions.ReplaceAllString(text, ""))
}
