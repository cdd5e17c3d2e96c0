package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"selfsame/identity"
	"selfsame/pipeline"
)

// tablet is a file of events: a device that went from one customer to another, and lines that say
// nothing.
const tablet = `# a family tablet
crm:1 email:ann@x.org
crm:2 email:bob@x.org
email:ann@x.org cookie:tablet
@99 email:bob@x.org cookie:tablet

crm:1 crm:2
cookie:alone crm:null
`

func shopRules(t *testing.T) *identity.Rules {
	t.Helper()
	rules, err := identity.NewRules([]identity.Namespace{
		{Name: "crm", Type: identity.CrossDevice, Unique: true},
		{Name: "email", Type: identity.Email},
		{Name: "cookie", Type: identity.Cookie}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func simulationOf(t *testing.T, text string) *simulation {
	t.Helper()
	rules := shopRules(t)
	events, err := identity.ParseEvents(text)
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := identity.Simulate(rules, events)
	if err != nil {
		t.Fatal(err)
	}
	return newSimulation(rules, events, outcome)
}

func TestSimulationText(t *testing.T) {
	var b strings.Builder
	if err := simulationText(&b, simulationOf(t, tablet)); err != nil {
		t.Fatal(err)
	}
	want := `clusters  3
  cookie:tablet  crm:2  email:bob@x.org
  crm:1  email:ann@x.org
  cookie:alone

left out  1
  cookie:tablet -- email:ann@x.org of 4
      rule: unique crm, which may not meet: crm:1, crm:2
      against: cookie:tablet -- email:bob@x.org of 99

without effect  1
  line 7: two values of unique namespace crm in one record

blocked values  1
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestSimulationDOT(t *testing.T) {
	var b strings.Builder
	p := graphPrinter[simulation]{simulationText, simulationDOT}
	if err := p.print(&b, formDOT, simulationOf(t, tablet)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`  "cookie:tablet" -- "email:bob@x.org" [label="99"];`,
		`  "crm:1" -- "email:ann@x.org" [label="2"];`,
		`  "cookie:tablet" -- "email:ann@x.org" [style=dashed, color=red, ` +
			`label="4\nunique crm"];`,
	} {
		if !strings.Contains(b.String(), want+"\n") {
			t.Errorf("lacks %s", want)
		}
	}
	draw(t, b.String())
}

// draw has Graphviz read a graph, where it is installed.
func draw(t *testing.T, graph string) {
	t.Helper()
	dot, err := exec.LookPath("dot")
	if err != nil {
		t.Log("Graphviz is not installed: the graph is not drawn")
		return
	}
	c := exec.Command(dot, "-Tsvg", "-o", os.DevNull)
	c.Stdin = strings.NewReader(graph)
	if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("Graphviz: %v %s\n%s", err, out, graph)
	}
}

// awkward are texts that would break a line or the syntax of DOT.
var awkward = []string{`a"b`, `a\`, `a\nb`, "a\nb", "a\u202eb", `"]; evil [`, "<b>x</b>", "ä→€", ""}

func TestDOTQuotes(t *testing.T) {
	for _, text := range awkward {
		quoted := dotQuote(text)
		inner := quoted[1 : len(quoted)-1]
		for i := 0; i < len(inner); i++ {
			switch {
			case inner[i] == '\\':
				i++
			case inner[i] == '"' || inner[i] < ' ':
				t.Errorf("%q: %s is not one quoted text", text, quoted)
			}
		}
		draw(t, "graph g { "+quoted+" [label="+dotLabel(text, text)+"]; }")
	}
	if got := dotQuote(`a"b\`); got != `"a\"b\\"` {
		t.Errorf("got %s", got)
	}
}

// anAnswer has every part that an answer about a cluster can have.
func anAnswer(name string) *pipeline.GraphCluster {
	at := pipeline.GraphPlace{Time: "2026-01-31T09:00:00Z", Topic: "web", Partition: 1, Offset: 7}
	early := pipeline.GraphPlace{Time: "2026-01-30T09:00:00Z", Topic: "web", Offset: 3}
	link := pipeline.GraphLink{A: "cookie:" + name, B: "crm:1", Time: at.Time,
		Assertions: []pipeline.GraphAssertion{{Dataset: "web", First: early, Latest: at}}}
	forced := pipeline.GraphLink{A: "crm:1", B: "crm:3", Time: at.Time, Order: &at}
	return &pipeline.GraphCluster{Class: "profile", Profile: "5f1c",
		Identities: []pipeline.GraphMember{{Identity: "cookie:" + name, FirstSeen: at.Time},
			{Identity: "crm:1", FirstSeen: at.Time, Root: true}, {Identity: "crm:3"}},
		Links: []pipeline.GraphLink{link, forced}, MoreLinks: 4,
		LeftOut: []pipeline.GraphLeftOut{
			{Link: pipeline.GraphLink{A: "cookie:" + name, B: "crm:2", Time: early.Time},
				Rule: "unique crm", Conflict: []string{"crm:1", "crm:2"}, Against: &link},
			{Link: pipeline.GraphLink{A: "crm:1", B: "crm:4", Time: early.Time},
				Rule: pipeline.RuleNone}},
		Forbidden: [][2]string{{"crm:1", "crm:9"}}}
}

// TestSilenceText tells of identities that do not link.
func TestSilenceText(t *testing.T) {
	var b strings.Builder
	leftOutText(&b, []pipeline.GraphLeftOut{{Link: pipeline.GraphLink{A: "cookie:k", B: "crm:1"},
		Rule: "hub", Conflict: []string{"cookie:k"}}}, 0)
	err := explanationText(&b, &pipeline.GraphExplanation{
		From: pipeline.GraphEnd{Identity: "cookie:k", Profile: "5f", Silent: "hub"},
		To:   pipeline.GraphEnd{Identity: "crm:9", Profile: "6a"}})
	if err != nil {
		t.Fatal(err)
	}
	want := `
left out  1
  cookie:k -- crm:1
      rule: hub: cookie:k is a hub and does not link
cookie:k and crm:9 are not one self:
  profile 5f
  profile 6a

cookie:k is a hub: links that records have asserted to it since are not kept
no link between the two profiles is known
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestClusterText(t *testing.T) {
	var b strings.Builder
	if err := clusterText(&b, anAnswer("a\nb")); err != nil {
		t.Fatal(err)
	}
	want := `profile 5f1c of class profile

identities  3
  cookie:a\nb  first seen 2026-01-31T09:00:00Z
  crm:1        first seen 2026-01-31T09:00:00Z  root
  crm:3        named by operators only

links  2, and 4 more (see --limit)
  cookie:a\nb -- crm:1
      web  2026-01-31T09:00:00Z  web/1/7
           first 2026-01-30T09:00:00Z  web/0/3
  crm:1 -- crm:3
      an operator  2026-01-31T09:00:00Z  web/1/7

left out  2
  cookie:a\nb -- crm:2
      rule: unique crm, which may not meet: crm:1, crm:2
      against: cookie:a\nb -- crm:1 of 2026-01-31T09:00:00Z
  crm:1 -- crm:4
      rule: none of today's; it counts again when its ends are decided again

forbidden by operators
  crm:1 -- crm:9
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// TestGraphsAreDrawn has Graphviz read every kind of graph, with awkward names.
func TestGraphsAreDrawn(t *testing.T) {
	for _, name := range awkward {
		c := anAnswer(name)
		for _, body := range []func(*dotWriter){
			func(d *dotWriter) { clusterDOT(d, c) },
			func(d *dotWriter) {
				explanationDOT(d, &pipeline.GraphExplanation{From: pipeline.GraphEnd{
					Identity: "cookie:" + name}, Path: c.Links, LeftOut: c.LeftOut})
			},
			func(d *dotWriter) {
				topDOT(d, &pipeline.GraphTop{
					Largest: []pipeline.GraphLarge{{Profile: "5f1c", Size: 3, Identity: name,
						Namespaces: map[string]int{"crm": 2, "cookie": 1}}},
					Refused: []pipeline.GraphRestless{{Identity: "cookie:" + name,
						Dataset: "web", Count: 2}}})
			},
		} {
			var b strings.Builder
			if err := writeDOT(&b, body); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(b.String(), dotQuote("cookie:"+name)) {
				t.Errorf("lacks %q:\n%s", name, b.String())
			}
			draw(t, b.String())
		}
	}
}

func TestTopText(t *testing.T) {
	var b strings.Builder
	err := topText(&b, &pipeline.GraphTop{Class: "profile", Links: 3, Clusters: 2,
		Sizes:   []pipeline.GraphSize{{Size: "1", Clusters: 1}, {Size: "2", Clusters: 1}},
		Several: map[string]int64{"cookie": 1},
		Largest: []pipeline.GraphLarge{{Profile: "5f1c", Size: 2, Identity: "cookie:a",
			Namespaces: map[string]int{"cookie": 2}}},
		HubsAll: 7, Hubs: []pipeline.GraphHub{{Identity: "cookie:tab", Neighbours: 11,
			TurnedAway: 80, Profile: "77aa"}},
		Moved: []pipeline.GraphRestless{{Identity: "cookie:a", Dataset: "web", Count: 9,
			Neighbours: 12, Profile: "5f1c"}}, MovedError: 2})
	if err != nil {
		t.Fatal(err)
	}
	want := `class profile: 2 clusters, 3 links

IDENTITIES  CLUSTERS
1           1
2           1

clusters with more than one
  cookie  1

largest clusters
PROFILE  IDENTITIES  ONE OF THEM  BY NAMESPACE
5f1c     2           cookie:a     cookie 2

hubs  7
IDENTITY    NEIGHBOURS KEPT  TURNED AWAY  PROFILE
cookie:tab  11               80           77aa

most links left out since the start: none

most moves from profile to profile since the start, each at most 2 too many
IDENTITY  DATASET  TIMES  NEIGHBOURS  PROFILE
cookie:a  web      9      12          5f1c
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// TestGraphSimulate runs the command on a file, with the configuration that init writes.
func TestGraphSimulate(t *testing.T) {
	dir := t.TempDir()
	if err := execute("init", "--dir", dir); err != nil {
		t.Fatal(err)
	}
	config, events := filepath.Join(dir, "selfsame.yaml"), filepath.Join(dir, "events.txt")
	write := func(text string) {
		if err := os.WriteFile(events, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("email:a@x.org cookie:1\n")
	for _, form := range []string{formText, formJSON, formDOT} {
		args := []string{"graph", "simulate", "-c", config, events, "-o", form}
		if err := execute(args...); err != nil {
			t.Errorf("%s: %v", form, err)
		}
	}
	write("email:a@x.org\nnothing\n")
	err := execute("graph", "simulate", "-c", config, events)
	if err == nil || !strings.Contains(err.Error(), "events.txt: line 2:") {
		t.Errorf("a broken file: %v", err)
	}
	for _, args := range [][]string{{"graph"}, {"graph", "show", "ann"},
		{"graph", "simulate", "-c", config, "-o", "dot"}, {"graph", "simulate", "a", "b"},
		{"graph", "explain", "crm:1"}, {"graph", "top", "-o", "xml"}, {"graph", "top", "-n", "0"},
		{"graph", "simulate", "-c", config, events, "--class", "nope"}} {
		if err := execute(args...); !errors.Is(err, errUsage) {
			t.Errorf("%s: %v, want an error of usage", strings.Join(args, " "), err)
		}
	}
	if err := execute("graph", "simulate", "-c", config, events+"x"); !errors.Is(err,
		os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestEffectText(t *testing.T) {
	effect := &pipeline.RulesEffect{Class: "profile", Identities: 9, ClustersBefore: 2,
		ClustersAfter: 3, Split: 1, Moved: 2, LargestBefore: 7, LargestAfter: 5, Blocked: 1,
		Examples: []pipeline.ClusterExample{{ID: "p1", Before: make([]string, 7),
			After: []pipeline.ClusterAfter{{ID: "p1", Members: []string{"crm:1", "crm:2"}}}}}}
	var b strings.Builder
	if err := effectText(&b, effect); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"2 now, 3 then", "7 now, 5 then", "split 1, merge 0", "1 blocked",
		"  p1 (7)\n    -> p1 (2): crm:1  crm:2\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if got := someOf(make([]string, 9)); !strings.HasSuffix(got, "and 3 more") {
		t.Errorf("%q", got)
	}
}

// TestSimulationOrder plays events in another order, with their times.
func TestSimulationOrder(t *testing.T) {
	lines := []string{"@1 crm:1 cookie:a", "@2 crm:2 cookie:a", "@3 crm:2 email:x@x.org"}
	var want, got strings.Builder
	if err := simulationText(&want, simulationOf(t, strings.Join(lines, "\n"))); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(lines)
	if err := simulationText(&got, simulationOf(t, strings.Join(lines, "\n"))); err != nil {
		t.Fatal(err)
	}
	if got.String() != want.String() || !strings.Contains(want.String(), "left out  1") {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want.String())
	}
}
