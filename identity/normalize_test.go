package identity

import (
	"errors"
	"strings"
	"testing"

	"selfsame/profile"
)

func TestNormalize(t *testing.T) {
	spaces := map[string]Namespace{
		"cookie": {Type: Cookie},
		"email":  {Type: Email},
		"gmail":  {Type: Email, Normalize: []string{"strip_plus_tag"}},
		"german": {Type: Phone, Region: "DE"},
		"us":     {Type: Phone, Region: "US"},
		"free":   {Type: Phone},
		"upper":  {Type: CrossDevice, Normalize: []string{"upper", "strip_spaces"}},
		"lower":  {Type: CrossDevice, Normalize: []string{"lower"}},
		"number": {Type: CrossDevice, Normalize: []string{"strip_leading_zeros", "digits"}},
		"zeros": {Type: CrossDevice, Normalize: []string{"strip_leading_zeros"},
			NoDefaultBlocked: true},
	}
	tests := []struct{ space, raw, want string }{
		{"cookie", "AbC", "AbC"},
		{"cookie", " \t\r\n\u00a0\u3000a b\x00\x1f ", "a b"},
		{"cookie", "\ufeffabc\u200b", "abc"},
		{"cookie", "a:b", "a:b"},
		{"cookie", "\u202a1\u202c", "1"},
		{"email", " Ada@Example.COM\n", "ada@example.com"},
		{"email", "ÉMILE@x.fr", "émile@x.fr"},
		{"email", "a+b@x", "a+b@x"},
		{"gmail", "A+b+c@x", "a@x"},
		{"gmail", "+b@x", "+b@x"},
		{"gmail", "a+b", "a+b"},
		{"german", "030 1234567", "+49301234567"},
		{"german", "0049 (30) 123-4567", "+49301234567"},
		{"german", "+49 30 1234567", "+49301234567"},
		{"german", "\u202a+49 30 1234567\u202c", "+49301234567"},
		{"german", "+1 415 555 2671", "+14155552671"},
		{"german", "030 1234567 ext. 12", "+49301234567;ext=12"},
		{"us", "(415) 555-2671", "+14155552671"},
		{"us", "1-415-555-2671", "+14155552671"},
		{"free", " 030 1234567 ", "030 1234567"},
		{"upper", "ab c1", "ABC1"},
		{"lower", "Ab C1", "ab c1"},
		{"number", "no. 0012-3", "123"},
		{"number", "00a1", "1"},
		{"zeros", "0012", "12"},
		{"zeros", "000", "0"},
		{"zeros", "null", "null"},
	}
	for _, test := range tests {
		n := spaces[test.space]
		n.Name = test.space
		r := mustRules(t, 0, n)
		got, blocked, err := r.Normalize(n.Name, test.raw)
		want := profile.Identity{Namespace: n.Name, Value: test.want}
		if err != nil || blocked || got != want {
			t.Errorf("%s %q: %v, %v, %v; want %s", n.Name, test.raw, got, blocked, err, test.want)
		}
		again, _, _ := r.Normalize(n.Name, got.Value)
		if again != got {
			t.Errorf("%s %q: normalised twice it is %v, not %v", n.Name, test.raw, again, got)
		}
	}
}

func TestBlocked(t *testing.T) {
	r := mustRules(t, 0,
		Namespace{Name: "plain", Type: Cookie},
		Namespace{Name: "own", Type: Email, Blocked: []string{" Test@X.com ", "TBD"},
			BlockedPatterns: []string{`noreply@.*`, `a|b`}},
		Namespace{Name: "bare", Type: Cookie, NoDefaultBlocked: true},
		Namespace{Name: "us", Type: Phone, Region: "US", Blocked: []string{"(555) 555-0100"}},
	)
	defaults := []string{
		"", " ", "\t\n", "\u200b", "null", "NULL", " Null ", "none", "nil", "undefined", "NaN",
		"anonymous", "Guest", "unknown", "INVALID", "n/a", "N/A", "-", "0", "000", "00-00",
		"00000000-0000-0000-0000-000000000000", "{00000000-0000-0000-0000-000000000000}",
		"00:00:00:00:00:00", "0.0.0.0", "[object Object]", "[OBJECT OBJECT]",
	}
	for _, value := range defaults {
		expectBlocked(t, r, "plain", value, true)
		expectBlocked(t, r, "own", value, true)
		expectBlocked(t, r, "bare", value, trim(value) == "")
	}
	tests := []struct {
		space, value string
		blocked      bool
	}{
		{"plain", "nulls", false}, {"plain", "00000000-0000-0000-0000-000000000001", false},
		{"plain", "--", false}, {"plain", "10", false}, {"plain", "object", false},
		{"own", "TEST@x.COM", true}, {"own", "tbd", true}, {"own", "tbd2", false},
		{"own", "noreply@shop", true}, {"own", "NoReply@Shop", true},
		{"own", "not-noreply@shop", false}, {"own", "a", true}, {"own", "ab", false},
		{"us", "+1 555 555 0100", true}, {"us", "555-555-0100", true},
		{"us", "555-555-0101", false}, {"us", "000-000-0000", true},
		{"us", "call me", true}, {"us", "12", true}, {"us", "+", true},
		{"us", strings.Repeat("9", 400), true},
	}
	for _, test := range tests {
		expectBlocked(t, r, test.space, test.value, test.blocked)
	}
}

func expectBlocked(t *testing.T, r *Rules, space, value string, want bool) {
	t.Helper()
	got, blocked, err := r.Normalize(space, value)
	if err != nil || blocked != want || got.IsZero() != want {
		t.Errorf("%s %q: %v, blocked %v, %v; want %v", space, value, got, blocked, err, want)
	}
}

func TestNormalizeRefuses(t *testing.T) {
	r := shop(t)
	long := strings.Repeat("x", MaxValueBytes)
	if got, _, err := r.Normalize("crm", " "+long+" "); err != nil || got.Value != long {
		t.Errorf("%d bytes are refused: %v", len(long), err)
	}
	tests := []struct{ space, value, want string }{
		{"crm", long + "y", "invalid identity in namespace crm: longer than 1024 bytes"},
		{"email", strings.Repeat("Ⱥ", 400), // lower case takes more bytes
			"invalid identity in namespace email: longer than 1024 bytes"},
		{"crm", "secret\xff", "invalid identity in namespace crm: not valid UTF-8"},
		{"crm", "\xff", "invalid identity in namespace crm: not valid UTF-8"},
		{"other", "secret", "invalid identity in namespace other: undeclared namespace"},
		{"secret@x", "secret", "invalid identity: undeclared namespace"},
	}
	for _, test := range tests {
		_, blocked, err := r.Normalize(test.space, test.value)
		var invalid *InvalidError
		if !errors.As(err, &invalid) || blocked || err.Error() != test.want {
			t.Errorf("%s: %v, %v; want %s", test.space, blocked, err, test.want)
		}
	}
}

func FuzzNormalize(f *testing.F) {
	for seed := range strings.SplitSeq("|A+b@C|+49 30 123|00012 |\xff|null|Ⱥ\u0130|1", "|") {
		f.Add(seed)
	}
	normalize := [][]string{nil, {"lower"}, {"upper"}, {"digits"}, {"strip_spaces"},
		{"strip_leading_zeros", "digits"}, {"strip_plus_tag", "upper", "lower"},
		{"lower", "upper", "strip_leading_zeros", "strip_spaces"}}
	var namespaces []Namespace
	for i, names := range normalize {
		suffix := string(rune('a' + i))
		namespaces = append(namespaces,
			Namespace{Name: "cookie-" + suffix, Type: Cookie, Normalize: names},
			Namespace{Name: "email-" + suffix, Type: Email, Normalize: names,
				NoDefaultBlocked: true})
	}
	for _, region := range []string{"", "DE", "US", "IT", "AR"} {
		namespaces = append(namespaces,
			Namespace{Name: "phone" + region, Type: Phone, Region: region})
	}
	r := mustRules(f, 0, namespaces...)
	f.Fuzz(func(t *testing.T, raw string) {
		for _, n := range namespaces {
			checkNormal(t, r, n.Name, raw)
		}
	})
}

// checkNormal checks what holds for every value.
func checkNormal(t *testing.T, r *Rules, namespace, raw string) {
	t.Helper()
	got, blocked, err := r.Normalize(namespace, raw)
	if err != nil || blocked {
		if !got.IsZero() || err != nil && blocked {
			t.Errorf("%s %q: %v, %v, %v", namespace, raw, got, blocked, err)
		}
		return
	}
	if got.Value == "" || len(got.Value) > MaxValueBytes || trim(got.Value) != got.Value {
		t.Errorf("%s %q gives %q", namespace, raw, got.Value)
	}
	if parsed, ok := profile.ParseIdentity(got.String()); !ok || parsed != got {
		t.Errorf("%s %q: %s parses as %v", namespace, raw, got, parsed)
	}
	again, blocked, err := r.Normalize(namespace, got.Value)
	if err != nil || blocked || again != got {
		t.Errorf("%s %q gives %q, which gives %q, %v, %v", namespace, raw, got.Value,
			again.Value, blocked, err)
	}
}
