package computed

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"selfsame/schemas"
)

const storySchema = `{"type": "record", "name": "event", "fields": [
	{"name": "kind", "type": ["null", "string"], "default": null},
	{"name": "amount", "type": ["null", {"type": "bytes", "logicalType": "decimal",
		"precision": 9, "scale": 2}], "default": null},
	{"name": "weight", "type": ["null", "double"], "default": null},
	{"name": "qty", "type": ["null", "int"], "default": null}
]}`

// teller plays a story. The language:
//
//	define            lines NAME FUNCTION [value=PATH] [window=W] [zone=Z] [week_start=D] [n=N]
//	                  [max_distinct=N] [where FILTER]; gives the type of each, or what is wrong
//	insert who=NAME   lines TIME ID JSON; sequence=N counts for all of them
//	delete who=NAME   lines ID; of an event that has expired its day goes
//	show who=(A,B)    the values of the cluster of A and B now
//	at TIME           sets the clock
//	run until=TIME who=(A,B)    lets the clock run, and tells every change and its instant
//	expire before=TIME          ends the retention of older events
type teller struct {
	*testing.T
	schema *schemas.Schema
	world  *world
	class  *Class
	now    int64
	gone   map[string]*Event // expired, by id
}

// TestStories plays the stories of testdata/stories.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := parseSchema(t, storySchema)
		told := &teller{T: t, schema: s, world: newWorld(), gone: map[string]*Event{},
			class: &Class{Type: typeOf(s.Root()), Datasets: []Dataset{
				{Name: "shop", Retention: 100 * 24 * time.Hour}}}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			told.T = t
			return told.tell(d)
		})
	})
}

func (s *teller) tell(d *datadriven.TestData) string {
	lines := strings.FieldsFunc(d.Input, func(r rune) bool { return r == '\n' })
	switch d.Cmd {
	case "define":
		return s.define(lines)
	case "insert":
		return s.insert(d, lines)
	case "delete":
		return s.delete(d, lines)
	case "show":
		return s.show(s.names(d))
	case "at":
		s.now = instant(s, d.CmdArgs[0].Key)
		return ""
	case "run":
		return s.run(s.names(d), s.time(d, "until"))
	case "expire":
		return s.expire(s.time(d, "before"))
	}
	s.Fatalf("%s: no command %s", d.Pos, d.Cmd)
	return ""
}

func (s *teller) names(d *datadriven.TestData) []string {
	for _, arg := range d.CmdArgs {
		if arg.Key == "who" {
			return arg.Vals
		}
	}
	s.Fatalf("%s: whose?", d.Pos)
	return nil
}

func (s *teller) time(d *datadriven.TestData, key string) int64 {
	var text string
	d.ScanArgs(s.T, key, &text)
	return instant(s, text)
}

func (s *teller) define(lines []string) string {
	var out strings.Builder
	for _, line := range lines {
		line, filter, _ := strings.Cut(line, " where ")
		words := strings.Fields(line)
		def := Definition{Name: words[0], Datasets: []string{"shop"}, Function: Function(words[1]),
			Window: "lifetime", Filter: filter}
		for _, word := range words[2:] {
			key, value, _ := strings.Cut(word, "=")
			s.option(&def, key, value)
		}
		a, err := Compile(def, s.class)
		if err != nil {
			fmt.Fprintln(&out, err)
			continue
		}
		s.world.attributes = append(s.world.attributes, a)
		fmt.Fprintf(&out, "%s: %s\n", def.Name, a.Output())
	}
	return out.String()
}

func (s *teller) option(def *Definition, key, value string) {
	switch key {
	case "value":
		def.Value = value
	case "window":
		def.Window = value
	case "zone":
		def.Zone = value
	case "week_start":
		def.WeekStart = value
	case "n":
		fmt.Sscan(value, &def.N)
	case "max_distinct":
		fmt.Sscan(value, &def.MaxDistinct)
	default:
		s.Fatalf("no option %s", key)
	}
}

func (s *teller) insert(d *datadriven.TestData, lines []string) string {
	var sequence int64
	d.MaybeScanArgs(s.T, "sequence", &sequence)
	for _, line := range lines {
		words := strings.SplitN(line, " ", 3)
		body, err := s.schema.DecodeJSON([]byte(words[2]), schemas.Options{})
		if err != nil {
			s.Fatalf("%s: %v", d.Pos, err)
		}
		e := &Event{Dataset: "shop", ID: words[1], Time: instant(s, words[0]), Body: body,
			Sequence: sequence}
		if err := s.world.insert(s.names(d)[0], e, s.now); err != nil {
			s.Fatal(err)
		}
	}
	return ""
}

func (s *teller) find(name, id string) *Event {
	for _, e := range s.world.person(name).events {
		if e.ID == id {
			return e
		}
	}
	return nil
}

func (s *teller) delete(d *datadriven.TestData, ids []string) string {
	name := s.names(d)[0]
	var out strings.Builder
	for _, id := range ids {
		if e := s.find(name, id); e != nil {
			if err := s.world.remove(name, e); err != nil {
				s.Fatal(err)
			}
			continue
		}
		day := Day(s.gone[id].Time)
		err := s.world.each(name, func(st *State, _ *person) error {
			removed, err := st.RemoveDays("shop", 0, day, day)
			if removed.Days > 0 {
				fmt.Fprintf(&out, "%s: %d folded day, %d events\n", st.attribute.Name(),
					removed.Days, removed.Events)
			}
			return err
		})
		if err != nil {
			s.Fatal(err)
		}
	}
	return out.String()
}

func (s *teller) values(names []string) []string {
	values := make([]string, len(s.world.attributes))
	for i := range s.world.attributes {
		r, err := s.world.value(i, names, s.now)
		if err != nil {
			s.Fatal(err)
		}
		values[i] = show(r)
	}
	return values
}

func (s *teller) show(names []string) string {
	var out strings.Builder
	for i, value := range s.values(names) {
		fmt.Fprintf(&out, "%s: %s\n", s.world.attributes[i].Name(), value)
	}
	return out.String()
}

// run goes from wake to wake, as timers do.
func (s *teller) run(names []string, until int64) string {
	var out strings.Builder
	values := s.values(names)
	for {
		wake := int64(Never)
		for i := range s.world.attributes {
			at, err := s.world.wake(i, names, s.now)
			if err != nil {
				s.Fatal(err)
			}
			wake = min(wake, at)
		}
		if wake <= s.now {
			s.Fatalf("a wake at %s, which is now", time.Unix(0, wake).UTC())
		}
		if wake > until {
			s.now = until
			return out.String()
		}
		s.now = wake
		for i, value := range s.values(names) {
			if value != values[i] {
				fmt.Fprintf(&out, "%s %s: %s\n", time.Unix(0, wake).UTC().Format(time.RFC3339Nano),
					s.world.attributes[i].Name(), value)
				values[i] = value
			}
		}
	}
}

func (s *teller) expire(before int64) string {
	var out strings.Builder
	for _, name := range []string{"ann", "bob"} {
		for _, e := range append([]*Event(nil), s.world.person(name).events...) {
			if e.Time >= before {
				continue
			}
			if err := s.world.expire(name, e, s.now); err != nil {
				s.Fatal(err)
			}
			s.gone[e.ID] = e
			fmt.Fprintf(&out, "%s's %s\n", name, e.ID)
		}
	}
	return out.String()
}
