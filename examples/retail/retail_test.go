package retail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, time.March, 1, 9, 0, 0, 0, time.UTC)

// digest is a hash over all that a message is.
func digest(messages []Message) string {
	h := sha256.New()
	for _, m := range messages {
		fmt.Fprintf(h, "%q %q %x %x %t %d %q\n",
			m.Dataset, m.Topic, m.Key, m.Value, m.Value == nil, m.Time, m.Expect)
		for _, header := range m.Headers {
			fmt.Fprintf(h, "  %q %x\n", header.Key, header.Value)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

func take(n int, seed uint64) []Message {
	var got []Message
	for m := range Stream(seed, start) {
		got = append(got, m)
		if len(got) == n {
			break
		}
	}
	return got
}

func TestGolden(t *testing.T) {
	if got, want := digest(Generate(1, 50, start)), "f88c7972e3f71288"; got != want {
		t.Errorf("Generate(1, 50): %s, want %s: stored expectations change with it", got, want)
	}
	if got, want := digest(take(1000, 1)), "f384deeee27c7aca"; got != want {
		t.Errorf("Stream(1): %s, want %s", got, want)
	}
	if digest(Generate(1, 50, start)) == digest(Generate(2, 50, start)) {
		t.Error("the seed makes no difference")
	}
}

func TestALifeDoesNotDependOnOthers(t *testing.T) {
	few, many := Generate(7, 10, start), Generate(7, 30, start)
	kept := 0
	for _, m := range few {
		same := func(n Message) bool { return digest([]Message{m}) == digest([]Message{n}) }
		if !slices.ContainsFunc(many, same) {
			t.Fatalf("%s %s at %d is not in the larger population", m.Dataset, m.Key, m.Time)
		}
		kept++
	}
	if kept < 60 {
		t.Errorf("only %d messages for 10 people", kept)
	}
}

func TestKafkaTime(t *testing.T) {
	end := start.Add(Span).UnixNano()
	for name, messages := range map[string][]Message{
		"generate": Generate(3, 200, start), "stream": take(3000, 3),
	} {
		last := start.UnixNano()
		for _, m := range messages {
			if m.Time < last || m.Time%int64(time.Millisecond) != 0 || m.Time >= end {
				t.Fatalf("%s: Kafka timestamp %d after %d", name, m.Time, last)
			}
			last = m.Time
		}
	}
}

func TestProportions(t *testing.T) {
	const people = 2000
	messages := Generate(5, people, start)
	invalid, duplicates, byDataset := 0, 0, map[string]int{}
	for _, m := range messages {
		byDataset[m.Dataset]++
		switch m.Expect {
		case "":
		case Duplicate:
			duplicates++
		default:
			invalid++
		}
	}
	each := float64(len(messages)) / people
	if each < 10 || each > 14 {
		t.Errorf("%.1f messages a person, want about 12", each)
	}
	if share := 100 * float64(invalid) / float64(len(messages)); share < 1.5 || share > 2.5 {
		t.Errorf("%.2f %% are invalid, want about 2", share)
	}
	if duplicates < people/5 {
		t.Errorf("%d duplicates", duplicates)
	}
	for _, dataset := range []string{"crm", "loyalty", "web", "till"} {
		if byDataset[dataset] < people/2 {
			t.Errorf("%d messages of %s", byDataset[dataset], dataset)
		}
	}
}

func TestStreamPace(t *testing.T) {
	messages := take(6000, 2)
	took := time.Duration(messages[len(messages)-1].Time - messages[1000].Time)
	if rate := 5000 / took.Seconds(); rate < 2 || rate > 4 {
		t.Errorf("%.1f messages a second, want about 3", rate)
	}
}

func TestPeopleComeBack(t *testing.T) {
	s := newShop(1)
	who := s.person(5)
	ids := map[string]int{}
	for round := range 3 {
		for _, m := range s.live(who, round, start, start.Add(streamLife)) {
			if m.Expect == "" && m.Dataset == "web" {
				ids[webID(t, m)]++
			}
		}
	}
	for id, n := range ids {
		if n > 1 {
			t.Errorf("event id %s was given out %d times", id, n)
		}
	}
	if len(ids) < 9 {
		t.Errorf("%d web events in three visits", len(ids))
	}
}

// TestPhones: however it is written, a number has its ten significant digits, and up to 11,000
// people have one of their own.
func TestPhones(t *testing.T) {
	s := newShop(1)
	owner := map[string]int{}
	for number := 0; number < 11_000; number += 9 {
		phone := strings.ReplaceAll(s.person(number).phone, " ", "")
		national := strings.TrimPrefix(strings.TrimPrefix(phone, "+44"), "0")
		if len(national) != 10 {
			t.Errorf("phone %q of person %d", phone, number)
		}
		if other, taken := owner[national]; taken {
			t.Errorf("people %d and %d share %s", other, number, national)
		}
		owner[national] = number
	}
}

// TestTexture checks that what the package comment promises occurs.
func TestTexture(t *testing.T) {
	found := map[string]int{}
	devices := map[string]int{}
	for _, m := range Generate(1, 400, start) {
		for name, is := range textures {
			if m.Expect == "" && is(m) {
				found[name]++
			}
		}
		if m.Dataset == "web" && bytes.Contains(m.Value, []byte(`"login"`)) {
			devices[string(m.Key)]++
		}
	}
	for name := range textures {
		if found[name] == 0 {
			t.Errorf("no message with %s", name)
		}
	}
	shared := 0
	for device, logins := range devices {
		if device != "" && logins > 1 {
			shared++
		}
	}
	if shared < 50 || devices["kiosk-leeds-1"] < 11 {
		t.Errorf("%d shared devices, %d logins on a kiosk", shared, devices["kiosk-leeds-1"])
	}
}

var textures = map[string]func(m Message) bool{
	"a tombstone":      func(m Message) bool { return m.Value == nil && m.Dataset == "crm" },
	"a delete":         func(m Message) bool { return header(m, "selfsame-op") == "delete" },
	"an unset":         contains("crm", `"phone":null`),
	"a nested unset":   contains("crm", `"postcode":null`),
	"a decimal":        contains("crm", `"store_credit":`),
	"a blocked cookie": contains("web", `"cookie":"undefined"`),
	"a blocked e-mail": contains("crm", `"email_addr":"null"`),
	"no key":           func(m Message) bool { return m.Key == nil && m.Dataset == "web" },
	"an order":         contains("web", `"kind":"order"`),
	"a household":      contains("web", `"cookie":"tablet-`),
}

func contains(dataset, text string) func(m Message) bool {
	return func(m Message) bool {
		return m.Dataset == dataset && bytes.Contains(m.Value, []byte(text))
	}
}

func header(m Message, key string) string {
	for _, h := range m.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

func TestConfigNamesTheFiles(t *testing.T) {
	files, err := fs.Glob(Schemas(), "schemas/*.avsc")
	if err != nil || len(files) != 4 {
		t.Fatalf("schemas: %q, %v", files, err)
	}
	for _, file := range files {
		if !strings.Contains(string(Config()), "schema: "+file+"\n") {
			t.Errorf("the configuration does not name %s", file)
		}
	}
}
