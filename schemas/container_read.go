package schemas

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// The codecs that are read only.
const (
	codecBzip2  = "bzip2"
	codecSnappy = "snappy" // its block format, and the CRC-32 of what was packed
	codecZstd   = "zstandard"
)

// Bounds of container files, in bytes.
const (
	maxContainerHeader = 16 << 20
	maxContainerBlock  = 128 << 20 // packed, and unpacked
)

// ContainerReader reads an Avro object container file, record by record. What is good before a
// fault is handed out.
type ContainerReader struct {
	in     *bufio.Reader
	schema *WriterSchema
	codec  string
	sync   [16]byte

	reader avroReader // of the block
	block  int        // from 1
	record int        // in the block, from 1
	left   int64      // records in the block
}

// ContainerError says where a container file is broken.
type ContainerError struct {
	Block  int // from 1, 0 for the header
	Record int // within the block, from 1; 0 where it is about the block
	Err    error
}

// Error implements error.
func (e *ContainerError) Error() string {
	switch {
	case e.Block == 0:
		return "header: " + e.Err.Error()
	case e.Record == 0:
		return fmt.Sprintf("block %d: %v", e.Block, e.Err)
	}
	return fmt.Sprintf("block %d, record %d: %v", e.Block, e.Record, e.Err)
}

// Unwrap returns what is wrong there.
func (e *ContainerError) Unwrap() error { return e.Err }

// IsContainer reports whether a file begins as an object container file does, of this or another
// version of the format. Three bytes suffice.
func IsContainer(head []byte) bool { return bytes.HasPrefix(head, []byte(containerMagic[:3])) }

// NewContainerReader reads the header; name is the file's for messages about its schema. Errors are
// [ContainerError]s.
func NewContainerReader(name string, in io.Reader) (*ContainerReader, error) {
	c := &ContainerReader{in: bufio.NewReaderSize(in, 1<<16)}
	if err := c.readHeader(name); err != nil {
		return nil, &ContainerError{Err: err}
	}
	return c, nil
}

// Schema returns the schema that the records are written in.
func (c *ContainerReader) Schema() *WriterSchema { return c.schema }

// Next returns the next record in bare Avro binary, good until the next call; io.EOF at the end.
// Other errors are [ContainerError]s; nothing comes after one.
func (c *ContainerReader) Next() ([]byte, error) {
	r := &c.reader
	for c.left == 0 {
		if r.at < len(r.data) {
			return nil, &ContainerError{Block: c.block,
				Err: r.malformed("bytes after the last record")}
		}
		if _, err := c.in.Peek(1); err == io.EOF {
			return nil, io.EOF
		}
		c.block, c.record = c.block+1, 0
		if err := c.readBlock(); err != nil {
			return nil, &ContainerError{Block: c.block, Err: err}
		}
	}
	c.record, c.left = c.record+1, c.left-1
	start := r.at
	r.empty, r.depth = maxEmptyItems, 0
	if err := r.skip(c.schema.root); err != nil {
		return nil, &ContainerError{Block: c.block, Record: c.record, Err: err}
	}
	return r.data[start:r.at], nil
}

// At names the record that Next returned last: its block, and its number there, from 1.
func (c *ContainerReader) At() (block, record int) { return c.block, c.record }

func (c *ContainerReader) readHeader(name string) error {
	var magic [len(containerMagic)]byte
	if _, err := io.ReadFull(c.in, magic[:]); err != nil {
		return early(err)
	}
	if string(magic[:]) != containerMagic {
		return fmt.Errorf("not an Avro object container file, or one of another version: "+
			"it begins with % x", magic)
	}
	meta, err := c.readMeta()
	if err != nil {
		return err
	}
	if _, err := io.ReadFull(c.in, c.sync[:]); err != nil {
		return early(err)
	}
	if c.codec = string(meta["avro.codec"]); c.codec == "" {
		c.codec = CodecNull
	}
	switch c.codec {
	case CodecNull, CodecDeflate, codecBzip2, codecSnappy, codecZstd:
	default:
		return fmt.Errorf("codec %q is not supported: want null, deflate, snappy, zstandard "+
			"or bzip2", c.codec)
	}
	if meta["avro.schema"] == nil {
		return errors.New("there is no avro.schema")
	}
	c.schema, err = ParseWriter(name, meta["avro.schema"])
	return err
}

func (c *ContainerReader) readMeta() (map[string][]byte, error) {
	meta := map[string][]byte{}
	budget := int64(maxContainerHeader)
	for {
		count, err := c.readLong()
		if err == nil && count < 0 {
			count = -count
			_, err = c.readLong()
		}
		if err != nil || count == 0 {
			return meta, err
		}
		for ; count != 0; count-- {
			key, err := c.readBytes(&budget)
			if err != nil {
				return nil, err
			}
			if meta[string(key)], err = c.readBytes(&budget); err != nil {
				return nil, err
			}
		}
	}
}

func (c *ContainerReader) readLong() (int64, error) {
	n, err := binary.ReadVarint(c.in)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return 0, fmt.Errorf("reading a number: %w", err)
	}
	return n, early(err)
}

// readBytes reads a length and that many bytes, which the budget pays for.
func (c *ContainerReader) readBytes(budget *int64) ([]byte, error) {
	size, err := c.readLong()
	if err != nil {
		return nil, err
	}
	if size < 0 || size > *budget {
		return nil, fmt.Errorf("impossible size of %d bytes", size)
	}
	*budget -= size
	data, err := io.ReadAll(io.LimitReader(c.in, size)) // grows with what is there
	if err == nil && int64(len(data)) < size {
		err = io.ErrUnexpectedEOF
	}
	return data, early(err)
}

// early gives one name to all ways in which a file can end early; nil stays nil.
func early(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("the file ends early")
	}
	return err
}

// readBlock reads and unpacks a block.
func (c *ContainerReader) readBlock() error {
	count, err := c.readLong()
	if err != nil {
		return err
	}
	budget := int64(maxContainerBlock)
	packed, err := c.readBytes(&budget)
	if err != nil {
		return err
	}
	var sync [16]byte
	if _, err := io.ReadFull(c.in, sync[:]); err != nil {
		return early(err)
	}
	if sync != c.sync {
		return errors.New("the sync marker at its end is not that of the file")
	}
	data, err := unpack(c.codec, packed)
	if err != nil {
		return fmt.Errorf("unpacking %s: %w", c.codec, err)
	}
	if count < 1 || c.schema.root.minSize == 0 && count > maxEmptyItems {
		return fmt.Errorf("impossible count of %d records", count)
	}
	c.left, c.reader.data, c.reader.at = count, data, 0
	return nil
}

func unpack(codec string, packed []byte) ([]byte, error) {
	switch codec {
	case CodecDeflate:
		return unpackStream(flate.NewReader(bytes.NewReader(packed)))
	case codecBzip2:
		return unpackStream(bzip2.NewReader(bytes.NewReader(packed)))
	case codecSnappy:
		return unpackSnappy(packed)
	case codecZstd:
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderMaxMemory(maxContainerBlock))
		if err != nil {
			return nil, err
		}
		defer d.Close()
		return d.DecodeAll(packed, nil)
	}
	return packed, nil
}

func unpackStream(in io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxContainerBlock+1))
	if err == nil && len(data) > maxContainerBlock {
		err = fmt.Errorf("more than %d bytes", maxContainerBlock)
	}
	return data, err
}

func unpackSnappy(packed []byte) ([]byte, error) {
	const checksum = 4
	if len(packed) < checksum {
		return nil, errors.New("there is no checksum")
	}
	body := packed[:len(packed)-checksum]
	size, err := snappy.DecodedLen(body)
	if err == nil && size > maxContainerBlock {
		err = fmt.Errorf("more than %d bytes", maxContainerBlock)
	}
	if err != nil {
		return nil, err
	}
	data, err := snappy.Decode(nil, body)
	if err != nil {
		return nil, err
	}
	if crc32.ChecksumIEEE(data) != binary.BigEndian.Uint32(packed[len(body):]) {
		return nil, errors.New("its checksum is wrong")
	}
	return data, nil
}
