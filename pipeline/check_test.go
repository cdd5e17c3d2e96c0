package pipeline_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"selfsame/computed"
	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

// damaged is a world in which ann has three orders, one of them folded into its day.
type damaged struct {
	*world
	ann  profile.Identity
	head *store.ComputedHead
}

func newDamaged(t *testing.T) *damaged {
	t.Helper()
	orders := []string{"orders"}
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		addOrders(t)(m)
		def := func(name string, f computed.Function, value, window string) computed.Definition {
			return computed.Definition{Name: name, Datasets: orders, Function: f, Value: value,
				Window: window}
		}
		define(t, m, def("spend", computed.Sum, "amount", "lifetime"),
			def("products", computed.UniqueList, "product", "lifetime"),
			def("last", computed.MostRecent, "product", "lifetime"),
			def("recent", computed.Count, "", "96h"))
	})
	for _, line := range []string{
		`{"order":"a","crm":"1","amount":"5","product":"tea","at":"2023-11-10T10:00:00Z"}`,
		`{"order":"b","crm":"1","amount":"7","product":"cup","at":"2023-11-13T10:00:00Z"}`,
		`{"order":"c","crm":"1","amount":"9","product":"pot","at":"2023-11-14T10:00:00Z"}`,
	} {
		w.send(pipeline.TopicPartition{Topic: "orders"}, pipeline.Record{Value: []byte(line)})
	}
	w.drain()
	d := &damaged{world: w, ann: profile.Identity{Namespace: "crm", Value: "1"}}
	day := time.Date(2023, 11, 12, 0, 0, 0, 0, time.UTC).UnixNano()
	w.must(w.shard.ExpireEvents("profile", d.ann, day, w.now.UnixNano()))
	w.check()
	var err error
	d.head, err = w.store.Reader().ComputedHead("profile", d.ann)
	w.must(err)
	return d
}

// rows are those of the attribute of a number.
func (d *damaged) rows(number uint16) *store.ComputedRows {
	rows, err := d.store.Reader().Computed(store.ComputedRef{Class: "profile", Identity: d.ann,
		Number: number}, d.head.Find(number).Summary)
	d.must(err)
	return rows
}

// put writes rows and the head back.
func (d *damaged) put(number uint16, rows *store.ComputedRows) {
	b := d.store.NewBatch()
	b.SetComputed(rows)
	d.head.Find(number).Summary = rows.Summary()
	b.SetComputedHead("profile", d.ann, d.head)
	d.must(d.store.Commit(b, true))
}

// drop takes away the first row whose key begins with a prefix.
func (d *damaged) drop(number uint16, prefix string) {
	rows, key := d.rows(number), []byte(nil)
	for row, err := range rows.Scan([]byte(prefix), append([]byte(prefix), 0xff), false) {
		d.must(err)
		key = bytes.Clone(row.Key)
		break
	}
	d.must(rows.Put(key, nil))
	d.put(number, rows)
}

// dropTotals takes away the totals of a folded day.
func (d *damaged) dropTotals(number uint16) {
	rows, key := d.rows(number), []byte(nil)
	for row, err := range rows.Scan([]byte("d"), []byte("e"), false) {
		d.must(err)
		if bytes.HasSuffix(row.Key, []byte("s")) {
			key = bytes.Clone(row.Key)
		}
	}
	d.must(rows.Put(key, nil))
	d.put(number, rows)
}

// TestCheckComputed damages what computed attributes keep, each time in another way: the check says
// what is wrong.
func TestCheckComputed(t *testing.T) {
	event := func(d *damaged, id, at string) *computed.Event {
		when, err := time.Parse(time.RFC3339, at)
		d.must(err)
		body := profile.Object([]string{"amount", "product"},
			[]profile.Value{profile.Decimal("1.00"), profile.String("jug")})
		return &computed.Event{Dataset: "orders", ID: id, Time: when.UnixNano(), Body: body}
	}
	type step func(*computed.State, *computed.Event) error
	change := func(number uint16, what step) func(*damaged) {
		return func(d *damaged) {
			rows := d.rows(number)
			s, err := d.model.Entities[0].Computed[number-1].Attribute.Open(rows)
			d.must(err)
			d.must(what(s, event(d, "x", "2023-11-14T11:00:00Z")))
			d.must(s.Save())
			d.put(number, rows)
		}
	}
	insert := func(s *computed.State, e *computed.Event) error {
		_, err := s.Insert(e)
		return err
	}
	const ann = "computed profile/crm(1 bytes): attribute "
	for name, c := range map[string]struct {
		damage func(*damaged)
		want   []string
	}{
		"an event too many in a sum": {change(1, insert), []string{
			ann + "spend (1): it is made of 4 events, and 3 count",
			ann + "spend (1): its sum is not that of its events"}},
		"and in an index": {change(2, insert), []string{
			ann + "products (2): it is made of 4 events, and 3 count",
			ann + "products (2): its index is not that of its events"}},
		"a row is gone": {func(d *damaged) { d.drop(2, "i") }, []string{
			ann + "products (2): its index is not that of its events",
			ann + "products (2): its index has 2 rows, it says 3"}},
		"another value": {func(d *damaged) {
			rows := d.rows(2)
			d.must(rows.Put([]byte("itea"), nil))
			d.must(rows.Put([]byte("icoffee"), []byte{1}))
			d.put(2, rows)
		}, []string{ann + "products (2): its index is not that of its events"}},
		"a folded day without its index": {func(d *damaged) { d.drop(3, "d") }, []string{
			ann + "last (3): a folded day has 0 rows of 0 events, it says 1 of 1",
			ann + "last (3): its index is not that of its events"}},
		"a folded day without totals": {func(d *damaged) { d.dropTotals(1) }, []string{
			ann + "spend (1): it is made of 3 events, and 2 count",
			ann + "spend (1): its sum is not that of its events"}},
		"folded where nothing may be": {func(d *damaged) {
			rows := d.rows(4)
			s, err := d.model.Entities[0].Computed[0].Attribute.Open(rows) // another's
			d.must(err)
			_, err = s.Expire(event(d, "y", "2023-11-14T11:00:00Z"), 0)
			d.must(err)
			d.put(4, rows)
		}, []string{
			ann + `recent (4): it has folded days of dataset "orders", and may not`,
			ann + "recent (4): it is made of 2 events, and 3 count",
			ann + "recent (4): its sum is not that of its events"}},
		"a timer too late": {func(d *damaged) {
			d.head.Find(4).Wake = computed.Never
			d.put(4, d.rows(4))
		}, []string{ann + "recent (4): its value changes before its timer"}},
		"nothing is kept": {func(d *damaged) {
			rows := d.rows(3)
			d.must(rows.Clear([]byte{0}, []byte{0xff}))
			d.head.Attributes = append(d.head.Attributes[:2], d.head.Attributes[3])
			b := d.store.NewBatch()
			b.SetComputed(rows)
			b.SetComputedHead("profile", d.ann, d.head)
			d.must(d.store.Commit(b, true))
		}, []string{ann + "last (3): it keeps nothing, and there are events that count"}},
		"an attribute that never was": {func(d *damaged) {
			kept := *d.head.Find(4)
			kept.Number = 9
			d.head.Attributes = append(d.head.Attributes, kept)
			d.put(9, d.rows(9))
		}, []string{"computed profile/crm(1 bytes): keeps attribute 9, which was never " +
			"defined or is gone"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDamaged(t)
			c.damage(d)
			var found []string
			report := func(p store.Problem) { found = append(found, p.String()) }
			_, err := pipeline.Check(context.Background(), nil, d.store, report)
			d.must(err)
			if got, want := strings.Join(found, "\n"), strings.Join(c.want, "\n"); got != want {
				t.Errorf("found\n%s\nwant\n%s", got, want)
			}
			d.must(d.store.Close())
		})
	}
}
