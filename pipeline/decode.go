package pipeline

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"selfsame/identity"
	"selfsame/profile"
)

// Headers that input records may carry.
const (
	HeaderDataset   = "selfsame-dataset" // name of the dataset, where several share a topic
	HeaderOperation = "selfsame-op"      // upsert, replace or delete; insert or delete for events
	HeaderTime      = "selfsame-time"    // RFC 3339, or milliseconds since the epoch
	HeaderUnset     = "selfsame-unset"   // dotted paths to take away, separated by commas
	HeaderArray     = "selfsame-array"   // path=append|remove|union, separated by commas
)

// Input is a record as the shard takes it: decoded, validated, its identities resolved; or
// rejected.
type Input struct {
	Record   Record
	Dataset  *Dataset // nil where none is known
	Reject   *Rejection
	Op       Operation
	Stamp    profile.Stamp
	IDs      identity.Resolved
	Fragment profile.Fragment // of a record: what it says, all of it stamped Stamp
	EventID  string
	Body     profile.Value // of an event

	control *controlInput // of a record of the control topic, nil of all others

	removed  []profile.Path // of arrays, by the dataset: what the value has there goes away
	void     bool           // a tombstone that says nothing
	named    bool           // Op is from a header, which the envelope does not overrule
	place    string         // where in the value the record lies, "" where it is the value
	envelope sentTime       // what the envelope says of the time
}

// Decoder turns records into inputs. It is immutable and safe for concurrent use: every partition's
// reader decodes on its own.
type Decoder struct {
	model   *Model
	byTopic map[string][]*Dataset
	framed  map[string]bool // topics with a dataset in FormatRegistry
	codecs  map[*Dataset]*codec
	written sync.Map // by schema id of the registry: *schemas.WriterSchema, nil where there is none
}

// NewDecoder returns the decoder of a model.
func NewDecoder(model *Model) *Decoder {
	d := &Decoder{model: model, byTopic: map[string][]*Dataset{},
		framed: map[string]bool{}, codecs: map[*Dataset]*codec{}}
	for _, topic := range model.InputTopics() {
		d.byTopic[topic] = model.datasetsOf(topic)
		for _, ds := range d.byTopic[topic] {
			d.codecs[ds] = newCodec(ds)
			d.framed[topic] = d.framed[topic] || ds.Format == FormatRegistry
		}
	}
	return d
}

// Decode reads one record. It never fails: what is wrong with the record is in Input.Reject. Checks
// are made in a fixed order, and the first that fails gives the reason: dataset, size, operation,
// form, schema, time, event id, identities.
func (d *Decoder) Decode(r Record) Input {
	in := Input{Record: r}
	in.Stamp.Time = r.Time
	in.Stamp.Pos = r.Pos
	if r.Pos.Topic == d.model.ControlTopic && r.Pos.Topic != "" {
		d.decodeControl(&in)
		return in
	}
	if in.Reject = d.chooseDataset(&in); in.Reject != nil {
		return in
	}
	if size := recordSize(&r); size > d.model.Limits.RecordBytes {
		in.Reject = &Rejection{Reason: ReasonTooLarge, Found: strconv.Itoa(size) + " bytes",
			Wanted: "at most " + strconv.Itoa(d.model.Limits.RecordBytes)}
		return in
	}
	if in.Reject = chooseOperation(&in); in.Reject != nil {
		return in
	}
	if r.Value == nil {
		in.Reject = d.decodeTombstone(&in)
		return in
	}
	in.Reject = d.decodeValue(&in)
	return in
}

// chooseDataset picks the dataset by header, or the only one that reads the topic.
func (d *Decoder) chooseDataset(in *Input) *Rejection {
	datasets := d.byTopic[in.Record.Pos.Topic]
	name, named := in.Record.Header(HeaderDataset)
	for _, ds := range datasets {
		if named && ds.Name == string(name) {
			in.Dataset = ds
			return nil
		}
	}
	if !named && len(datasets) == 1 {
		in.Dataset = datasets[0]
		return nil
	}
	found := "no header " + HeaderDataset
	if named {
		found = "a name that no dataset of this topic has"
	}
	return &Rejection{Reason: ReasonUnknownDataset, Found: found,
		Wanted: "a dataset of topic " + in.Record.Pos.Topic}
}

func chooseOperation(in *Input) *Rejection {
	in.Op = in.Dataset.Mode
	event := in.Dataset.Class == ClassEvent
	if _, edits := in.Record.Header(HeaderArray); edits && event {
		return &Rejection{Reason: ReasonBadOperation, Path: "header " + HeaderArray,
			Wanted: "a record dataset", Found: "an event dataset"}
	}
	value, ok := in.Record.Header(HeaderOperation)
	if !ok {
		return nil
	}
	wanted := "upsert, replace or delete"
	switch op := string(value); {
	case op == "upsert" && !event, op == "insert" && event:
		in.Op, in.named = OpUpsert, true
		return nil
	case op == "replace" && !event:
		in.Op, in.named = OpReplace, true
		return nil
	case op == "delete":
		in.Op, in.named = OpDelete, true
		return nil
	}
	if event {
		wanted = "insert or delete"
	}
	return &Rejection{Reason: ReasonBadOperation, Path: "header " + HeaderOperation, Wanted: wanted,
		Found: "something else"}
}

// decodeTombstone reads a null value: the key is the plain value of the primary identity, or, where
// a database wrote it, the key of a row.
func (d *Decoder) decodeTombstone(in *Input) *Rejection {
	switch in.Dataset.Tombstones {
	case TombstonesIgnore:
		in.void = true
		return nil
	case TombstonesReject:
		return &Rejection{Reason: ReasonBadOperation, Wanted: "a value", Found: "null"}
	}
	in.Op = OpDelete
	if rejection := in.chooseTime(profile.Null()); rejection != nil {
		return rejection
	}
	in.Fragment.Floor = in.Stamp
	return d.resolve(in, d.keyClaims(in))
}

// keyClaims reads the primary identity from the record's key.
func (d *Decoder) keyClaims(in *Input) []identity.Claim {
	var claims []identity.Claim
	for _, field := range in.Dataset.Identities {
		if field.Primary {
			claims = append(claims, identity.Claim{Namespace: field.Namespace, Primary: true,
				Value: d.keyText(in, field.Path)})
		}
	}
	return claims
}

func (d *Decoder) decodeValue(in *Input) *Rejection {
	ds := in.Dataset
	value, rejection := d.open(in)
	if rejection != nil {
		return rejection
	}
	if rejection := in.chooseTime(value); rejection != nil {
		return rejection
	}
	if ds.Class == ClassEvent {
		if rejection := d.decodeEvent(in, value); rejection != nil {
			return rejection
		}
		if in.Op == OpDelete {
			return nil // an event is deleted by its id alone
		}
	} else if rejection := d.decodeFragment(in, value); rejection != nil {
		return rejection
	}
	claims := claimsOf(ds, value, in.removed)
	if ds.Envelope == EnvelopeDebezium && in.Op == OpDelete && !claimsPrimary(claims) {
		claims = append(claims, d.keyClaims(in)...)
	}
	return d.resolve(in, claims)
}

// chooseTime sets the stamp's time and sequence: header, else the dataset's path, else the
// envelope's, else Kafka's. A row that is gone cannot say when: the envelope's goes first.
func (in *Input) chooseTime(value profile.Value) *Rejection {
	if sequence := value.At(in.Dataset.Sequence); in.Dataset.Sequence != "" {
		in.Stamp.Sequence = sequence.AsInt()
	}
	if text, ok := in.Record.Header(HeaderTime); ok {
		return in.setTime("header "+HeaderTime, profile.String(string(text)), true)
	}
	at := profile.Null()
	if in.Dataset.Timestamp != "" {
		at = value.At(in.Dataset.Timestamp)
	}
	sent := &in.envelope
	switch {
	case !sent.at.IsNull() && (sent.first || at.IsNull()):
		return in.setTime(sent.where, sent.at, false)
	case at.IsNull():
		return nil
	}
	return in.setTime(in.within(in.Dataset.Timestamp.String()), at, false)
}

// setTime reads a time from a timestamp or a text; millis allows a text of integer milliseconds.
func (in *Input) setTime(where string, v profile.Value, millis bool) *Rejection {
	if v.Kind() != profile.KindString {
		ns, ok := v.UnixNano()
		if !ok {
			return &Rejection{Reason: ReasonBadTimestamp, Path: where, Found: v.Kind().String(),
				Wanted: "an instant between 1678 and 2261"}
		}
		in.Stamp.Time = ns
		return nil
	}
	text := v.AsText()
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && millis {
		return in.setTime(where, profile.Temporal(profile.KindTimestampMillis, n), false)
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() < 1678 || t.Year() > 2261 {
		return &Rejection{Reason: ReasonBadTimestamp, Path: where, Found: "a text of another form",
			Wanted: "RFC 3339, between 1678 and 2261"}
	}
	in.Stamp.Time = t.UnixNano()
	return nil
}

// decodeFragment turns the value of a record into leaves under the union's paths.
func (d *Decoder) decodeFragment(in *Input, value profile.Value) *Rejection {
	if in.Op != OpUpsert {
		in.Fragment.Floor = in.Stamp
	}
	if in.Op == OpDelete {
		return nil
	}
	nulls := in.Dataset.Nulls
	if in.Op == OpReplace {
		nulls = profile.NullsAbsent
	}
	leaves := profile.Flatten(value, in.Stamp, nulls)
	if path := in.Dataset.IdentityMap; path != "" { // what it holds are identities, no attributes
		leaves = slices.DeleteFunc(leaves, func(l profile.Leaf) bool {
			return path.Contains(l.Path)
		})
	}
	leaves, rejection := in.takeEdits(leaves)
	if rejection == nil {
		leaves, rejection = in.addUnsets(leaves)
	}
	if rejection != nil {
		return rejection
	}
	in.Fragment.Leaves = in.Dataset.rename(leaves)
	in.Fragment.Edits = profile.SortEdits(in.Fragment.Edits)
	return checkFragment(&in.Fragment, d.model.Limits)
}

func tooManyLeaves(n int, limits Limits) *Rejection {
	return &Rejection{Reason: ReasonTooLarge, Found: strconv.Itoa(n) + " attributes",
		Wanted: "at most " + strconv.Itoa(limits.LeavesPerFragment) + " in a fragment"}
}

// addUnsets adds the paths of the unset header. They must be in the schema and not be written by
// the same record.
func (in *Input) addUnsets(leaves []profile.Leaf) ([]profile.Leaf, *Rejection) {
	header, ok := in.Record.Header(HeaderUnset)
	if !ok {
		return leaves, nil
	}
	if in.Op != OpUpsert {
		return nil, &Rejection{Reason: ReasonBadOperation, Path: "header " + HeaderUnset,
			Wanted: "an upsert", Found: "another operation"}
	}
	for text := range strings.SplitSeq(string(header), ",") {
		path, rejection := in.Dataset.readUnset(text)
		if rejection != nil {
			return nil, rejection
		}
		if in.writes(path, leaves) {
			return nil, &Rejection{Reason: ReasonBadOperation, Path: in.within(path.String()),
				Wanted: "a value or an unset", Found: "both"}
		}
		leaves = append(leaves, profile.Leaf{Path: path, Stamp: in.Stamp})
	}
	profile.SortLeaves(leaves)
	return leaves, nil
}

// writes reports whether the record says something at path or below it, besides unsetting it.
func (in *Input) writes(path profile.Path, leaves []profile.Leaf) bool {
	return slices.ContainsFunc(leaves, func(l profile.Leaf) bool {
		return path.Contains(l.Path)
	}) || slices.ContainsFunc(in.Fragment.Edits, func(e profile.Edit) bool {
		return in.Dataset.UnionPath(path).Contains(e.Path)
	})
}

// rename moves leaves from the dataset's paths to the union's.
func (ds *Dataset) rename(leaves []profile.Leaf) []profile.Leaf {
	if len(ds.Rename) == 0 {
		return leaves
	}
	for i := range leaves {
		for _, r := range ds.Rename {
			if moved, ok := leaves[i].Path.Rebase(r.From, r.To); ok {
				leaves[i].Path = moved
				break
			}
		}
	}
	profile.SortLeaves(leaves)
	return leaves
}

// decodeEvent reads the event's id and keeps its body.
func (d *Decoder) decodeEvent(in *Input, value profile.Value) *Rejection {
	path := in.Dataset.EventID
	id, ok := identityText(value.At(path))
	limit := d.model.Limits.EventIDBytes
	if !ok || id == "" || len(id) > limit || !utf8.ValidString(id) {
		return &Rejection{Reason: ReasonSchemaViolation, Path: in.within(path.String()),
			Wanted: "an event id of 1 to " + strconv.Itoa(limit) + " bytes",
			Found:  strconv.Itoa(len(id)) + " bytes"}
	}
	in.EventID = id
	in.Body = in.Dataset.renameBody(value)
	return nil
}

// renameBody moves the parts of an event to the union's paths.
func (ds *Dataset) renameBody(value profile.Value) profile.Value {
	if len(ds.Rename) == 0 {
		return value
	}
	leaves := ds.rename(profile.Flatten(value, profile.Stamp{}, profile.NullsAbsent))
	return profile.Unflatten(leaves)
}

// resolve normalises the claims and finds the primary identity.
func (d *Decoder) resolve(in *Input, claims []identity.Claim) *Rejection {
	rules := d.model.Entity(in.Dataset.Entity).Rules
	resolve := rules.ResolveRecord
	if in.Dataset.Class == ClassEvent {
		resolve = rules.ResolveEvent
	}
	var err error
	if in.IDs, err = resolve(claims); err != nil {
		return rejectIdentity(err)
	}
	return nil
}
