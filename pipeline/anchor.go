package pipeline

import (
	"encoding/binary"
	"hash/crc32"

	"selfsame/store"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// anchorOf is what a record is recognised by when reading goes on.
func anchorOf(r *Record) store.Anchor {
	return store.Anchor{Known: true, Offset: r.Pos.Offset, Epoch: r.LeaderEpoch, Sum: recordSum(r)}
}

// recordSum is the CRC-32C of offset, timestamp, key, value and headers. Each part has its length
// before it, so that none can pass for another.
func recordSum(r *Record) uint32 {
	var head [16]byte
	binary.BigEndian.PutUint64(head[:], uint64(r.Pos.Offset))
	binary.BigEndian.PutUint64(head[8:], uint64(r.Time))
	sum := crc32.Update(0, castagnoli, head[:])
	sum = sumBytes(sumBytes(sum, r.Key), r.Value)
	for _, h := range r.Headers {
		sum = sumBytes(sumBytes(sum, []byte(h.Key)), h.Value)
	}
	return sum
}

// sumBytes adds bytes, of which null is told from none.
func sumBytes(sum uint32, b []byte) uint32 {
	length := int64(len(b))
	if b == nil {
		length = -1
	}
	var head [8]byte
	binary.BigEndian.PutUint64(head[:], uint64(length))
	return crc32.Update(crc32.Update(sum, castagnoli, head[:]), castagnoli, b)
}
