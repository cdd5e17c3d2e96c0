package schemas

import (
	"bytes"
	"compress/flate"
	"fmt"
	"slices"
)

// The codecs of container files.
const (
	CodecNull    = "null"
	CodecDeflate = "deflate" // RFC 1951, without a header
)

// Codecs returns the codecs that [NewContainer] knows.
func Codecs() []string { return []string{CodecNull, CodecDeflate} }

// containerMagic begins every container file: "Obj" and the version of the format.
const containerMagic = "Obj\x01"

// Container lays out an Avro object container file, piece by piece: the header, then blocks. Every
// concatenation of a header and whole blocks is a file.
type Container struct {
	schema []byte
	codec  string
	sync   [16]byte
}

// NewContainer returns the layout of a file of records in a schema, given as text. sync stands
// between the blocks; it should be random, so that no record happens to hold it.
func NewContainer(schema []byte, codec string, sync [16]byte) (*Container, error) {
	if !slices.Contains(Codecs(), codec) {
		return nil, fmt.Errorf("there is no codec %q: want one of %v", codec, Codecs())
	}
	return &Container{schema: schema, codec: codec, sync: sync}, nil
}

// Header returns the beginning of the file.
func (c *Container) Header() []byte {
	head := appendLong([]byte(containerMagic), 2)
	head = appendText(appendText(head, "avro.codec"), c.codec)
	head = appendText(appendText(head, "avro.schema"), string(c.schema))
	return append(append(head, 0), c.sync[:]...)
}

// AppendBlock appends a block of count records, given one after the other in binary.
func (c *Container) AppendBlock(dst []byte, count int, records []byte) []byte {
	if c.codec == CodecDeflate {
		records = deflate(records)
	}
	dst = appendLong(appendLong(dst, int64(count)), int64(len(records)))
	return append(append(dst, records...), c.sync[:]...)
}

func deflate(data []byte) []byte {
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.DefaultCompression)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // invariant: the level exists, and a buffer takes everything
	}
	return packed.Bytes()
}
