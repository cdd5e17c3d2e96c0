package pipeline

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"

	"selfsame/profile"
	"selfsame/schemas"
)

// The formats of an export.
const (
	ExportNDJSON = "ndjson" // one JSON object a line: the values of the output topic
	ExportAvro   = "avro"   // an Avro object container file
)

// exportBlock is how much is written at a time, in bytes, and the size of an Avro block before it
// is compressed. One profile can exceed it.
const exportBlock = 64 << 10

// ExportQuery says what to export and how.
type ExportQuery struct {
	Class  string
	Policy string // "": the default policy of the class
	Format string // "": ExportNDJSON
	Codec  string // of ExportAvro, one of schemas.Codecs(); "": schemas.CodecNull
	// Incomplete has the profiles exported that there are, where not all have been decided yet.
	Incomplete bool
}

// Export is all current profiles of a class under a policy.
type Export struct {
	lookup  *Lookup
	entity  *Entity
	policy  *PolicyTopic
	format  string
	profile *schemas.ProfileSchema // of ExportAvro
	file    *schemas.Container     // of ExportAvro
	types   map[string]string      // of the computed attributes in profile
}

// Export prepares an export. *QueryError where the query is wrong, *UndecidedError where profiles
// would be missing and the query does not allow that.
func (l *Lookup) Export(q ExportQuery) (*Export, error) {
	entity, policy, err := l.find(q.Class, q.Policy)
	if err != nil {
		return nil, err
	}
	if !q.Incomplete {
		if err := l.decided(entity, policy); err != nil {
			return nil, err
		}
	}
	x := &Export{lookup: l, entity: entity, policy: policy, format: q.Format,
		types: entity.computedTypes()}
	switch {
	case q.Format == ExportAvro:
		err = x.prepareAvro(l.model, q.Codec)
	case q.Format != ExportNDJSON && q.Format != "":
		err = &QueryError{fmt.Sprintf("there is no format %q: want %s or %s",
			q.Format, ExportNDJSON, ExportAvro)}
	case q.Codec != "":
		err = &QueryError{"only format " + ExportAvro + " has a codec"}
	}
	return x, err
}

func (x *Export) prepareAvro(model *Model, codec string) error {
	var err error
	if x.profile, err = model.ProfileSchema(x.entity); err != nil {
		return err
	}
	var sync [16]byte
	_, _ = rand.Read(sync[:]) // never fails
	if codec == "" {
		codec = schemas.CodecNull
	}
	if x.file, err = schemas.NewContainer(x.profile.Avro(), codec, sync); err != nil {
		return &QueryError{err.Error()}
	}
	return nil
}

// Stream writes the profiles of the latest committed state in order of id, and returns how many
// they are. It holds one profile and exportBlock bytes at a time. Where it fails, or ctx ends, what
// was written is incomplete.
func (x *Export) Stream(ctx context.Context, w io.Writer) (profiles int, err error) {
	buffered := bufio.NewWriterSize(w, exportBlock)
	e := x.encoder(buffered)
	snap := x.lookup.store.Snapshot()
	defer snap.Close()
	if err := e.begin(); err != nil {
		return 0, err
	}
	r, err := x.lookup.reading(snap, x.entity, x.policy)
	if err != nil {
		return 0, err
	}
	err = r.each(func(a *Answer) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		profiles++
		return e.add(a)
	})
	if err == nil {
		err = e.end()
	}
	if err == nil {
		err = buffered.Flush()
	}
	return profiles, err
}

// exportEncoder writes profiles one after the other: begin, add for each, end.
type exportEncoder interface {
	begin() error
	add(a *Answer) error
	end() error
}

func (x *Export) encoder(w io.Writer) exportEncoder {
	if x.format == ExportAvro {
		return &avroEncoder{export: x, w: w}
	}
	return ndjsonEncoder{w}
}

type ndjsonEncoder struct{ w io.Writer }

func (ndjsonEncoder) begin() error { return nil }
func (ndjsonEncoder) end() error   { return nil }

func (e ndjsonEncoder) add(a *Answer) error {
	_, err := e.w.Write(append(a.JSON(false), '\n'))
	return err
}

// avroEncoder gathers records into blocks.
type avroEncoder struct {
	export  *Export
	w       io.Writer
	count   int
	records []byte
	block   []byte // reused
}

func (e *avroEncoder) begin() error {
	_, err := e.w.Write(e.export.file.Header())
	return err
}

func (e *avroEncoder) add(a *Answer) error {
	record, err := e.export.profile.Encode(a.record(e.export.types))
	if err != nil {
		return fmt.Errorf("encoding profile %s: %w", a.Ref.ID, err)
	}
	e.records = append(e.records, record...)
	e.count++
	if len(e.records) < exportBlock {
		return nil
	}
	return e.end()
}

// end writes the block that was begun, if any.
func (e *avroEncoder) end() error {
	if e.count == 0 {
		return nil
	}
	e.block = e.export.file.AppendBlock(e.block[:0], e.count, e.records)
	e.count, e.records = 0, e.records[:0]
	_, err := e.w.Write(e.block)
	return err
}

// record is the answer as schemas encodes it. types are the types of computed attributes in the
// schema: what is of another type, since its definition is being replaced, is left out.
func (a *Answer) record(types map[string]string) *schemas.ProfileRecord {
	leaves := make([]profile.Leaf, len(a.Merged.Leaves))
	for i, leaf := range a.Merged.Leaves {
		leaves[i] = leaf.Leaf
	}
	identities := map[string][]string{}
	for _, id := range a.Data.Members {
		identities[id.Namespace] = append(identities[id.Namespace], id.Value)
	}
	record := &schemas.ProfileRecord{ID: a.Ref.ID.String(), Class: a.Ref.Class,
		Policy: a.Ref.Policy, Version: a.Version, Identities: identities,
		Attributes: profile.Unflatten(leaves), Datasets: a.Data.Datasets}
	if a.Data.Computed != nil {
		record.Computed, record.Flags = a.Data.Computed.record(types)
	}
	return record
}
