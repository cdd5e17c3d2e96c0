package integration

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"selfsame/examples/retail"
)

// idKey makes all daemons and the reference give the same profile ids.
const idKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

const inputPartitions = 4

// inputTopics are those of the example.
var inputTopics = []string{"shop.crm", "shop.loyalty", "shop.events"}

// shop is the example shop on a broker, with input topics of its own.
type shop struct {
	t       *testing.T
	addr    string
	prefix  string // of the names of topics, groups and transactional ids
	client  *kgo.Client
	rng     *rand.Rand
	keyless int32 // messages without a key so far
	sent    []retail.Message
}

// openShop makes the input topics and prints the seed.
func openShop(t *testing.T, addr string) *shop {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	s := &shop{t: t, addr: addr, client: connect(t, addr), rng: rand.New(rand.NewPCG(seed, 0)),
		prefix: fmt.Sprintf("it-%s-%d.", strings.ToLower(filepath.Base(t.Name())),
			time.Now().UnixNano())}
	for _, topic := range inputTopics {
		createTopic(t, s.client, s.prefix+topic, inputPartitions)
	}
	return s
}

// inputs are the names of the shop's input topics.
func (s *shop) inputs() []string {
	var names []string
	for _, topic := range inputTopics {
		names = append(names, s.prefix+topic)
	}
	return names
}

// traffic is a month of the example shop that ends now.
func (s *shop) traffic(people int) []retail.Message {
	return retail.Generate(s.rng.Uint64(), people, time.Now().Add(-retail.Span))
}

// send produces messages and waits until the broker has them.
func (s *shop) send(messages ...retail.Message) {
	s.t.Helper()
	must(s.t, s.produce(messages...))
}

// produce is send for a goroutine, which cannot end the test.
func (s *shop) produce(messages ...retail.Message) error {
	var records []*kgo.Record
	for _, m := range messages {
		records = append(records, s.record(m))
	}
	s.sent = append(s.sent, messages...)
	return s.client.ProduceSync(soon(s.t), records...).FirstErr()
}

// record is a message as the client takes it. The records of a key share a partition.
func (s *shop) record(m retail.Message) *kgo.Record {
	r := &kgo.Record{Topic: s.prefix + m.Topic, Key: m.Key, Value: m.Value,
		Timestamp: time.Unix(0, m.Time)}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	if m.Key == nil {
		s.keyless++
		r.Partition = s.keyless % inputPartitions
		return r
	}
	sum := fnv.New32a()
	sum.Write(m.Key)
	r.Partition = int32(sum.Sum32() % inputPartitions)
	return r
}

// home is an installation of the program: a configuration, a data directory, output topics.
type home struct {
	shop *shop
	name string // prefix of what belongs to it
	dir  string
}

// install writes the example's configuration, changed as far as it has to be.
func (s *shop) install(name string) *home {
	s.t.Helper()
	h := &home{shop: s, name: s.prefix + name, dir: s.t.TempDir()}
	text := string(retail.Config())
	for _, change := range [][2]string{
		{`"127.0.0.1:9092"`, `"` + s.addr + `"`},
		{"127.0.0.1:8080", "127.0.0.1:0"},
		{"group: selfsame ", "group: " + h.group() + " "},
		{"transactional_id: selfsame.0", "transactional_id: " + h.name + ".0"},
		{"topic: shop.", "topic: " + s.prefix + "shop."},
		{" retail.", " " + h.name + ".retail."},
		// What is compared must not depend on when it was looked at.
		{"window: 30d", "window: lifetime"},
		{"window: month, zone: Europe/London", "window: lifetime"},
		{"window: 90d", "window: lifetime"},
		{"window: 5s", "window: lifetime"},
	} {
		if !strings.Contains(text, change[0]) {
			s.t.Fatalf("the example's configuration does not hold %q", change[0])
		}
		text = strings.ReplaceAll(text, change[0], change[1])
	}
	// Small commits, so that there are many points at which to be killed.
	text += "\npipeline: {batch_records: 100, offsets_interval: 200ms}\n" +
		"store: {cache: 32MiB, memtable: 8MiB}\n"
	must(s.t, os.WriteFile(h.config(), []byte(text), 0o600))
	must(s.t, os.WriteFile(filepath.Join(h.dir, "id.key"), []byte(idKey), 0o600))
	must(s.t, os.CopyFS(h.dir, retail.Schemas()))
	return h
}

func (h *home) config() string           { return filepath.Join(h.dir, "selfsame.yaml") }
func (h *home) store() string            { return filepath.Join(h.dir, "data", "store") }
func (h *home) group() string            { return h.name + ".group" }
func (h *home) topic(name string) string { return h.name + ".retail." + name }

func (h *home) profiles() string    { return h.topic("profiles") }
func (h *home) assignments() string { return h.topic("assignments") }
func (h *home) identity() string    { return h.topic("identity") }
func (h *home) deadLetters() string { return h.topic("dead-letters") }

func (h *home) control() string { return h.topic("control") }
func (h *home) audit() string   { return h.topic("audit") }

func (h *home) outputs() []string {
	return []string{h.profiles(), h.assignments(), h.identity(), h.deadLetters(), h.audit()}
}

// start runs the daemon.
func (h *home) start() *daemon { return start(h.shop.t, h.config()) }

// drain waits until the daemon has consumed the input to its end and published what came of it.
func (h *home) drain(d *daemon) status {
	t := h.shop.t
	t.Helper()
	ends := endsOf(t, h.shop.client, h.shop.inputs()...)
	var last status
	await(t, "the daemon to drain", func() bool {
		s, ok := d.status()
		if !ok {
			select {
			case <-d.ended:
				t.Fatalf("the daemon ended: %v", d.exit)
			default:
			}
			return false
		}
		last = s
		return s.Ready && s.OutboxDepth == 0 && reached(s.positions(), ends)
	})
	return last
}

func reached(positions, ends map[place]int64) bool {
	for at, end := range ends {
		if positions[at] < end {
			return false
		}
	}
	return true
}
