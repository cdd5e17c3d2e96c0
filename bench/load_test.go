package main

import (
	"bytes"
	"testing"
	"time"

	"selfsame/schemas"
)

// play returns all messages of a load that starts at a fixed time.
func play(t *testing.T, people int, codecs map[string]*schemas.Schema) []message {
	t.Helper()
	l := newLoad(people, 3, codecs)
	l.start = time.Unix(1_700_000_000, 0)
	var all []message
	for {
		m, ok, err := l.next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return all
		}
		all = append(all, m)
	}
}

func TestLoadIsWhatItClaims(t *testing.T) {
	const people = 5000
	first, again := play(t, people, nil), play(t, people, nil)
	size, customers, last := 0, 0, int64(0)
	for i, m := range first {
		if !bytes.Equal(m.value, again[i].value) || !bytes.Equal(m.key, again[i].key) {
			t.Fatalf("record %d differs between two loads", i)
		}
		if m.time < last || len(m.key) == 0 {
			t.Fatalf("record %d has no key, or is older than the one before", i)
		}
		last = m.time
		size += len(m.value)
		if m.dataset == "customers" {
			customers++
		}
	}
	if mean := float64(len(first)) / people; mean < 2.9 || mean > 3.1 {
		t.Errorf("%.2f records a person, want about 3", mean)
	}
	if mean := size / len(first); mean < 300 || mean > 500 {
		t.Errorf("records of %d bytes, want 300 to 500", mean)
	}
	if customers < people || customers > 2*people {
		t.Errorf("%d records of customers among %d people", customers, people)
	}
}

func TestFormatsSayTheSame(t *testing.T) {
	all, err := codecs("avro")
	if err != nil {
		t.Fatal(err)
	}
	text, binary := play(t, 300, nil), play(t, 300, all)
	if len(text) != len(binary) {
		t.Fatalf("%d records in JSON, %d in Avro", len(text), len(binary))
	}
	for i, m := range text {
		want, err := all[m.dataset].DecodeJSON(m.value, schemas.Options{Complete: true})
		if err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		got, err := all[m.dataset].DecodeAvro(binary[i].value)
		if err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		if !got.Equal(want) {
			t.Fatalf("record %d says something else in Avro", i)
		}
	}
}
