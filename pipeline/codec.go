package pipeline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"selfsame/profile"
	"selfsame/schemas"
)

// codec reads the values of one dataset. It is safe for concurrent use.
type codec struct {
	ds     *Dataset
	values *avroShape
	keys   *avroShape // of rows, where a database writes them
}

// avroShape reads Avro, written in whatever schema, as values of one schema.
type avroShape struct {
	shape *schemas.Schema
	ways  map[uint64]way // by fingerprint of what is written
	byID  sync.Map       // way, by the registry's id
	only  *way           // bare Avro that is not written in shape
}

// way is a resolution, or why there is none.
type way struct {
	resolution *schemas.Resolution
	err        error
}

func newCodec(ds *Dataset) *codec {
	shape, c := ds.Schema, &codec{ds: ds}
	if ds.Envelope == EnvelopeDebezium {
		c.keys = newAvroShape(ds.Schema.Partial(), nil)
		shape = schemas.DebeziumEnvelope(ds.Schema)
	}
	writers := ds.Writers
	if ds.Envelope == EnvelopeNone && ds.Format == FormatSingleObject {
		writers = append([]*schemas.WriterSchema{ds.Schema.Writer()}, writers...)
	}
	c.values = newAvroShape(shape, writers)
	if len(ds.Writers) == 1 {
		only := c.values.ways[ds.Writers[0].Fingerprint()]
		c.values.only = &only
	}
	return c
}

func newAvroShape(shape *schemas.Schema, writers []*schemas.WriterSchema) *avroShape {
	s := &avroShape{shape: shape, ways: map[uint64]way{}}
	for _, w := range writers {
		resolution, err := schemas.NewResolution(w, shape)
		s.ways[w.Fingerprint()] = way{resolution, err}
	}
	return s
}

// CheckWriters reports what is written in a schema that can never be read as the dataset's. Errors
// are joined, and name the files.
func (ds *Dataset) CheckWriters() error {
	var faults []error
	c, as := newCodec(ds), ds.Schema.File()
	if ds.Envelope == EnvelopeDebezium {
		as = "a change event of " + as
	}
	for _, w := range ds.Writers {
		if err := c.values.ways[w.Fingerprint()].err; err != nil {
			faults = append(faults, fmt.Errorf("%s cannot be read as %s: %w", w.File(), as, err))
		}
	}
	return errors.Join(faults...)
}

// Unlearned names the schemas of the registry that the record is written in and the decoder does
// not hold. Without one, the record can be decoded at once.
func (d *Decoder) Unlearned(r *Record) (ids []uint32) {
	if !d.framed[r.Pos.Topic] {
		return nil
	}
	in := Input{Record: *r}
	if d.chooseDataset(&in) != nil || in.Dataset.Format != FormatRegistry {
		return nil
	}
	framed := [][]byte{r.Value}
	if d.codecs[in.Dataset].keys != nil {
		framed = append(framed, r.Key)
	}
	for _, data := range framed {
		id, _, ok := registryFrame(data)
		if !ok {
			continue
		}
		if w, known := d.written.Load(id); !known || w.(*schemas.WriterSchema) == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// Learn tells the decoder a schema of the registry. nil: there is none of that id; until it is told
// otherwise, what is written in it is rejected as unknown_schema.
func (d *Decoder) Learn(id uint32, w *schemas.WriterSchema) { d.written.Store(id, w) }

// avro decodes a value in one of the Avro formats.
func (d *Decoder) avro(s *avroShape, format Format, data []byte) (profile.Value, *Rejection) {
	var w way
	body, ok := data, true
	switch format {
	case FormatSingleObject:
		w, body, ok = s.bySingleObject(data)
	case FormatRegistry:
		w, body, ok = d.byRegistry(s, data)
	default:
		if s.only == nil {
			v, err := s.shape.DecodeAvro(data)
			return v, rejectInside(err, "", 0)
		}
		w = *s.only
	}
	if !ok {
		return profile.Value{}, unknownSchema(format, data)
	}
	if w.err != nil {
		return profile.Value{}, rejectDecode(w.err)
	}
	v, err := w.resolution.Decode(body)
	return v, rejectInside(err, "", int64(len(data)-len(body)))
}

// frame lengths in bytes.
const (
	singleObjectFrame = 10
	registryFrameSize = 5
)

func (s *avroShape) bySingleObject(data []byte) (w way, body []byte, ok bool) {
	if len(data) < singleObjectFrame || data[0] != 0xC3 || data[1] != 0x01 {
		return way{}, nil, false
	}
	w, ok = s.ways[binary.LittleEndian.Uint64(data[2:])]
	return w, data[singleObjectFrame:], ok
}

// registryFrameOf begins a value that is written in the schema of that id.
func registryFrameOf(id uint32) []byte { return binary.BigEndian.AppendUint32([]byte{0}, id) }

func registryFrame(data []byte) (id uint32, body []byte, ok bool) {
	if len(data) < registryFrameSize || data[0] != 0 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint32(data[1:]), data[registryFrameSize:], true
}

func (d *Decoder) byRegistry(s *avroShape, data []byte) (w way, body []byte, ok bool) {
	id, body, ok := registryFrame(data)
	if !ok {
		return way{}, nil, false
	}
	if known, compiled := s.byID.Load(id); compiled {
		return known.(way), body, true
	}
	learned, known := d.written.Load(id)
	writer, _ := learned.(*schemas.WriterSchema)
	if !known || writer == nil {
		return way{}, nil, false
	}
	w.resolution, w.err = schemas.NewResolution(writer, s.shape)
	s.byID.Store(id, w)
	return w, body, true
}

// unknownSchema tells a value without a frame from one that names a schema that is not there.
func unknownSchema(format Format, data []byte) *Rejection {
	if format == FormatRegistry {
		id, _, ok := registryFrame(data)
		if !ok {
			return &Rejection{Reason: ReasonMalformed, Path: "byte 0",
				Wanted: "00 and a schema id of 4 bytes", Found: "something else"}
		}
		return &Rejection{Reason: ReasonUnknownSchema, Path: "byte 1",
			Wanted: "a schema id that the registry has",
			Found:  "id " + strconv.FormatUint(uint64(id), 10)}
	}
	if len(data) < singleObjectFrame || data[0] != 0xC3 || data[1] != 0x01 {
		return &Rejection{Reason: ReasonMalformed, Path: "byte 0",
			Wanted: "C3 01 and a fingerprint of 8 bytes", Found: "something else"}
	}
	return &Rejection{Reason: ReasonUnknownSchema, Path: "byte 2",
		Wanted: "the fingerprint of schema or of one of writer_schemas",
		Found:  fmt.Sprintf("fingerprint %016x", binary.LittleEndian.Uint64(data[2:]))}
}

// rejectInside turns a decoder's error into a rejection that names the place in the whole value:
// where the part that was decoded lies, and at which byte it begins. nil stays nil.
func rejectInside(err error, place string, offset int64) *Rejection {
	if err == nil {
		return nil
	}
	var malformed *schemas.MalformedError
	if errors.As(err, &malformed) {
		return &Rejection{Reason: ReasonMalformed, Found: malformed.Reason,
			Path: "byte " + strconv.FormatInt(malformed.Offset+offset, 10)}
	}
	rejection := rejectDecode(err)
	rejection.Path = joinPlace(place, rejection.Path)
	return rejection
}

func joinPlace(place, path string) string {
	if place == "" || path == "" {
		return place + path
	}
	return place + "." + path
}

// within names a path of the record as it lies in the value.
func (in *Input) within(path string) string { return joinPlace(in.place, path) }

// EncodeValue encodes a value of the dataset's schema as its format asks; id is that of the schema
// in the registry, for [FormatRegistry]. Errors are those of [schemas.Schema.EncodeAvro], or say
// that the format cannot be written without more.
func (ds *Dataset) EncodeValue(v profile.Value, id uint32) ([]byte, error) {
	switch {
	case ds.Envelope != EnvelopeNone:
		return nil, errors.New("the dataset wants an envelope, which a record alone does not have")
	case ds.Format == FormatJSON:
		return profile.AppendJSON(nil, v), nil
	}
	body, err := ds.Schema.EncodeAvro(v)
	if err != nil || ds.Format == FormatAvro {
		return body, err
	}
	if ds.Format == FormatRegistry {
		return append(registryFrameOf(id), body...), nil
	}
	framed := binary.LittleEndian.AppendUint64([]byte{0xC3, 0x01}, ds.Schema.Fingerprint())
	return append(framed, body...), nil
}
