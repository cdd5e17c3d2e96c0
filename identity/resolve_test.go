package identity

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// claims reads "crm:a!, email:b": the "!" flags a claim as primary.
func claims(text string) []Claim {
	var list []Claim
	for word := range strings.SplitSeq(text, ", ") {
		namespace, value, _ := strings.Cut(word, ":")
		value, primary := strings.CutSuffix(value, "!")
		list = append(list, Claim{namespace, value, primary})
	}
	return list
}

func many(count int) string {
	var list []string
	for i := range count {
		list = append(list, fmt.Sprintf("ecid:%d", i+1))
	}
	return strings.Join(list, ", ")
}

func describe(res Resolved, err error) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%v of %v, %d blocked", res.Primary, res.All, res.Blocked)
}

func TestResolve(t *testing.T) {
	r := shop(t)
	const missing = "no primary identity"
	tests := []struct{ name, claims, record, event string }{
		{"one", "crm:a!", "crm:a of [crm:a], 0 blocked", "crm:a of [crm:a], 0 blocked"},
		{"declared and strongest", "ecid:1!, email:A@X",
			"ecid:1 of [ecid:1 email:a@x], 0 blocked",
			"email:a@x of [ecid:1 email:a@x], 0 blocked"},
		{"not declared", "crm:a", missing, "crm:a of [crm:a], 0 blocked"},
		{"declared but blocked", "crm:null!, ecid:1",
			missing, "ecid:1 of [ecid:1], 1 blocked"},
		{"all blocked", "crm:null!, ecid:0", missing, missing},
		{"several values, none flagged", "email:c@x, email:b@x, ecid:1",
			missing, "email:b@x of [ecid:1 email:b@x email:c@x], 0 blocked"},
		{"several values, one flagged", "email:c@x!, email:b@x, ecid:1",
			"email:c@x of [ecid:1 email:b@x email:c@x], 0 blocked",
			"email:c@x of [ecid:1 email:b@x email:c@x], 0 blocked"},
		{"several flagged", "ecid:2!, email:c@x!, email:b@x!, ecid:1!",
			"email:b@x of [ecid:1 ecid:2 email:b@x email:c@x], 0 blocked",
			"email:b@x of [ecid:1 ecid:2 email:b@x email:c@x], 0 blocked"},
		{"flagged twice, once without", "email:B@x!, email:b@X, email:a@x",
			"email:b@x of [email:a@x email:b@x], 0 blocked",
			"email:b@x of [email:a@x email:b@x], 0 blocked"},
		{"a thing", "store:berlin!, ecid:1", "store:berlin of [ecid:1 store:berlin], 0 blocked",
			"store:berlin of [ecid:1 store:berlin], 0 blocked"},
		{"one value of a unique namespace twice", "crm:a!, crm: a ",
			"crm:a of [crm:a], 0 blocked", "crm:a of [crm:a], 0 blocked"},
		{"conflict", "crm:a!, crm:b", "two values of unique namespace crm in one record",
			"two values of unique namespace crm in one record"},
		{"no conflict with a blocked one", "crm:a!, crm:none", "crm:a of [crm:a], 1 blocked",
			"crm:a of [crm:a], 1 blocked"},
		{"two conflicts", "ad:1, ad:2, crm:a, crm:b",
			"two values of unique namespace crm in one record",
			"two values of unique namespace crm in one record"},
		{"conflict before missing", "ad:1, ad:2",
			"two values of unique namespace ad in one record",
			"two values of unique namespace ad in one record"},
		{"twenty", many(20) + ", ecid:1!, ecid:null", "ecid:1 of " +
			fmt.Sprint(sortedIDs(many(20))) + ", 1 blocked", "ecid:1 of " +
			fmt.Sprint(sortedIDs(many(20))) + ", 1 blocked"},
		{"too many before conflict", many(20) + ", crm:a, crm:b",
			"invalid identity: more than 20 identities in one record",
			"invalid identity: more than 20 identities in one record"},
		{"invalid before too many", many(21) + ", email:\xff",
			"invalid identity in namespace email: not valid UTF-8",
			"invalid identity in namespace email: not valid UTF-8"},
		{"the strongest invalid one", "email:\xff, other:1, crm:\xff, alien:1",
			"invalid identity in namespace crm: not valid UTF-8",
			"invalid identity in namespace crm: not valid UTF-8"},
		{"invalid of one namespace", "crm:\xff, crm:" + strings.Repeat("x", 2000),
			"invalid identity in namespace crm: longer than 1024 bytes",
			"invalid identity in namespace crm: longer than 1024 bytes"},
		{"undeclared", "other:1, crm:a!, alien:1",
			"invalid identity in namespace alien: undeclared namespace",
			"invalid identity in namespace alien: undeclared namespace"},
		{"undeclared before anything", "other:null",
			"invalid identity in namespace other: undeclared namespace",
			"invalid identity in namespace other: undeclared namespace"},
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, test := range tests {
		list := claims(test.claims)
		for range 20 {
			if got := describe(r.ResolveRecord(list)); got != test.record {
				t.Fatalf("%s, record: %s, want %s", test.name, got, test.record)
			}
			if got := describe(r.ResolveEvent(list)); got != test.event {
				t.Fatalf("%s, event: %s, want %s", test.name, got, test.event)
			}
			random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		}
	}
	if got := describe(r.ResolveEvent(nil)); got != missing {
		t.Error(got)
	}
}

func sortedIDs(text string) string {
	words := strings.Fields(strings.ReplaceAll(text, ",", ""))
	slices.Sort(words)
	return "[" + strings.Join(words, " ") + "]"
}

func TestResolveErrorsAreTold(t *testing.T) {
	r := shop(t)
	_, err := r.ResolveRecord(claims("ecid:1"))
	if !errors.Is(err, ErrMissing) {
		t.Errorf("%v", err)
	}
	_, err = r.ResolveEvent(claims("crm:a, crm:b"))
	var conflict *ConflictError
	if !errors.As(err, &conflict) || conflict.Namespace != "crm" {
		t.Errorf("%v", err)
	}
	_, err = r.ResolveEvent(claims(many(21)))
	var invalid *InvalidError
	if !errors.As(err, &invalid) || invalid.Namespace != "" {
		t.Errorf("%v", err)
	}
}
