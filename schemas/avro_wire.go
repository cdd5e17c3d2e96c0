package schemas

import (
	"encoding/binary"
	"fmt"
	"math"
)

// chunk reads a length and that many bytes.
func (r *avroReader) chunk() ([]byte, error) {
	size, err := r.long()
	if err != nil {
		return nil, err
	}
	return r.take(size)
}

// take reads size bytes, which stay part of the record.
func (r *avroReader) take(size int64) ([]byte, error) {
	if size < 0 {
		return nil, r.malformed("negative length")
	}
	if size > int64(len(r.data)-r.at) {
		return nil, r.malformed(fmt.Sprintf("ends early: %d bytes wanted", size))
	}
	raw := r.data[r.at : r.at+int(size)]
	r.at += int(size)
	return raw, nil
}

// long reads a zig-zag variable-length integer.
func (r *avroReader) long() (int64, error) {
	if r.at < len(r.data) && r.data[r.at] < 0x80 {
		n := uint64(r.data[r.at])
		r.at++
		return int64(n>>1) ^ -int64(n&1), nil
	}
	n, size := binary.Uvarint(r.data[r.at:])
	switch {
	case size == 0:
		return 0, r.malformed("ends early: within an integer")
	case size < 0:
		return 0, r.malformed("an integer has more than 64 bits")
	}
	r.at += size
	return int64(n>>1) ^ -int64(n&1), nil
}

// blockCount reads the head of a block of an array or map; 0 ends it. No more items are believed
// in than fit into what is left of the record.
func (r *avroReader) blockCount(minSize int) (int, error) {
	count, err := r.long()
	if err != nil {
		return 0, err
	}
	if count < 0 {
		size, err := r.long()
		if err != nil {
			return 0, err
		}
		if count == math.MinInt64 || size < 0 || size > int64(len(r.data)-r.at) {
			return 0, r.malformed("impossible size of a block")
		}
		count = -count
	}
	if minSize == 0 {
		if count > int64(r.empty) {
			return 0, r.malformed("too many empty items")
		}
		r.empty -= int(count)
		return int(count), nil
	}
	if count > int64((len(r.data)-r.at)/minSize) {
		return 0, r.malformed("more items than bytes")
	}
	return int(count), nil
}
