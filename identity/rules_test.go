package identity

import (
	"strings"
	"testing"

	"selfsame/profile"
)

func id(text string) profile.Identity {
	i, ok := profile.ParseIdentity(text)
	if !ok {
		panic("not an identity: " + text)
	}
	return i
}

func mustRules(t testing.TB, max int, namespaces ...Namespace) *Rules {
	t.Helper()
	r, err := NewRules(namespaces, max)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// shop declares one namespace of each type.
func shop(t testing.TB) *Rules {
	return mustRules(t, 0,
		Namespace{Name: "crm", Type: CrossDevice, Unique: true},
		Namespace{Name: "email", Type: Email},
		Namespace{Name: "phone", Type: Phone, Region: "DE"},
		Namespace{Name: "store", Type: NonPerson},
		Namespace{Name: "ad", Type: Device, Unique: true},
		Namespace{Name: "ecid", Type: Cookie},
	)
}

func TestNewRulesReportsEverything(t *testing.T) {
	_, err := NewRules([]Namespace{
		{Name: "a:b", Type: Cookie},
		{Name: "untyped"},
		{Name: "wild", Type: NonPerson + 1},
		{Name: "torn", Type: Cookie, Unique: true, Limit: 2},
		{Name: "minus", Type: Cookie, Limit: -1},
		{Name: "thing", Type: NonPerson, Unique: true},
		{Name: "odd", Type: Cookie, Normalize: []string{"sideways"}},
		{Name: "open", Type: Cookie, BlockedPatterns: []string{"("}},
		{Name: "far", Type: Phone, Region: "XX"},
		{Name: "near", Type: Email, Region: "DE"},
		{Name: "both", Type: Phone, Region: "DE", Normalize: []string{"digits"}},
		{Name: "twin", Type: Cookie},
		{Name: "twin", Type: Cookie},
	}, LimitMaxIdentities+1)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		`max_identities 1001`, `"a:b": the name`, `"untyped": the type`, `"wild": the type`,
		`"torn": unique contradicts limit 2`, `"minus": limit -1`, `"thing": non_person`,
		`"odd": unknown normaliser "sideways"`, `"open": blocked pattern`,
		`"far": unknown region "XX"`, `"near": a region applies`, `"both": a phone with a region`,
		`"twin": declared twice`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %s:\n%v", want, err)
		}
	}
	if _, err := NewRules(nil, 0); err == nil {
		t.Error("accepted no namespaces")
	}
	if _, err := NewRules([]Namespace{{Name: "a", Type: Cookie}}, -1); err == nil {
		t.Error("accepted a negative max_identities")
	}
}

func TestRulesAnswer(t *testing.T) {
	r := shop(t)
	for i, name := range []string{"crm", "email", "phone", "store", "ad", "ecid", "other"} {
		if got := r.Rank(name); got != i+1 {
			t.Errorf("rank of %s: %d", name, got)
		}
		if want := name != "store" && name != "other"; r.Linkable(name) != want {
			t.Errorf("linkable %s: not %v", name, want)
		}
		n, ok := r.Namespace(name)
		if ok != (name != "other") || ok && n.Name != name {
			t.Errorf("namespace %s: %v, %v", name, n, ok)
		}
	}
	if n, _ := r.Namespace("crm"); n.Limit != 1 {
		t.Errorf("unique means limit 1, not %d", n.Limit)
	}
	one := mustRules(t, 7, Namespace{Name: "one", Type: Cookie, Limit: 1})
	if n, _ := one.Namespace("one"); !n.Unique {
		t.Error("limit 1 means unique")
	}
	if r.MaxIdentities() != DefaultMaxIdentities || one.MaxIdentities() != 7 {
		t.Errorf("max identities: %d and %d", r.MaxIdentities(), one.MaxIdentities())
	}
}

func TestTypeNames(t *testing.T) {
	for kind := Cookie; kind <= NonPerson; kind++ {
		if got, err := ParseType(kind.String()); err != nil || got != kind {
			t.Errorf("%v parses as %v, %v", kind, got, err)
		}
	}
	for _, name := range []string{"", "type(0)", "COOKIE"} {
		if _, err := ParseType(name); err == nil {
			t.Errorf("%q is a type", name)
		}
	}
	if got := Type(0).String() + Type(9).String(); got != "type(0)type(9)" {
		t.Error(got)
	}
}

func TestLinks(t *testing.T) {
	r := shop(t)
	all := []profile.Identity{id("ecid:2"), id("crm:b"), id("store:x"), id("ecid:1"), id("ecid:2")}
	got := r.Links(all)
	want := [][2]profile.Identity{
		{id("crm:b"), id("ecid:1")}, {id("crm:b"), id("ecid:2")}, {id("ecid:1"), id("ecid:2")},
	}
	if len(got) != len(want) {
		t.Fatalf("%v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("pair %d: %v, want %v", i, got[i], want[i])
		}
	}
	if got := r.Links(all[1:3]); got != nil {
		t.Errorf("a person and a thing link: %v", got)
	}
}
