package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/profile"
)

// openTest opens a store on fs with the names that the tests use.
func openTest(t *testing.T, fs vfs.FS) *Store {
	t.Helper()
	s, err := Open("store", Options{FS: fs, CacheBytes: 8 << 20, MemtableBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Intern("profile", "email", "cookie", "crm", "web", "in", "out", "default")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func stampAt(n int64) profile.Stamp {
	return profile.Stamp{Time: n, Sequence: -n, Pos: profile.Position{Topic: "in", Partition: 3,
		Offset: n}}
}

var (
	ann  = profile.Identity{Namespace: "email", Value: "ann\x00@x"}
	tab  = profile.Identity{Namespace: "cookie", Value: "t"}
	root = profile.ID{1, 2, 3}
)

// person writes a cluster of ann and her cookie, with a fragment, an event and a link.
func person(s *Store) *Batch {
	b := s.NewBatch()
	row := Identity{FirstSeen: -5, Cluster: root, Version: 7, Degree: 1, Generation: 2}
	rowAnn, rowTab := row, row
	rowAnn.Fragments = []string{"crm"}
	rowTab.Events = []string{"web"}
	b.SetIdentity("profile", ann, &rowAnn)
	b.SetIdentity("profile", tab, &rowTab)
	b.SetCluster("profile", root, &Cluster{Members: []profile.Identity{tab, ann}})
	b.SetLink("profile", ann, tab, &Link{Assertions: []Assertion{
		{Dataset: "crm", First: stampAt(1), Latest: stampAt(9)}}}, true)
	b.SetFragment(FragmentRef{"profile", ann, "crm"}, &profile.Fragment{Floor: stampAt(1),
		Leaves: []profile.Leaf{{Path: "a", Stamp: stampAt(2), Value: allKinds()},
			{Path: profile.MakePath("b", "x.y\x00z"), Stamp: stampAt(3)}},
		Edits: []profile.Edit{
			profile.NewEdit("c", stampAt(5), profile.EditAppend, 1, profile.Int(4)),
			profile.NewEdit("c", stampAt(3), profile.EditRemove, 0, allKinds())}})
	b.SetEvent(EventRef{"profile", tab, 4, "web", "e1"}, &Event{stampAt(4), allKinds()})
	b.SetEventID("web", "e1", &EventID{Stamp: stampAt(4), Class: "profile", Identity: tab,
		Deleted: stampAt(2)})
	b.SetProfile(ProfileRef{"profile", "default", root}, &Profile{Version: 9, Digest: [16]byte{4},
		Time: 8, Cause: stampAt(3).Pos})
	b.SetProfile(ProfileRef{"profile", "default", profile.ID{7}}, &Profile{Version: 9, Time: 8,
		Identity: tab})
	b.SetPosition("in", 3, consumed())
	b.SetInput("in", halted())
	return b
}

func consumed() *Position {
	return &Position{Next: 10, MaxTime: 11, Topic: TopicID{1, 15: 2}, Generation: 3,
		Anchor: Anchor{Known: true, Offset: 8, Epoch: -1, Sum: 1 << 31}}
}

func halted() *Input {
	return &Input{State: InputHalted, Reason: "r", Since: 5, Generation: 2, Resume: ResumeSkip,
		Break: Break{Case: CaseExpired, Partition: 3, Next: 4, LogStart: 6, End: 9}}
}

func allKinds() profile.Value {
	return profile.Array([]profile.Value{profile.Null(), profile.Bool(true), profile.Int(-1 << 62),
		profile.Float(
			0.1,
		), profile.String("é"), profile.Bytes("\x00\xff"), profile.Decimal("-1.20"),
		profile.Temporal(profile.KindDate, -1), profile.Temporal(profile.KindTimestampNanos, 5),
		profile.Object([]string{"k"}, []profile.Value{profile.Array(nil)})})
}

// TestRowsRoundTrip writes every kind of row, opens the store again, and reads them back.
func TestRowsRoundTrip(t *testing.T) {
	fs := vfs.NewMem()
	s := openTest(t, fs)
	must(t, s.Commit(person(s), true))
	must(t, s.Close())
	s = openTest(t, fs)
	defer s.Close()
	r := s.Reader()
	id, err := r.Identity("profile", ann)
	must(t, err)
	if id == nil || id.FirstSeen != -5 || !slices.Equal(id.Fragments, []string{"crm"}) {
		t.Errorf("identity %+v", id)
	}
	f, err := r.Fragment(FragmentRef{"profile", ann, "crm"})
	must(t, err)
	if f.Floor != stampAt(1) || len(f.Leaves) != 2 || !f.Leaves[0].Value.Equal(allKinds()) ||
		!f.Leaves[1].Unset() || f.Leaves[1].Path.String() != "b.x\\.y\x00z" {
		t.Errorf("fragment %+v", f)
	}
	if len(f.Edits) != 2 || f.Edits[0].Index != 1 || f.Edits[0].Stamp != stampAt(5) ||
		f.Edits[1].Kind != profile.EditRemove || !f.Edits[1].Value.Equal(allKinds()) {
		t.Errorf("edits %+v", f.Edits)
	}
	l, err := r.Link("profile", tab, ann)
	must(t, err)
	if l.Latest() != stampAt(9) {
		t.Errorf("link %+v", l)
	}
	for _, ends := range [][2]profile.Identity{{ann, tab}, {tab, ann}} {
		others, err := r.Neighbours("profile", ends[0], 10)
		must(t, err)
		if len(others) != 1 || others[0].ID != ends[1] {
			t.Errorf("neighbours %v", others)
		}
	}
	e, err := r.EventID("web", "e1")
	must(t, err)
	if !e.Exists() || e.Identity != tab {
		t.Errorf("event id %+v", e)
	}
	p, err := r.Profile(ProfileRef{"profile", "default", root})
	must(t, err)
	want := &Profile{Version: 9, Digest: [16]byte{4}, Time: 8, Cause: stampAt(3).Pos}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("profile %+v", p)
	}
	position, err := r.Position("in", 3)
	must(t, err)
	if *position != *consumed() {
		t.Errorf("position %+v", position)
	}
	inputs := map[string]Input{}
	must(t, r.Inputs(func(topic string, row *Input) error {
		inputs[topic] = *row
		return nil
	}))
	if len(inputs) != 1 || inputs["in"] != *halted() {
		t.Errorf("inputs %+v", inputs)
	}
	none, err := r.Identity("profile", profile.Identity{Namespace: "email", Value: "?"})
	if none != nil || err != nil {
		t.Errorf("unknown identity: %v, %v", none, err)
	}
	if _, err := r.Identity("nothing", ann); err == nil {
		t.Error("a name that was never interned is no error")
	}
}

func TestKeysKeepOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	random := func() string {
		var b strings.Builder
		for range rnd.IntN(5) {
			b.WriteByte("\x00\x01\x02ab\xff"[rnd.IntN(6)])
		}
		return b.String()
	}
	for range 20_000 {
		a, b := random(), random()
		ka, kb := appendText(nil, a), appendText(nil, b)
		if strings.Compare(a, b) != strings.Compare(string(ka), string(kb)) {
			t.Fatalf("seed %d: %q and %q change places", seed, a, b)
		}
		back, rest, err := cutText(append(ka, 'x'))
		if back != a || string(rest) != "x" || err != nil {
			t.Fatalf("seed %d: %q comes back as %q, %v", seed, a, back, err)
		}
		m, n := rnd.Int64()-rnd.Int64(), rnd.Int64()-rnd.Int64()
		order := strings.Compare(string(appendTime(nil, m)), string(appendTime(nil, n)))
		if (m < n) != (order < 0) {
			t.Fatalf("seed %d: times %d and %d change places", seed, m, n)
		}
	}
}

func FuzzRows(f *testing.F) {
	s, err := Open("store", Options{FS: vfs.NewMem(), CacheBytes: 8 << 20, MemtableBytes: 1 << 20})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	f.Add([]byte{1, 0, 0, 0})
	f.Add([]byte{2, 0, 0, 0, 1, 1, 'p', 0, 1, 0, 0})
	f.Fuzz(func(_ *testing.T, row []byte) {
		_, _ = s.dict.decodeFragment(row)
		_, _ = s.dict.decodeEvent(row)
		_ = s.dict.decodeEntry(row, &Entry{})
		_, _ = s.dict.decodeLink(row)
		_, _ = s.dict.decodeCluster(row)
		_, _ = s.dict.decodeProfile(row)
	})
}

func TestOneProcessPerDirectory(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{CacheBytes: 8 << 20, MemtableBytes: 1 << 20})
	must(t, err)
	defer s.Close()
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("second open: %v", err)
	}
}

func TestForeignFormatIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	s := openTest(t, fs)
	must(t, s.db.Set(metaKey(metaFormat), []byte{0, 0, 0, 9}, pebble.Sync))
	must(t, s.Close())
	_, err := Open("store", Options{FS: fs})
	if err == nil || !strings.Contains(err.Error(), "format 00000009") {
		t.Errorf("opening format 9: %v", err)
	}
}

func pointTo(n byte) Entry {
	return Entry{Kind: EntryProfile, Topic: "out", Class: "profile", Policy: "default",
		ID: profile.ID{n}}
}

func enqueue(t *testing.T, s *Store, entries ...Entry) {
	t.Helper()
	b := s.NewBatch()
	for _, e := range entries {
		b.Enqueue(e)
	}
	must(t, s.Commit(b, true))
}

func take(t *testing.T, s *Store, limit int) []uint64 {
	t.Helper()
	taken, err := s.Take(limit)
	must(t, err)
	var seqs []uint64
	for _, e := range taken.Entries {
		seqs = append(seqs, e.Seq)
	}
	if taken.Snapshot != nil {
		must(t, taken.Snapshot.Close())
	}
	return seqs
}

// TestOutbox: changes fold into a waiting entry, never into one that was taken; what was not
// acknowledged in a commit comes back after a restart.
func TestOutbox(t *testing.T) {
	fs := vfs.NewMem()
	s := openTest(t, fs)
	enqueue(t, s, pointTo(1), pointTo(2))
	enqueue(t, s, pointTo(1)) // folds into entry 0
	if got := take(t, s, 1); !slices.Equal(got, []uint64{0}) {
		t.Fatalf("took %v", got)
	}
	enqueue(t, s, pointTo(1), pointTo(2)) // entry 0 is frozen: a new one; 1 still waits
	if got := take(t, s, 10); !slices.Equal(got, []uint64{1, 2}) {
		t.Fatalf("took %v", got)
	}
	s.Ack(0, 2)
	enqueue(t, s, pointTo(3)) // forgets them
	must(t, s.Close())
	s = openTest(t, fs)
	defer s.Close()
	enqueue(t, s, pointTo(2)) // entry 1 counts as frozen, and now need not be published
	if got := take(t, s, 10); !slices.Equal(got, []uint64{3, 4}) {
		t.Fatalf("after a restart took %v", got)
	}
	if s.OutboxDepth() != 2 || s.Acked() != 1 {
		t.Errorf("depth %d, acknowledged %d", s.OutboxDepth(), s.Acked())
	}
}

// TestCrash: after a crash the store is a prefix of the commits with every durable one in it.
func TestCrash(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for _, kept := range []int{0, 50, 100} {
		fs := vfs.NewCrashableMem()
		s := openTest(t, fs)
		durable := int64(0)
		for n := int64(1); n <= 40; n++ {
			b := s.NewBatch()
			b.SetPosition("in", 0, &Position{Next: n})
			b.Enqueue(pointTo(byte(n)))
			synced := rnd.IntN(3) == 0
			must(t, s.Commit(b, synced))
			if synced {
				durable = n
			}
		}
		clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rnd})
		must(t, s.Close())
		s = openTest(t, clone)
		p, err := s.Reader().Position("in", 0)
		must(t, err)
		if p == nil || p.Next < durable {
			t.Fatalf("seed %d, %d %% kept: at %+v, durable was %d", seed, kept, p, durable)
		}
		if got := len(take(t, s, 100)); got != int(p.Next) {
			t.Fatalf("seed %d: %d outbox entries at commit %d", seed, got, p.Next)
		}
		must(t, s.Close())
	}
}

// TestCheck breaks one invariant after another and sees it found.
func TestCheck(t *testing.T) {
	other := profile.ID{9}
	breaks := map[string]func(b *Batch){
		"nothing":     func(*Batch) {},
		"its cluster": func(b *Batch) { b.DeleteCluster("profile", root) },
		"does not point back": func(b *Batch) {
			b.SetCluster("profile", other, &Cluster{Members: []profile.Identity{ann}})
		},
		"lists fragments": func(b *Batch) {
			b.SetFragment(FragmentRef{"profile", tab, "crm"}, &profile.Fragment{})
		},
		"lists events": func(b *Batch) {
			b.DeleteEvent(EventRef{"profile", tab, 4, "web", "e1"})
		},
		"its event is missing": func(b *Batch) {
			b.DeleteEvent(EventRef{"profile", tab, 4, "web", "e1"})
		},
		"does not name it": func(b *Batch) { b.SetEventID("web", "e1", &EventID{}) },
		"alive but has no cluster": func(b *Batch) {
			b.SetProfile(ProfileRef{"profile", "default", other}, &Profile{})
		},
		"has no assertions": func(b *Batch) {
			b.SetLink("profile", ann, tab, &Link{}, false)
		},
		"no such key space": func(b *Batch) { b.setRaw([]byte("zzz"), nil, nil) },
		"bad number":        func(b *Batch) { b.setRaw(metaless(b, ann), []byte{1}, nil) },
		"union/profile: does not decode": func(b *Batch) {
			must(t, b.store.SetUnions(Union{Class: "profile", Avro: []byte("{}")}))
		},
		"input in: does not decode": func(b *Batch) { b.SetInput("in", &Input{State: 9}) },
		"is no offset":              func(b *Batch) { b.SetPosition("in", 0, &Position{Next: -1}) },
		"its other end is not known": func(b *Batch) {
			b.SetLink("profile", ann, profile.Identity{Namespace: "cookie", Value: "?"},
				&Link{Assertions: []Assertion{{Dataset: "crm"}}}, true)
		},
	}
	for want, harm := range breaks {
		s := openTest(t, vfs.NewMem())
		must(t, s.Commit(person(s), true))
		b := s.NewBatch()
		harm(b)
		must(t, s.Commit(b, true))
		var found []string
		_, err := s.Check(context.Background(), func(p Problem) {
			found = append(found, p.String())
			if strings.Contains(p.String(), "ann") {
				t.Errorf("a personal value in %s", p)
			}
		})
		must(t, err)
		text := strings.Join(found, "\n")
		if want == "nothing" && text != "" || want != "nothing" && !strings.Contains(text, want) {
			t.Errorf("want %q, found:\n%s", want, text)
		}
		must(t, s.Close())
	}
}

// metaless is the key of an identity's row.
func metaless(b *Batch, id profile.Identity) []byte {
	key, err := b.store.dict.identityKey(nil, "profile", id)
	b.fail(err)
	return key
}

func BenchmarkCommit(b *testing.B) {
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Intern("profile", "email"); err != nil {
		b.Fatal(err)
	}
	for n := 0; b.Loop(); n++ {
		batch := s.NewBatch()
		for i := range 256 {
			id := profile.Identity{Namespace: "email", Value: fmt.Sprint(n*256 + i)}
			batch.SetIdentity("profile", id, &Identity{})
		}
		if err := s.Commit(batch, true); err != nil {
			b.Fatal(err)
		}
	}
}
