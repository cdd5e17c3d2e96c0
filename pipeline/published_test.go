package pipeline_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"selfsame/identity"
	"selfsame/internal/story"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

// published gives the text of a file of the public test data.
func published(t *testing.T, name ...string) []byte {
	t.Helper()
	root := os.Getenv("SELFSAME_TESTDATA")
	if root == "" {
		t.Skip("SELFSAME_TESTDATA does not name the folder of the public fixtures")
	}
	text, err := os.ReadFile(filepath.Join(append([]string{root}, name...)...))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// message is what the public examples of tracking calls have in common.
type message struct {
	AnonymousID string `json:"anonymousId"`
	UserID      string `json:"userId"`
	Context     struct {
		Device struct{ ID, Type string }
		Traits struct{ Email string }
	}
}

func messagesOf(t *testing.T, text []byte) []message {
	t.Helper()
	var all []message
	for d := json.NewDecoder(bytes.NewReader(text)); d.More(); {
		var m message
		if err := d.Decode(&m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// stepOf is a record with those identifiers that it has.
func stepOf(line int, claims ...identity.Claim) story.Step {
	claims = slices.DeleteFunc(claims, func(c identity.Claim) bool { return c.Value == "" })
	return story.Step{Kind: story.Record, Line: line, Time: int64(line), ID: fmt.Sprint("e", line),
		Claims: claims}
}

// eventsOf counts the events that lie under the identities of the profile that one of them has.
func (w *world) eventsOf(namespace, value string) (root string, events int) {
	w.t.Helper()
	answer, err := pipeline.NewLookup(w.model, w.store).Find(
		pipeline.Query{Class: "profile", Namespace: namespace, Value: value})
	w.must(err)
	if answer == nil {
		return "", 0
	}
	var found struct {
		ID         string
		Identities map[string][]string
	}
	w.must(json.Unmarshal(answer.JSON(false), &found))
	for space, values := range found.Identities {
		for _, v := range values {
			id := profile.Identity{Namespace: space, Value: v}
			w.must(w.store.Reader().Events("profile", id,
				func(store.EventRef, *store.Event) error { events++; return nil }))
		}
	}
	return strings.Trim(w.alias(found.ID), "<>"), events
}

// TestVisitorIsRecognized: what a visitor did before it signed in is attributed to the user.
func TestVisitorIsRecognized(t *testing.T) {
	s := &story.Story{Namespaces: []identity.Namespace{{Name: "user", Type: identity.CrossDevice},
		{Name: "email", Type: identity.Email}, {Name: "anon", Type: identity.Cookie}}}
	text := published(t, "segment_events", "jitsu_user_recognition.ndjson")
	for i, m := range messagesOf(t, text) {
		s.Steps = append(s.Steps, stepOf(i+1, identity.Claim{Namespace: "user", Value: m.UserID},
			identity.Claim{Namespace: "email", Value: m.Context.Traits.Email},
			identity.Claim{Namespace: "anon", Value: m.AnonymousID}))
	}
	for n, want := range []string{"anon:anon1 1", "anon:anon1 2", "anon:anon1 3", "user:user1 4",
		"user:user1 5"} {
		w := newTold(t, s, 1)
		w.tellStory(&story.Story{Steps: s.Steps[:n+1]}, perStep, w.publish)
		root, events := w.eventsOf("anon", "anon1")
		if got := fmt.Sprint(root, " ", events); got != want {
			t.Errorf("after event %d: %s, want %s", n+1, got, want)
		}
		w.close()
	}
}

// TestOneShopper is the walk-through of a shopper with three visits, two devices and one login: the
// partition after each event.
func TestOneShopper(t *testing.T) {
	var expected struct {
		Steps []struct{ Components [][]string }
	}
	text := published(t, "segment_events", "expected_segmentkicks.json")
	if err := json.Unmarshal(text, &expected); err != nil {
		t.Fatal(err)
	}
	s := &story.Story{Namespaces: []identity.Namespace{
		{Name: "user_id", Type: identity.CrossDevice}, {Name: "ios.id", Type: identity.Device},
		{Name: "android.id", Type: identity.Device},
		{Name: "anonymous_id", Type: identity.Cookie}}}
	all := messagesOf(t, published(t, "segment_events", "segmentkicks_identity.ndjson"))
	if len(all) != len(expected.Steps) {
		t.Fatalf("%d events, %d steps", len(all), len(expected.Steps))
	}
	for i, m := range all {
		s.Steps = append(s.Steps, stepOf(i+1, identity.Claim{Namespace: "user_id", Value: m.UserID},
			identity.Claim{Namespace: m.Context.Device.Type + ".id", Value: m.Context.Device.ID},
			identity.Claim{Namespace: "anonymous_id", Value: m.AnonymousID}))
		told := &story.Story{Steps: s.Steps}
		for _, members := range expected.Steps[i].Components {
			told.Clusters = append(told.Clusters, clusterNamed(members, s.Namespaces))
		}
		w := newTold(t, s, 1)
		w.tellStory(told, perStep, w.publish)
		w.checkStory(told)
		w.close()
	}
}

// clusterNamed turns members, as namespace=value, into a cluster: its root is the first of the
// strongest namespace that it has.
func clusterNamed(members []string, spaces []identity.Namespace) story.Cluster {
	var c story.Cluster
	for _, m := range members {
		c.Members = append(c.Members, strings.Replace(m, "=", ":", 1))
	}
	slices.Sort(c.Members)
	for _, n := range spaces {
		for _, m := range c.Members {
			if c.Root == "" && strings.HasPrefix(m, n.Name+":") {
				c.Root = m
			}
		}
	}
	return c
}

// TestContactsAreMerged forces together what the contacts of a CRM, and its list of merges, call
// one contact; a later event of an absorbed contact is one of the survivor's.
func TestContactsAreMerged(t *testing.T) {
	s := &story.Story{Namespaces: []identity.Namespace{
		{Name: "contact", Type: identity.CrossDevice, Unique: true},
		{Name: "email", Type: identity.Email}}}
	lines := func(name string) [][]string {
		all, err := csv.NewReader(bytes.NewReader(published(t, "identity_edges", name))).ReadAll()
		if err != nil || len(all) < 2 {
			t.Fatalf("%s: %v", name, err)
		}
		return all[1:]
	}
	contact := func(id string) identity.Claim {
		return identity.Claim{Namespace: "contact", Value: id}
	}
	merge := func(line int, survivor, absorbed string) story.Step {
		step := stepOf(line, contact(survivor), contact(absorbed))
		step.Kind = story.Link
		return step
	}
	merged := map[string]string{}
	contacts := lines("hubspot_contact.csv")
	for _, c := range contacts {
		seen, err := time.Parse("2006-01-02 15:04:05", c[8])
		if err != nil {
			t.Fatal(err)
		}
		step := stepOf(len(s.Steps)+1, contact(c[3]),
			identity.Claim{Namespace: "email", Value: c[2]},
			identity.Claim{Namespace: "email", Value: c[7]})
		step.Time = seen.Unix()
		s.Steps = append(s.Steps, step)
		for absorbed := range strings.SplitSeq(c[11], ";") {
			if absorbed != "" {
				merged[absorbed] = c[3]
			}
		}
	}
	for _, a := range lines("hubspot_contact_merge_audit.csv") {
		merged[a[2]] = a[0]
	}
	for absorbed, survivor := range merged {
		s.Steps = append(s.Steps, merge(len(s.Steps)+1, survivor, absorbed))
	}
	w := newTold(t, s, 1)
	defer w.close()
	w.tellStory(s, perStep, w.publish)
	for absorbed, survivor := range merged {
		before, events := w.eventsOf("contact", survivor)
		late := stepOf(len(s.Steps)+1, contact(absorbed))
		late.ID, late.Time = "late "+absorbed, 1_650_000_000
		w.tellStory(&story.Story{Steps: []story.Step{late}}, perStep, w.publish)
		after, more := w.eventsOf("contact", survivor)
		if more != events+1 || before != "" && before != after {
			t.Errorf("%s had %d events under %s, and with one of %s %d under %s", survivor, events,
				before, absorbed, more, after)
		}
	}
	if len(merged) != 7 {
		t.Errorf("%d merges, want 7", len(merged))
	}
}
