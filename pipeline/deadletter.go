package pipeline

import (
	"strconv"
	"strings"

	"selfsame/store"
)

// Headers that a dead letter carries besides its original ones.
const (
	deadPrefix          = "selfsame-dead-"
	HeaderDeadReason    = deadPrefix + "reason"    // a Reason
	HeaderDeadPath      = deadPrefix + "path"      // place in the record
	HeaderDeadWanted    = deadPrefix + "wanted"    //
	HeaderDeadFound     = deadPrefix + "found"     // a type, never a value
	HeaderDeadDataset   = deadPrefix + "dataset"   // where one is known
	HeaderDeadTopic     = deadPrefix + "topic"     // where the record lies
	HeaderDeadPartition = deadPrefix + "partition" //
	HeaderDeadOffset    = deadPrefix + "offset"    //
	HeaderDeadTimestamp = deadPrefix + "timestamp" // its Kafka timestamp, milliseconds
	HeaderDeadOmitted   = deadPrefix + "omitted"   // bytes left out because they exceed the limit
)

// reject sends a record to the dead-letter topic as it came. Only what exceeds the limit of record
// size is left out: the record's place is named, where it still is. Of somebody who was erased
// nothing but the place is told.
func (sh *Shard) reject(in *Input) {
	r := &in.Record
	out := &store.OutRecord{Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		if !strings.HasPrefix(h.Key, deadPrefix) {
			out.Headers = append(out.Headers, h)
		}
	}
	if size := recordSize(r); size > sh.model.Limits.RecordBytes {
		omitted := Header{Key: HeaderDeadOmitted, Value: strconv.AppendInt(nil, int64(size), 10)}
		out = &store.OutRecord{Headers: []Header{omitted}}
		if len(r.Key) <= maxDeadKey {
			out.Key = r.Key
		}
	}
	if in.Reject.Reason == ReasonErased {
		out = &store.OutRecord{}
	}
	out.Headers = append(out.Headers, deadHeaders(in)...)
	entry := sh.recordEntry(sh.model.DeadLetterTopic, out)
	sh.entries = append(sh.entries, entry)
}

// maxDeadKey bounds the key that a dead letter keeps when the rest is left out, in bytes.
const maxDeadKey = 4096

func deadHeaders(in *Input) []Header {
	pos := in.Record.Pos
	headers := []Header{{Key: HeaderDeadReason, Value: []byte(in.Reject.Reason)}}
	add := func(key, value string) {
		if value != "" {
			headers = append(headers, Header{Key: key, Value: []byte(value)})
		}
	}
	add(HeaderDeadPath, in.Reject.Path)
	add(HeaderDeadWanted, in.Reject.Wanted)
	add(HeaderDeadFound, in.Reject.Found)
	if in.Dataset != nil {
		add(HeaderDeadDataset, in.Dataset.Name)
	}
	add(HeaderDeadTopic, pos.Topic)
	add(HeaderDeadPartition, strconv.Itoa(int(pos.Partition)))
	add(HeaderDeadOffset, strconv.FormatInt(pos.Offset, 10))
	add(HeaderDeadTimestamp, strconv.FormatInt(in.Record.Time/1e6, 10))
	return headers
}

// recordSize counts key, value and headers.
func recordSize(r *Record) int {
	size := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		size += len(h.Key) + len(h.Value)
	}
	return size
}
