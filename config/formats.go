package config

import (
	"cmp"

	"selfsame/pipeline"
)

// formats reads what a value is encoded in and wrapped in.
func (b *datasetBuilder) formats() {
	f, ds := &b.f, b.ds
	ds.Format = choose(b, "format", f.Format, []string{"json", "avro", "single-object", "registry"},
		[]pipeline.Format{pipeline.FormatJSON, pipeline.FormatAvro, pipeline.FormatSingleObject,
			pipeline.FormatRegistry})
	ds.Envelope = choose(b, "envelope", f.Envelope, []string{"none", "xdm", "debezium"},
		[]pipeline.Envelope{pipeline.EnvelopeNone, pipeline.EnvelopeXDM,
			pipeline.EnvelopeDebezium})
	tombstones := f.Tombstones
	if ds.Envelope == pipeline.EnvelopeDebezium { // one follows every delete, and adds nothing
		tombstones = cmp.Or(tombstones, "ignore")
	}
	ds.Tombstones = choose(b, "tombstones", tombstones, []string{"reject", "delete", "ignore"},
		[]pipeline.Tombstones{pipeline.TombstonesReject, pipeline.TombstonesDelete,
			pipeline.TombstonesIgnore})
	if ds.Envelope == pipeline.EnvelopeXDM && ds.Format != pipeline.FormatJSON {
		b.wrong("envelope", "xdm is JSON: format must be json")
	}
	b.countWriters()
}

// countWriters sees to it that there is one schema, and only one, that bare Avro can be written in.
func (b *datasetBuilder) countWriters() {
	n := len(b.f.WriterSchemas)
	enveloped := b.ds.Envelope == pipeline.EnvelopeDebezium
	switch b.ds.Format {
	case pipeline.FormatJSON, pipeline.FormatRegistry:
		if n > 0 {
			b.wrong("writer_schemas", "only the formats avro and single-object have any")
		}
		return
	case pipeline.FormatAvro:
		if n > 1 {
			b.wrong("writer_schemas", "bare Avro does not say which schema it is written in: "+
				"name one at most")
		}
	}
	if enveloped && n == 0 {
		b.wrong("writer_schemas", "is missing: name the schema of the whole change event; "+
			"schema is that of a row")
	}
}

// writers reads the schemas that values are written in, and sees whether they can be read.
func (b *datasetBuilder) writers() {
	for _, path := range b.f.WriterSchemas {
		w, err := b.c.readWriter(path)
		if err != nil {
			b.wrong("writer_schemas", "%v", err)
			continue
		}
		b.ds.Writers = append(b.ds.Writers, w)
	}
	each(b.p, []string{"datasets", b.name, "writer_schemas"}, b.ds.CheckWriters())
}
