package computed

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"selfsame/profile"
)

// FuzzSummary feeds the decoder of summaries: what it takes, it writes back the same.
func FuzzSummary(f *testing.F) {
	s := &summary{span: Span{-5, 7}, count: 3, rows: 2, cut: 1}
	if _, _, err := s.sum.SetString("-12.5e9"); err != nil {
		f.Fatal(err)
	}
	f.Add(appendSummary(nil, s))
	f.Add(appendSummary(nil, &summary{}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := readSummary(raw)
		if err != nil {
			return
		}
		if again := appendSummary(nil, s); !bytes.Equal(again, raw) {
			t.Errorf("%x is written back as %x", raw, again)
		}
	})
}

// FuzzValue feeds the decoder of stored values, for every type.
func FuzzValue(f *testing.F) {
	money := &Type{Kind: profile.KindDecimal, Precision: 9, Scale: 2}
	f.Add(uint8(profile.KindDecimal), appendValue(nil, profile.Decimal("-12.34"), money))
	f.Add(uint8(profile.KindString), []byte("text"))
	f.Add(uint8(profile.KindFloat), appendValue(nil, profile.Float(-0.5), nil))
	f.Add(uint8(profile.KindBool), []byte{1})
	f.Fuzz(func(t *testing.T, kind uint8, raw []byte) {
		typ := &Type{Kind: profile.Kind(kind), Scale: 2}
		if !typ.Kind.Valid() || !scalar(typ.Kind) {
			return
		}
		v, err := readValue(raw, typ)
		if err != nil {
			return
		}
		if again := appendValue(nil, v, typ); !bytes.Equal(again, raw) {
			t.Errorf("%s: %x is written back as %x", typ, raw, again)
		}
	})
}

// FuzzRows opens and folds a state on rows that may be broken: it says so, and does not fail.
func FuzzRows(f *testing.F) {
	class := randomClass(f)
	var attributes []*Attribute
	for function, b := range behaviours {
		def := Definition{Name: string(function), Datasets: []string{"web"}, Function: function,
			Value: "amount", Window: "lifetime"}
		if function == LastN {
			def.N = 3
		}
		if b.distinct {
			def.MaxDistinct = 2
		}
		attributes = append(attributes, compile(f, def, class))
	}
	full := appendSummary(nil, &summary{span: attributes[0].Window(0), count: 1, rows: 1})
	f.Add(full, []byte{2, 0, 1, 7}, []byte{1})
	f.Add(full, []byte("place of an event in the order"), []byte{1, 1})
	f.Fuzz(func(t *testing.T, sum, key, value []byte) {
		for _, a := range attributes {
			rows := &memRows{}
			rows.Put([]byte("s"), sum)
			rows.Put(append([]byte("i"), key...), value)
			s, err := a.Open(rows)
			if err != nil || !s.Ready(0) {
				continue
			}
			if _, err := a.Fold([]*State{s}, 0); err != nil && !errors.Is(err, errRow) {
				t.Errorf("%s: %v", a.Name(), err)
			}
		}
	})
}

func TestBrokenRows(t *testing.T) {
	good := appendSummary(nil, &summary{count: 1})
	for what, raw := range map[string][]byte{
		"nothing":          {},
		"another version":  append([]byte{2}, good[1:]...),
		"one byte less":    good[:len(good)-1],
		"one byte more":    append(bytes.Clone(good), 0),
		"a negative count": {1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		"zeros at the end": {1, 0, 0, 1, 0, 0, 0, 0, 1, 10},
		"minus zero":       {1, 0, 0, 1, 0, 0, 0, 1, 0},
		"a huge sum": append([]byte{1, 0, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 3},
			make([]byte, 65535)...),
		"a huge exponent":   {1, 0, 0, 1, 0, 0, 0xff, 0xff, 3, 0, 1, 1},
		"two forms of zero": {1, 0x80, 0, 0, 1, 0, 0, 0, 0, 0},
	} {
		if _, err := readSummary(raw); !errors.Is(err, errRow) {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

// broken are Rows of a store that fails.
type broken struct{ memRows }

var errDisk = errors.New("disk on fire")

func (b *broken) Get([]byte) ([]byte, error) { return nil, errDisk }

func TestStoreFaultsAreNamed(t *testing.T) {
	a := compile(t, Definition{Name: "n", Datasets: []string{"web"}, Function: Count,
		Window: "lifetime"}, randomClass(t))
	_, err := a.Open(&broken{})
	if !errors.Is(err, errDisk) || !strings.Contains(err.Error(), `"n"`) {
		t.Errorf("got %v", err)
	}
}

// TestDeleteOfTheUnknownIsAFault proves that taking out what was never put in is noticed.
func TestDeleteOfTheUnknownIsAFault(t *testing.T) {
	a := compile(t, Definition{Name: "n", Datasets: []string{"web"}, Function: Max, Value: "qty",
		Window: "lifetime"}, randomClass(t))
	w := newWorld(a)
	states, err := w.states(0, []string{"ann"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	e := &Event{Dataset: "web", ID: "1", Body: profile.Object([]string{"qty"},
		[]profile.Value{profile.Int(3)})}
	if _, err := states[0].Delete(e); !errors.Is(err, errRow) {
		t.Errorf("got %v", err)
	}
}
