package schemas

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"

	"selfsame/profile"
)

// TestProfileFiles writes files of profiles with attributes of random unions, and reads them with
// goavro's reader of container files.
func TestProfileFiles(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range 100 {
		s := mustParse(t, (&randomSchema{rand: r}).record(3))
		union := mustCompose(t, Member{Dataset: "a", Schema: s})
		p, err := NewProfileSchema("profile", union, nil)
		if err != nil {
			t.Fatal(err)
		}
		var all []*ProfileRecord
		for range r.IntN(20) {
			attributes, _ := randomPresent(r, union.Type())
			all = append(all, &ProfileRecord{ID: "5f1c", Class: "profile", Policy: "default",
				Version: r.Uint64N(1 << 53), Attributes: attributes,
				Identities: map[string][]string{"crm": {"1", "2"}, "email": {"ann@example.org"}},
				Datasets:   []string{"crm", "web"}})
		}
		file := fileOf(t, p, all, Codecs()[i%len(Codecs())])
		checkFile(t, p, file, all)
	}
}

// fileOf writes profiles in blocks of three.
func fileOf(t *testing.T, p *ProfileSchema, all []*ProfileRecord, codec string) []byte {
	t.Helper()
	c, err := NewContainer(p.Avro(), codec, [16]byte{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	file := c.Header()
	for len(all) > 0 {
		n := min(3, len(all))
		var block []byte
		for _, one := range all[:n] {
			data, err := p.Encode(one)
			if err != nil {
				t.Fatalf("%s: %v", p.Avro(), err)
			}
			block = append(block, data...)
		}
		file, all = c.AppendBlock(file, n, block), all[n:]
	}
	return file
}

func checkFile(t *testing.T, p *ProfileSchema, file []byte, want []*ProfileRecord) {
	t.Helper()
	reader, err := goavro.NewOCFReader(bytes.NewReader(file))
	if err != nil {
		t.Fatalf("%s: %v", p.Avro(), err)
	}
	for reader.Scan() {
		native, err := reader.Read()
		if err != nil || len(want) == 0 {
			t.Fatalf("%d records still wanted, %v", len(want), err)
		}
		got := fromNative(p.schema.root, native)
		data, err := p.Encode(want[0])
		if err != nil {
			t.Fatal(err)
		}
		checkDecodes(t, p.schema, data, got)
		if !got.Field("attributes").Equal(want[0].Attributes) ||
			got.Field("version").AsInt() != int64(want[0].Version) ||
			got.Field("identities").Field("crm").Len() != 2 {
			t.Fatalf("got %s", profile.AppendJSON(nil, got))
		}
		want = want[1:]
	}
	if err := reader.Err(); err != nil || len(want) > 0 {
		t.Fatalf("%d records are missing, %v", len(want), err)
	}
}

// TestProfileWithoutAttributes: a class that has events only is exported too.
func TestProfileWithoutAttributes(t *testing.T) {
	p, err := NewProfileSchema("my class", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	one := &ProfileRecord{ID: "1", Attributes: profile.Object(nil, nil),
		Identities: map[string][]string{"crm": {"1", "2"}}}
	checkFile(t, p, fileOf(t, p, []*ProfileRecord{one}, CodecNull), []*ProfileRecord{one})
}

func TestUnknownCodec(t *testing.T) {
	if _, err := NewContainer(nil, "zip", [16]byte{}); err == nil {
		t.Error("codec zip is known")
	}
}
