package config

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/schemas"
)

// DefaultMaxFuture is how far ahead of its append time a record may be.
const DefaultMaxFuture = 5 * time.Minute

// datasetBuilder turns one dataset of the file into a pipeline.Dataset.
type datasetBuilder struct {
	c    *Config
	p    *problems
	m    *pipeline.Model
	name string
	f    dataset
	ds   *pipeline.Dataset
}

func (b *datasetBuilder) build() *pipeline.Dataset {
	f := &b.f
	b.ds = &pipeline.Dataset{Name: b.name, Topic: f.Topic, Entity: f.Entity, Retired: f.Retired}
	b.ds.MaxFuture = b.span("max_future", f.MaxFuture, DefaultMaxFuture,
		"leave it out for "+DefaultMaxFuture.String())
	b.ds.Retention = b.span("retention", f.Retention, 0, "leave it out to keep events for ever")
	if f.Topic == "" && !f.Retired {
		b.wrong("topic", "is missing")
	}
	b.enums()
	b.start()
	b.rejects()
	var err error
	b.ds.Schema, b.ds.SchemaID, err = b.c.readSchema(f.Schema)
	switch {
	case errors.Is(err, errOffline):
		return b.ds
	case err != nil:
		b.wrong("schema", "%v", err)
		return b.ds
	}
	b.writers()
	b.renames()
	b.paths()
	b.identityMap()
	b.identities()
	return b.ds
}

// span reads a duration that is more than 0 where it is written.
func (b *datasetBuilder) span(key string, d *Duration, without time.Duration,
	way string) time.Duration {
	if d == nil {
		return without
	}
	if *d == 0 {
		b.wrong(key, "must be more than 0; %s", way)
	}
	return time.Duration(*d)
}

func (b *datasetBuilder) wrong(key, format string, args ...any) {
	b.p.add([]string{"datasets", b.name, key}, format, args...)
}

// choose looks a word up among the ones allowed; "" is the first.
func choose[T any](b *datasetBuilder, key, word string, allowed []string, values []T) T {
	i := slices.Index(allowed, cmp.Or(word, allowed[0]))
	if i < 0 {
		b.wrong(key, "%q is not one of %v%s", word, allowed, didYouMean(word, allowed))
		return values[0]
	}
	return values[i]
}

func (b *datasetBuilder) enums() {
	f, ds := &b.f, b.ds
	ds.Class = choose(b, "class", f.Class, []string{"record", "event"},
		[]pipeline.DatasetClass{pipeline.ClassRecord, pipeline.ClassEvent})
	b.formats()
	ds.Mode = choose(b, "mode", f.Mode, []string{"upsert", "replace"},
		[]pipeline.Operation{pipeline.OpUpsert, pipeline.OpReplace})
	ds.Nulls = choose(b, "nulls", f.Nulls, []string{"unset", "absent"},
		[]profile.Nulls{profile.NullsUnset, profile.NullsAbsent})
	ds.IgnoreUnknown = choose(b, "unknown_fields", f.UnknownFields, []string{"reject", "ignore"},
		[]bool{false, true})
	ds.Continuity = choose(b, "continuity", f.Continuity, []string{"halt", "rewind", "skip"},
		[]pipeline.Continuity{pipeline.ContinuityHalt, pipeline.ContinuityRewind,
			pipeline.ContinuitySkip})
	ds.LossyNumbers = choose(b, "promote", f.Promote, []string{"exact", "lossy"},
		[]bool{false, true})
	ds.CurrentLinks = choose(b, "links", f.Links, []string{"keep", "current"},
		[]bool{false, true})
	event := ds.Class == pipeline.ClassEvent
	if f.Class == "" {
		b.wrong("class", "is missing: record or event")
	}
	deletes := ds.Tombstones == pipeline.TombstonesDelete
	if event && (f.Mode != "" || deletes || f.Nulls != "") {
		b.wrong("class", "an event dataset has no mode, tombstones or nulls")
	}
	if event && f.Links != "" {
		b.wrong("links", "an event dataset has none of that: what an event links stays")
	}
	if !event && (f.Retention != nil || f.ID != "") {
		b.wrong("class", "a record dataset has no retention and no id")
	}
	if event && f.ID == "" {
		b.wrong("id", "is missing: name the field that holds the event's id")
	}
}

func (b *datasetBuilder) start() {
	switch b.f.Start {
	case "", "earliest":
	case "latest":
		b.ds.Start.Kind = pipeline.StartLatest
	default:
		at, err := time.Parse(time.RFC3339, b.f.Start)
		if err != nil {
			b.wrong("start", "%q is not earliest, latest or a time in RFC 3339", b.f.Start)
		}
		b.ds.Start = pipeline.Start{Kind: pipeline.StartTime, At: at}
	}
}

// maxRejectedWindow bounds the memory that a dataset's window takes.
const maxRejectedWindow = 1_000_000

// rejects reads how many rejections a dataset bears.
func (b *datasetBuilder) rejects() {
	b.ds.MaxRejectedShare, b.ds.RejectedWindow = pipeline.DefaultMaxRejectedShare,
		pipeline.DefaultRejectedWindow
	if share := b.f.MaxRejectedShare; share != nil {
		b.ds.MaxRejectedShare = *share
	}
	if window := b.f.RejectedWindow; window != nil {
		b.ds.RejectedWindow = *window
	}
	if share := b.ds.MaxRejectedShare; !(share >= 0 && share <= 1) {
		b.wrong("max_rejected_share", "must be 0 to 1")
	}
	if window := b.ds.RejectedWindow; window < 1 || window > maxRejectedWindow {
		b.wrong("rejected_window", "must be 1 to %d", maxRejectedWindow)
	}
}

// renames reads map. The longest source comes first, as the pipeline takes the first that fits.
func (b *datasetBuilder) renames() {
	for from, to := range b.f.Map {
		r := schemas.Rename{From: profile.ParsePath(from), To: profile.ParsePath(to)}
		if _, ok := b.ds.Schema.Lookup(r.From); !ok {
			b.p.add([]string{"datasets", b.name, "map", from}, "is not in %s", b.f.Schema)
		}
		b.ds.Rename = append(b.ds.Rename, r)
	}
	slices.SortFunc(b.ds.Rename, func(x, y schemas.Rename) int {
		return cmp.Or(len(y.From)-len(x.From), cmp.Compare(x.From, y.From))
	})
}

// source turns a path of the configuration, which is one after map, into one of the schema.
func (b *datasetBuilder) source(path profile.Path) profile.Path {
	for _, r := range b.ds.Rename {
		if moved, ok := path.Rebase(r.To, r.From); ok {
			return moved
		}
	}
	return path
}

// field looks a configured path up in the schema and checks its kind.
func (b *datasetBuilder) field(key, dotted, wanted string,
	fits func(profile.Kind) bool) profile.Path {
	if dotted == "" {
		return ""
	}
	path := b.source(profile.ParsePath(dotted))
	t, ok := b.ds.Schema.Lookup(path)
	if !ok {
		b.wrong(key, "path %q is not in %s%s", dotted, b.f.Schema,
			didYouMean(dotted, b.topFields()))
		return path
	}
	kind := t.ValueKind()
	if kind == profile.KindArray && key == "identities" {
		kind = t.Items.ValueKind()
	}
	if !fits(kind) {
		b.wrong(key, "path %q is %s; wanted %s", dotted, t, wanted)
	}
	return path
}

func (b *datasetBuilder) topFields() []string {
	var names []string
	for _, f := range b.ds.Schema.Root().Fields {
		names = append(names, cmp.Or(b.f.Map[f.Name], f.Name))
	}
	return names
}

func isText(k profile.Kind) bool { return k == profile.KindString || k == profile.KindInt }
func isInt(k profile.Kind) bool  { return k == profile.KindInt }
func isTime(k profile.Kind) bool {
	return k == profile.KindString || k == profile.KindTimestampMillis ||
		k == profile.KindTimestampMicros || k == profile.KindTimestampNanos
}

func (b *datasetBuilder) paths() {
	b.ds.Timestamp = b.field("timestamp", b.f.Timestamp,
		"a string in RFC 3339 or a timestamp logical type", isTime)
	b.ds.Sequence = b.field("sequence", b.f.Sequence, "int or long", isInt)
	b.ds.EventID = b.field("id", b.f.ID, "string, int or long", isText)
}
