package computed

import (
	"encoding/csv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"selfsame/profile"
)

// purchase is one event of a public data set.
type purchase struct {
	who   string
	event *Event
}

// publicData is the directory of the public data sets; without it the test is skipped.
func publicData(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("SELFSAME_TESTDATA")
	if root == "" {
		t.Skip("SELFSAME_TESTDATA does not name the folder of the public data sets")
	}
	return filepath.Join(root, name)
}

// readCSV reads a table with a header, as one map per line.
func readCSV(t *testing.T, file string) []map[string]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[name] = line[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// orders are the ways in which a file may arrive.
func orders(t *testing.T, all []purchase) map[string][]purchase {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	shuffled := append([]purchase(nil), all...)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(all), func(i, j int) {
		shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
	})
	var twice []purchase
	for i, p := range shuffled {
		if twice = append(twice, p); i%10 == 0 {
			twice = append(twice, p)
		}
	}
	return map[string][]purchase{"in order": all, "shuffled": shuffled, "some twice": twice}
}

// load stores the events at now; an id that is known is a duplicate.
func load(t *testing.T, w *world, all []purchase, now int64) {
	t.Helper()
	seen := map[string]bool{}
	for _, p := range all {
		if seen[p.event.ID] {
			continue
		}
		seen[p.event.ID] = true
		if err := w.insert(p.who, p.event, now); err != nil {
			t.Fatal(err)
		}
	}
}

// table compares values at now with what a table says.
type table struct {
	*testing.T
	world *world
	now   int64
}

// expect compares attribute i of a cluster.
func (c *table) expect(i int, want string, names ...string) {
	c.Helper()
	r, err := c.world.value(i, names, c.now)
	if err != nil {
		c.Fatal(err)
	}
	if got := strings.Trim(show(r), `"`); got != want {
		c.Errorf("%s of %v: got %s, want %s", c.world.attributes[i].Name(), names, got, want)
	}
}

func day(t *testing.T, text string) profile.Value {
	return profile.Temporal(profile.KindDate, Day(instant(t, text+"T00:00:00Z")))
}

const cdnowSchema = `{"type": "record", "name": "purchase", "fields": [
	{"name": "cds", "type": "int"},
	{"name": "day", "type": {"type": "int", "logicalType": "date"}},
	{"name": "usd", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}}
]}`

func readCDNOW(t *testing.T, dir string) []purchase {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "CDNOW_master.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var all []purchase
	for _, line := range strings.Split(string(text), "\n")[1:] {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		date := words[1][:4] + "-" + words[1][4:6] + "-" + words[1][6:]
		var cds int64
		for _, digit := range words[2] {
			cds = 10*cds + int64(digit-'0')
		}
		all = append(all, purchase{words[0], &Event{
			Dataset: "shop", ID: words[0] + "-" + itoa(len(all)),
			Time: instant(t, date+"T00:00:00Z"),
			Body: profile.Object([]string{"cds", "day", "usd"}, []profile.Value{
				profile.Int(cds), day(t, date), profile.Decimal(words[3])}),
		}})
	}
	return all
}

func cdnowAttributes(t *testing.T, window string) []*Attribute {
	class := &Class{Type: typeOf(parseSchema(t, cdnowSchema).Root()),
		Datasets: []Dataset{{Name: "shop"}}}
	def := func(f Function, path string) *Attribute {
		return compile(t, Definition{Name: string(f) + "_" + path, Datasets: []string{"shop"},
			Function: f, Value: path, Window: window}, class)
	}
	return []*Attribute{def(Count, ""), def(Sum, "usd"), def(Max, "usd"), def(First, "day"),
		def(Min, "day"), def(Max, "day"), def(Sum, "cds"), def(Min, "usd")}
}

// TestCDNOW reproduces the tables of the CDNOW purchases.
func TestCDNOW(t *testing.T) {
	dir := publicData(t, "cdnow")
	all := readCDNOW(t, dir)
	lifetime := readCSV(t, filepath.Join(dir, "expected_lifetime.csv"))
	for how, events := range orders(t, all) {
		t.Run("lifetime/"+how, func(t *testing.T) {
			w := newWorld(cdnowAttributes(t, "lifetime")...)
			now := instant(t, "1998-07-01T00:00:00Z")
			load(t, w, events, now)
			c := &table{t, w, now}
			for _, row := range lifetime {
				for i, column := range []string{"purchases", "total_usd", "max_usd",
					"first_purchase", "first_purchase", "last_purchase", "cds", "min_usd"} {
					c.expect(i, row[column], row["customer_id"])
				}
			}
		})
	}
	t.Run("windows", func(t *testing.T) { testCDNOWWindows(t, dir, all) })
}

func testCDNOWWindows(t *testing.T, dir string, all []purchase) {
	tables := map[string][]map[string]string{} // by window
	for _, row := range readCSV(t, filepath.Join(dir, "expected_windows.csv")) {
		days := row["window_days"]
		tables[days] = append(tables[days], row)
	}
	if len(tables) != 3 {
		t.Fatalf("%d windows in the table", len(tables))
	}
	for days, rows := range tables {
		for how, events := range orders(t, all) {
			t.Run(days+"d/"+how, func(t *testing.T) {
				w := newWorld(cdnowAttributes(t, days+"d")[:6]...)
				load(t, w, events, instant(t, "1997-01-01T00:00:00Z"))
				counted := map[string]int{}
				for _, row := range rows { // in the order of as_of: the clock moves on
					now := instant(t, row["as_of"]+"T00:00:00Z") - int64(time.Millisecond)
					c := &table{t, w, now}
					counted[row["as_of"]]++
					for i, column := range []string{"purchases", "total_usd", "max_usd",
						"first_purchase", "first_purchase", "last_purchase"} {
						c.expect(i, row[column], row["customer_id"])
					}
				}
				for asOf, want := range counted {
					now := instant(t, asOf+"T00:00:00Z") - int64(time.Millisecond)
					if got := withEvents(t, w, now); got != want {
						t.Errorf("%s: %d customers, the table has %d", asOf, got, want)
					}
				}
			})
		}
	}
}

// withEvents is how many people have a count that is not 0.
func withEvents(t *testing.T, w *world, now int64) int {
	t.Helper()
	n := 0
	for who := range w.people {
		r, err := w.value(0, []string{who}, now)
		if err != nil {
			t.Fatal(err)
		}
		if r.Value.AsInt() > 0 {
			n++
		}
	}
	return n
}

const oracleSchema = `{"type": "record", "name": "order", "fields": [
	{"name": "at", "type": {"type": "long", "logicalType": "timestamp-nanos"}},
	{"name": "status", "type": "string"},
	{"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9,
		"scale": 2}}
]}`

// TestOracleCO reproduces the table of complete orders, each order under one of the two identities
// of its customer, which are put together only at the end.
func TestOracleCO(t *testing.T) {
	dir := publicData(t, "oracle_co")
	totals := map[string]int64{} // in cents
	for _, item := range readCSV(t, filepath.Join(dir, "order_items.csv")) {
		price, ok := unscaled(item["unit_price"], 2)
		if !ok {
			t.Fatalf("price %s", item["unit_price"])
		}
		quantity, _ := unscaled(item["quantity"], 0)
		totals[item["order_id"]] += price.Int64() * quantity.Int64()
	}
	customers := map[string]string{}
	for _, c := range readCSV(t, filepath.Join(dir, "customers.csv")) {
		customers[c["customer_id"]] = c["email_address"]
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var all []purchase
	for _, o := range readCSV(t, filepath.Join(dir, "orders.csv")) {
		who := "crmid:" + o["customer_id"]
		if random.IntN(2) == 0 {
			who = "email:" + customers[o["customer_id"]]
		}
		at := instant(t, o["order_tms"])
		all = append(all, purchase{who, &Event{Dataset: "orders", ID: o["order_id"], Time: at,
			Body: profile.Object([]string{"at", "status", "total"}, []profile.Value{
				profile.Temporal(profile.KindTimestampNanos, at),
				profile.String(o["order_status"]),
				profile.Decimal(cents(totals[o["order_id"]]))})}})
	}
	class := &Class{Type: typeOf(parseSchema(t, oracleSchema).Root()),
		Datasets: []Dataset{{Name: "orders"}}}
	def := func(f Function, path string, n int) *Attribute {
		return compile(t, Definition{Name: string(f), Datasets: []string{"orders"}, Function: f,
			Value: path, N: n, Filter: `event.status == "COMPLETE"`, Window: "lifetime"}, class)
	}
	for how, events := range orders(t, all) {
		t.Run(how, func(t *testing.T) {
			w := newWorld(def(Count, "", 0), def(Sum, "total", 0), def(Max, "total", 0),
				def(First, "at", 0), def(LastN, "at", 1))
			now := instant(t, "2022-12-31T00:00:00Z")
			load(t, w, events, now)
			c := &table{t, w, now}
			for _, row := range readCSV(t, filepath.Join(dir, "expected_by_customer.csv")) {
				cluster := []string{"crmid:" + row["customer_id"], "email:" + row["email_address"]}
				for i, column := range []string{"complete_orders", "total", "max_order",
					"first_order"} {
					c.expect(i, row[column], cluster...)
				}
				c.expect(4, `["`+row["last_order"]+`"]`, cluster...)
			}
		})
	}
}

const grouparooSchema = `{"type": "record", "name": "purchase", "fields": [
	{"name": "price", "type": "double"},
	{"name": "state", "type": {"type": "enum", "name": "state",
		"symbols": ["successful", "failed"]}}
]}`

// TestGrouparooDemo reproduces the tables per user and per account; prices are doubles.
func TestGrouparooDemo(t *testing.T) {
	dir := publicData(t, "grouparoo_demo")
	class := &Class{Type: typeOf(parseSchema(t, grouparooSchema).Root()),
		Datasets: []Dataset{{Name: "purchases"}}}
	def := func(f Function, path string) *Attribute {
		return compile(t, Definition{Name: string(f), Datasets: []string{"purchases"}, Function: f,
			Value: path, Filter: `event.state == "successful"`, Window: "lifetime"}, class)
	}
	w := newWorld(def(Count, ""), def(Sum, "price"), def(Max, "price"))
	read := func(file, owner, amount string) []purchase {
		var all []purchase
		for i, row := range readCSV(t, filepath.Join(dir, file)) {
			all = append(all, purchase{row[owner], &Event{Dataset: "purchases",
				ID: file + row["id"], Time: int64(i) * int64(time.Minute),
				Body: profile.Object([]string{"price", "state"}, []profile.Value{
					profile.Float(parseFloat(t, row[amount])), profile.String(row["state"])})}})
		}
		return all
	}
	users, owned := map[string]bool{}, map[string][]string{}
	for _, row := range readCSV(t, filepath.Join(dir, "users.csv")) {
		users[row["id"]] = true
		owned[row["account_id"]] = append(owned[row["account_id"]], row["id"])
	}
	for how, events := range orders(t, read("purchases.csv", "user_id", "price")) {
		t.Run(how, func(t *testing.T) {
			w = newWorld(w.attributes...)
			load(t, w, events, 0)
			c := &table{t, w, 0}
			for _, row := range readCSV(t, filepath.Join(dir, "expected_by_user.csv")) {
				c.expect(0, row["purchases"], row["user_id"])
				c.expect(1, short(row["total"]), row["user_id"])
				c.expect(2, short(row["max"]), row["user_id"])
			}
			for _, row := range readCSV(t, filepath.Join(dir, "expected_by_account.csv")) {
				members := owned[row["account_id"]]
				if itoa(len(members)) != row["persons"] {
					t.Errorf("account %s has %d people", row["account_id"], len(members))
				}
				c.expect(0, row["person_purchases"], members...)
				c.expect(1, short(row["person_purchase_total"]), members...)
			}
		})
	}
	payments := newWorld(w.attributes...)
	load(t, payments, read("payments.csv", "account_id", "amount"), 0)
	for _, row := range readCSV(t, filepath.Join(dir, "expected_by_account.csv")) {
		c := &table{t, payments, 0}
		c.expect(0, row["payments"], row["account_id"])
		c.expect(1, short(row["payment_total"]), row["account_id"])
		c.expect(2, short(row["payment_max"]), row["account_id"])
	}
}
