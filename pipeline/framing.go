package pipeline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"selfsame/profile"
	"selfsame/schemas"
)

// frameBytes is the size of what a registry's serializers put before bare Avro binary: a zero byte
// and the id of the schema, four bytes, the first the highest.
const frameBytes = 5

// splitFrame takes a framed value apart. ok is false where it is not framed.
func splitFrame(value []byte) (id uint32, record []byte, ok bool) {
	if len(value) < frameBytes || value[0] != 0 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint32(value[1:]), value[frameBytes:], true
}

// appendFrame begins a framed value.
func appendFrame(dst []byte, id uint32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0), id)
}

// Writers knows the schemas that framed records were written in.
type Writers interface {
	// Writer returns what decodes records of a dataset in the schema of that id, or why they are
	// rejected. It never waits.
	Writer(ds *Dataset, id uint32) (*schemas.Resolution, *Rejection)
}

// decodeFramed reads a value of a dataset in format registry.
func (ds *Dataset) decodeFramed(value []byte, w Writers) (profile.Value, *Rejection) {
	id, record, ok := splitFrame(value)
	if !ok {
		return profile.Value{}, &Rejection{Reason: ReasonMalformed, Path: "byte 0",
			Wanted: "a zero byte and a schema id of four bytes", Found: "something else"}
	}
	if w == nil {
		return profile.Value{}, rejectSchema(id)
	}
	resolution, rejection := w.Writer(ds, id)
	if rejection != nil {
		return profile.Value{}, rejection
	}
	v, err := resolution.Decode(record)
	if err != nil {
		return v, rejectDecode(err)
	}
	return v, nil
}

func rejectSchema(id uint32) *Rejection {
	return &Rejection{Reason: ReasonUnknownSchema, Path: "schema id",
		Wanted: "an Avro schema of the registry", Found: fmt.Sprintf("id %d", id)}
}

// writers are the schemas that one reader has met. It is not safe for concurrent use.
type writers struct {
	known map[uint32]*writer
}

// writer is one schema, or why there is none.
type writer struct {
	schema      *schemas.WriterSchema
	refused     *Rejection
	again       int64 // of one that was unknown: when to ask again, nanoseconds since the epoch
	resolutions map[*Dataset]resolved
}

// resolved is a writer's schema as a dataset reads it.
type resolved struct {
	resolution *schemas.Resolution
	refused    *Rejection
}

// maxWriters bounds the schemas that a reader keeps. More are forgotten together, between chunks.
const maxWriters = 500

// Writer implements Writers.
func (w *writers) Writer(ds *Dataset, id uint32) (*schemas.Resolution, *Rejection) {
	one := w.known[id]
	if one == nil {
		return nil, rejectSchema(id)
	}
	if one.refused != nil {
		return nil, one.refused
	}
	r, ok := one.resolutions[ds]
	if !ok {
		var err error
		if r.resolution, err = schemas.NewResolution(one.schema, ds.Schema); err != nil {
			r.refused = rejectResolution(id, err)
		}
		one.resolutions[ds] = r
	}
	return r.resolution, r.refused
}

// rejectResolution: the schema is there, but does not fit the dataset's.
func rejectResolution(id uint32, err error) *Rejection {
	rejection := &Rejection{Reason: ReasonSchemaViolation, Path: "schema id",
		Wanted: "a schema that resolves to the dataset's", Found: fmt.Sprintf("id %d", id)}
	var unfit *schemas.ResolutionError
	if errors.As(err, &unfit) {
		rejection.Path = unfit.Path
		rejection.Found += ": " + unfit.Reason
	}
	return rejection
}

// missing lists the ids of framed records whose schema has to be asked for, each once. now is in
// nanoseconds since the epoch.
func (w *writers) missing(d *Decoder, records []Record, now int64) []uint32 {
	var ids []uint32
	if len(w.known) > maxWriters {
		clear(w.known)
	}
	seen := map[uint32]bool{}
	for i := range records {
		id, framed := d.schemaID(&records[i])
		if !framed || seen[id] {
			continue
		}
		seen[id] = true
		one := w.known[id]
		if one == nil || one.again != 0 && one.again <= now {
			delete(w.known, id)
			ids = append(ids, id)
		}
	}
	return ids
}

// schemaID returns the id that a record's value begins with. framed is false where its dataset does
// not ask for one, where it is not needed, and where no registry can have it: ids are positive.
func (d *Decoder) schemaID(r *Record) (id uint32, framed bool) {
	if len(d.framed) == 0 || !d.framed[r.Pos.Topic] {
		return 0, false
	}
	in := Input{Record: *r}
	if d.chooseDataset(&in) != nil || in.Dataset.Format != FormatRegistry {
		return 0, false
	}
	id, _, framed = splitFrame(r.Value)
	return id, framed && id > 0 && id <= math.MaxInt32
}

// know notes what the registry said of an id: a text, or an error that is not transient.
func (w *writers) know(id uint32, text []byte, err error) error {
	one := &writer{resolutions: map[*Dataset]resolved{}}
	if err == nil {
		one.schema, err = schemas.ParseWriter(fmt.Sprintf("schema id %d", id), text)
	}
	if err != nil {
		one.refused = rejectSchema(id)
	}
	w.known[id] = one
	return err
}
