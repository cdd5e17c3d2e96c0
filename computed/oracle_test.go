package computed

import (
	"cmp"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"selfsame/profile"
)

// This file recomputes attributes from the raw list of events, in the most direct way there is. It
// shares no code with the package: not the arithmetic, not the windows, not the order of values.

// told is one event as the oracle knows it.
type told struct {
	event  *Event
	folded bool // its retention has ended
}

// rule is a filter in CEL and in Go; value picks the value.
type rule struct {
	cel  string
	goes func(e *Event) bool
}

func text(e *Event, path ...string) string { return at(e, path...).AsText() }

func at(e *Event, path ...string) profile.Value { return e.Body.At(profile.MakePath(path...)) }

func rational(v profile.Value) *big.Rat {
	r := new(big.Rat)
	switch v.Kind() {
	case profile.KindInt:
		return r.SetInt64(v.AsInt())
	case profile.KindDecimal:
		r.SetString(v.AsText())
		return r
	}
	r.SetString(string(profile.AppendJSON(nil, v))) // the shortest text
	return r
}

// rules are filters over the schema of the random events.
func rules() []rule {
	return []rule{
		{"", func(*Event) bool { return true }},
		{`event.kind == "buy"`, func(e *Event) bool { return text(e, "kind") == "buy" }},
		{`event.qty >= 3`, func(e *Event) bool {
			return !at(e, "qty").IsNull() && at(e, "qty").AsInt() >= 3
		}},
		{`has(event.cart.total) && event.cart.total < 0.25`, func(e *Event) bool {
			v := at(e, "cart", "total")
			return !v.IsNull() && v.AsFloat() < 0.25
		}},
		{`!(event.amount > 2) || dataset == "web"`, func(e *Event) bool {
			// An absent amount fails the whole, but for web, where the other side is true.
			v := at(e, "amount")
			return e.Dataset == "web" ||
				!v.IsNull() && rational(v).Cmp(big.NewRat(2, 1)) <= 0
		}},
		{`event.tags.exists(t, t.startsWith("b"))`, func(e *Event) bool {
			tags := at(e, "tags")
			for i := range tags.Len() {
				if strings.HasPrefix(tags.Item(i).AsText(), "b") {
					return true
				}
			}
			return false
		}},
	}
}

// since is the first instant that counts at now, and until the first that no longer does.
func naiveWindow(d *Definition, now int64) (since, until int64) {
	switch d.Window {
	case "lifetime":
		return math.MinInt64, math.MaxInt64
	case "day", "week", "month":
		return naivePeriod(d, now)
	}
	unit := time.Hour
	if strings.HasSuffix(d.Window, "d") {
		unit *= 24
	}
	n, err := strconv.Atoi(d.Window[:len(d.Window)-1])
	if err != nil {
		panic(err)
	}
	length := time.Duration(n) * unit
	return now - int64(length) + 1, now + 1
}

// naivePeriod asks the calendar only where midnights are there once, as in the zones drawn.
func naivePeriod(d *Definition, now int64) (since, until int64) {
	zone, err := time.LoadLocation(d.Zone)
	if err != nil {
		panic(err)
	}
	t := time.Unix(0, now).In(zone)
	year, month, day := t.Date()
	switch d.Window {
	case "month":
		return time.Date(year, month, 1, 0, 0, 0, 0, zone).UnixNano(),
			time.Date(year, month+1, 1, 0, 0, 0, 0, zone).UnixNano()
	case "week":
		for !strings.EqualFold(t.Weekday().String(), cmp.Or(d.WeekStart, "monday")) {
			t = time.Date(year, month, day-1, 12, 0, 0, 0, zone)
			year, month, day = t.Date()
		}
		return time.Date(year, month, day, 0, 0, 0, 0, zone).UnixNano(),
			time.Date(year, month, day+7, 0, 0, 0, 0, zone).UnixNano()
	}
	return time.Date(year, month, day, 0, 0, 0, 0, zone).UnixNano(),
		time.Date(year, month, day+1, 0, 0, 0, 0, zone).UnixNano()
}

// naive computes an attribute from all there is. r is the filter of the definition.
func naive(d *Definition, r rule, all []told, now int64) string {
	since, until := naiveWindow(d, now)
	var events []*Event
	for _, t := range all {
		e := t.event
		if t.folded && d.Window != "lifetime" || e.Time < since || e.Time >= until ||
			!slices.Contains(d.Datasets, e.Dataset) || !r.goes(e) {
			continue
		}
		if d.Value != "" && !naiveUsable(d, e) {
			continue
		}
		events = append(events, e)
	}
	slices.SortFunc(events, func(a, b *Event) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Sequence, b.Sequence),
			cmp.Compare(a.Dataset, b.Dataset), cmp.Compare(a.ID, b.ID))
	})
	if d.Function == Count {
		return itoa(len(events))
	}
	if len(events) == 0 {
		return "absent"
	}
	return naiveFunction(d, events)
}

func naiveUsable(d *Definition, e *Event) bool {
	v := e.Body.At(profile.ParsePath(d.Value))
	if v.IsNull() {
		return false
	}
	return d.Function == Count || v.Kind() != profile.KindFloat ||
		!math.IsNaN(v.AsFloat()) && !math.IsInf(v.AsFloat(), 0)
}

func naiveFunction(d *Definition, events []*Event) string {
	values := make([]profile.Value, len(events))
	for i, e := range events {
		values[i] = e.Body.At(profile.ParsePath(d.Value))
	}
	json := func(v profile.Value) string { return string(profile.AppendJSON(nil, v)) }
	switch d.Function {
	case Sum, Avg:
		sum := new(big.Rat)
		for _, v := range values {
			sum.Add(sum, rational(v))
		}
		if d.Function == Avg {
			return naiveAverage(sum, len(values))
		}
		return naiveSum(sum, values[0])
	case First:
		return json(values[0])
	case MostRecent:
		last := len(values) - 1
		return `{"time":` + json(profile.Temporal(profile.KindTimestampNanos, events[last].Time)) +
			`,"value":` + json(values[last]) + `}`
	case LastN:
		slices.Reverse(values)
		return json(profile.Array(values[:min(len(values), d.N)]))
	case Min:
		return json(slices.MinFunc(values, naiveOrder))
	case Max:
		return json(slices.MaxFunc(values, naiveOrder))
	}
	return naiveDistinct(d, values)
}

func naiveDistinct(d *Definition, values []profile.Value) string {
	slices.SortFunc(values, naiveOrder)
	var distinct []profile.Value
	var counts []int
	for _, v := range values {
		if n := len(distinct); n > 0 && naiveOrder(distinct[n-1], v) == 0 {
			counts[n-1]++
			continue
		}
		distinct, counts = append(distinct, v), append(counts, 1)
	}
	flag := ""
	if len(distinct) > d.MaxDistinct {
		distinct, counts, flag = distinct[:d.MaxDistinct], counts[:d.MaxDistinct], " truncated"
	}
	v := profile.Array(distinct)
	switch d.Function {
	case UniqueCount:
		v = profile.Int(int64(len(distinct)))
	case MostFrequent:
		v = distinct[slices.Index(counts, slices.Max(counts))]
	}
	return string(profile.AppendJSON(nil, v)) + flag
}

func naiveOrder(a, b profile.Value) int {
	switch a.Kind() {
	case profile.KindInt, profile.KindFloat, profile.KindDecimal:
		return rational(a).Cmp(rational(b))
	case profile.KindString, profile.KindBytes:
		return strings.Compare(a.AsText(), b.AsText())
	case profile.KindBool:
		return strings.Compare(string(profile.AppendJSON(nil, a)),
			string(profile.AppendJSON(nil, b)))
	}
	return cmp.Compare(a.AsInt(), b.AsInt())
}

// naiveSum writes a sum with the places of decimals, or as many as it has, up to 20.
func naiveSum(sum *big.Rat, like profile.Value) string {
	if _, fraction, ok := strings.Cut(like.AsText(), "."); ok {
		return sum.FloatString(len(fraction))
	}
	return halfEven(sum, 20)
}

// naiveAverage has 34 significant digits, and at most 38 places.
func naiveAverage(sum *big.Rat, n int) string {
	avg := new(big.Rat).Quo(sum, big.NewRat(int64(n), 1))
	whole := new(big.Rat).Abs(avg)
	places := 34
	for whole.Cmp(big.NewRat(1, 1)) >= 0 {
		whole.Quo(whole, big.NewRat(10, 1))
		places--
	}
	for whole.Sign() > 0 && whole.Cmp(big.NewRat(1, 10)) < 0 {
		whole.Mul(whole, big.NewRat(10, 1))
		places++
	}
	return halfEven(avg, min(places, 38))
}

// halfEven writes r with at most some places, without zeros at the end. Fewer than none round
// before the point.
func halfEven(r *big.Rat, places int) string {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(places, -places))), nil)
	shifted := new(big.Rat).Mul(r, new(big.Rat).SetInt(scale))
	if places < 0 {
		shifted.Quo(r, new(big.Rat).SetInt(scale))
	}
	twice := new(big.Rat).Mul(new(big.Rat).Abs(shifted), big.NewRat(2, 1))
	n, rest := new(big.Int).QuoRem(shifted.Num(), shifted.Denom(), new(big.Int))
	half := new(big.Rat).Sub(twice, new(big.Rat).SetInt(new(big.Int).Mul(
		new(big.Int).Abs(n), big.NewInt(2)))).Cmp(big.NewRat(1, 1))
	if rest.Sign() != 0 && (half > 0 || half == 0 && n.Bit(0) == 1) {
		n.Add(n, big.NewInt(int64(shifted.Sign())))
	}
	rounded := new(big.Rat).SetFrac(n, big.NewInt(1))
	if places < 0 {
		return rounded.Mul(rounded, new(big.Rat).SetInt(scale)).FloatString(0)
	}
	return short(rounded.Quo(rounded, new(big.Rat).SetInt(scale)).FloatString(places))
}
