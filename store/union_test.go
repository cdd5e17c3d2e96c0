package store

import (
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func testUnion(class, avro string) Union {
	sum := sha256.Sum256([]byte(avro))
	return Union{Class: class, Fingerprint: hex.EncodeToString(sum[:]), Avro: []byte(avro),
		Datasets: []string{"crm", "shop"}}
}

// TestUnionsSurvive: what was set is there after a crash, and makes no commit.
func TestUnionsSurvive(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := openTest(t, fs)
	if u, err := s.Reader().Union("profile"); u != nil || err != nil {
		t.Fatalf("of a new store: %v, %v", u, err)
	}
	person, events := testUnion("profile", `{"a":1}`), testUnion("profile.events", `{}`)
	must(t, s.SetUnions(events, person))
	clone := fs.CrashClone(vfs.CrashCloneCfg{})
	must(t, s.Close())
	s = openTest(t, clone)
	defer func() { must(t, s.Close()) }()
	if !s.Empty() {
		t.Error("remembering a schema counts as a commit")
	}
	var found []Union
	must(t, s.Reader().Unions(func(u *Union) error {
		found = append(found, *u)
		return nil
	}))
	if want := []Union{person, events}; !reflect.DeepEqual(found, want) {
		t.Errorf("found %+v, want %+v", found, want)
	}
	u, err := s.Reader().Union("profile.events")
	if err != nil || u == nil || !reflect.DeepEqual(*u, events) {
		t.Errorf("read %+v, %v", u, err)
	}
}
