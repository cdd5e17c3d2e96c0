package identity

import (
	"errors"
	"strings"
	"testing"

	"selfsame/profile"
)

func TestRoot(t *testing.T) {
	r := shop(t)
	member := func(text string, seen int64) Member { return Member{id(text), seen} }
	tests := []struct {
		name    string
		members []Member
		want    string
	}{
		{"alone", []Member{member("ecid:1", 5)}, "ecid:1"},
		{"the strongest", []Member{member("ecid:1", 1), member("crm:z", 9)}, "crm:z"},
		{"the first seen", []Member{member("email:a", 3), member("email:b", 2)}, "email:b"},
		{"the smallest", []Member{member("email:b", 2), member("email:a", 2)}, "email:a"},
		{"a time before the epoch", []Member{member("ecid:1", 0), member("ecid:2", -1)}, "ecid:2"},
		{"undeclared last", []Member{member("alien:1", 1), member("ecid:1", 9)}, "ecid:1"},
		{"undeclared among themselves", []Member{member("b:1", 1), member("a:1", 1)}, "a:1"},
	}
	for _, test := range tests {
		for range len(test.members) {
			if got := r.Root(test.members); got != id(test.want) {
				t.Errorf("%s: %v", test.name, got)
			}
			test.members = append(test.members[1:], test.members[0])
		}
	}
	if got := r.Root(nil); !got.IsZero() {
		t.Errorf("nobody has a root: %v", got)
	}
}

// TestProfileIDGolden pins ids that are on disk and in topics: a change breaks every store.
func TestProfileIDGolden(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	golden := []struct{ class, id, want string }{
		{"profile", "crm:ada", "8bd6ac3d918ebd274076b55de71a93ce"},
		{"account", "crm:ada", "1d0eccc4527133b29ee8297c9ab4b442"},
		{"profile", "email:ada@example.com", "3e486be6d00f16c5f0ee0503ac754ba5"},
		{"profile", "ecid:ü:1", "f54b0af74c27d0aacd205808c5f6adc7"},
	}
	for _, g := range golden {
		got := NewProfileID(key, g.class, id(g.id))
		if got.String() != g.want {
			t.Errorf("%s %s: %v, want %s", g.class, g.id, got, g.want)
		}
		if back, err := ParseProfileID(got.String()); err != nil || back != got {
			t.Errorf("%v parses as %v, %v", got, back, err)
		}
	}
}

func TestProfileIDSeparatesItsParts(t *testing.T) {
	key := []byte("0123456789abcdef")
	seen := map[ProfileID]string{}
	for _, parts := range [][3]string{
		{"ab", "c", "d"}, {"a", "bc", "d"}, {"a", "b", "cd"}, {"abcd", "", ""}, {"", "abcd", ""},
	} {
		got := NewProfileID(key, parts[0], profile.Identity{Namespace: parts[1], Value: parts[2]})
		name := strings.Join(parts[:], "|")
		if other := seen[got]; other != "" {
			t.Errorf("%s and %s have one id", other, name)
		}
		seen[got] = name
	}
	one := profile.Identity{Namespace: "crm", Value: "ada"}
	other := []byte("0123456789abcdeg")
	if NewProfileID(key, "profile", one) == NewProfileID(other, "profile", one) {
		t.Error("the key does not matter")
	}
}

func TestParseProfileIDRefuses(t *testing.T) {
	for _, text := range []string{"", "00", strings.Repeat("0", 31), strings.Repeat("0", 33),
		strings.Repeat("g", 32), strings.Repeat("0", 64)} {
		if _, err := ParseProfileID(text); err == nil {
			t.Errorf("%q is an id", text)
		}
	}
}

func TestValidateKey(t *testing.T) {
	if err := ValidateKey(make([]byte, MinKeyBytes)); err != nil {
		t.Error(err)
	}
	var short *KeyError
	err := ValidateKey(make([]byte, MinKeyBytes-1))
	if !errors.As(err, &short) || short.Length != 15 || err.Error() != "the profile id key has "+
		"15 bytes, at least 16 are needed" {
		t.Errorf("%v", err)
	}
}
