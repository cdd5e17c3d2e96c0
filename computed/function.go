package computed

import (
	"slices"
	"strings"

	"selfsame/profile"
)

// Function is how an attribute is computed from the events that match.
type Function string

// The functions.
const (
	Count        Function = "count"         // how many events; with a value path, how many with one
	Sum          Function = "sum"           // exact, in decimal
	Avg          Function = "avg"           // to 34 digits, half to even
	Min          Function = "min"           // the least value
	Max          Function = "max"           // the greatest value
	First        Function = "first"         // the value of the first event
	MostRecent   Function = "most_recent"   // the value of the last event, and its time
	LastN        Function = "last_n"        // the values of the last n events, the last one first
	UniqueCount  Function = "unique_count"  // how many distinct values
	UniqueList   Function = "unique_list"   // the distinct values, in their order
	MostFrequent Function = "most_frequent" // the value of most events, of several the least
)

// index says by what the rows of a function are ordered.
type index uint8

const (
	noIndex index = iota // totals are enough
	byValue              // one row per distinct value, with the number of its events
	byTime               // one row per event, with its value
)

// behaviour is what the code asks about a function.
type behaviour struct {
	index    index
	reverse  bool // what is asked for is at the end of the index
	adds     bool // the values are added up
	distinct bool // bounded by max_distinct
	takes    func(k profile.Kind) bool
	wants    string // takes, in words
}

var behaviours = map[Function]behaviour{
	Count:        {takes: anything, wants: "anything"},
	Sum:          {adds: true, takes: number, wants: "numbers"},
	Avg:          {adds: true, takes: number, wants: "numbers"},
	Min:          {index: byValue, takes: ordered, wants: "numbers, times and text"},
	Max:          {index: byValue, reverse: true, takes: ordered, wants: "numbers, times and text"},
	First:        {index: byTime, takes: scalar, wants: "scalars"},
	MostRecent:   {index: byTime, reverse: true, takes: scalar, wants: "scalars"},
	LastN:        {index: byTime, reverse: true, takes: scalar, wants: "scalars"},
	UniqueCount:  {index: byValue, distinct: true, takes: scalar, wants: "scalars"},
	UniqueList:   {index: byValue, distinct: true, takes: scalar, wants: "scalars"},
	MostFrequent: {index: byValue, distinct: true, takes: scalar, wants: "scalars"},
}

func functionNames() string {
	var names []string
	for f := range behaviours {
		names = append(names, string(f))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func anything(profile.Kind) bool { return true }

func scalar(k profile.Kind) bool {
	return k != profile.KindNull && k != profile.KindArray && k != profile.KindObject
}

func number(k profile.Kind) bool {
	return k == profile.KindInt || k == profile.KindFloat || k == profile.KindDecimal
}

func ordered(k profile.Kind) bool {
	return scalar(k) && k != profile.KindBool && k != profile.KindBytes
}

// outputType is the type of what the function gives out of values of type t.
func outputType(f Function, t *Type) *Type {
	switch f {
	case Count, UniqueCount:
		return &Type{Kind: profile.KindInt}
	case Sum:
		return sumType(t)
	case Avg:
		return avgType(t)
	case LastN, UniqueList:
		return &Type{Kind: profile.KindArray, Items: t}
	case MostRecent:
		return &Type{Kind: profile.KindObject, Fields: []Field{
			{"time", &Type{Kind: profile.KindTimestampNanos}}, {"value", t}}}
	}
	return t
}
