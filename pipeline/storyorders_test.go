package pipeline_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"selfsame/internal/memlog"
	"selfsame/internal/permute"
	"selfsame/pipeline"
)

// tellOrders plays its lines, "DATASET [HEADER=VALUE ...] {...}", in every order, each in a world
// of its own, in every other world in one commit, and then all of them once more. It says what the
// profile that the command names is in the end: one line where it is the same after all orders.
// With -short it plays some of them.
func (w *world) tellOrders(d *datadriven.TestData) string {
	w.t.Helper()
	lines := strings.Split(strings.TrimSpace(d.Input), "\n")
	if len(lines) > 5 {
		d.Fatalf(w.t, "%d records have too many orders", len(lines))
	}
	first := map[string][]int{} // what came out, with the first order that it came of
	all := permute.Orders(len(lines))
	for n, order := range all {
		if testing.Short() && n%7 != 0 {
			continue
		}
		other := newWorldOn(w.t, memlog.Options{}, 1, storyModel(w.t))
		if n%2 == 1 {
			other.sendTogether(lines, order)
		}
		for range 2 - n%2 {
			for _, i := range order {
				other.sendLine(lines[i])
				other.drain()
			}
		}
		out := other.tellGet(d)
		if other.close(); first[out] == nil {
			first[out] = order
		}
	}
	var told []string
	for out, order := range first {
		if len(first) > 1 {
			out = fmt.Sprintf("in the order %v: %s", order, out)
		}
		told = append(told, out)
	}
	slices.Sort(told)
	return fmt.Sprintf("%d orders\n%s", len(all), strings.Join(told, "\n"))
}

// sendTogether sends lines in an order, and applies all in one commit.
func (w *world) sendTogether(lines []string, order []int) {
	w.t.Helper()
	var chunks []pipeline.Chunk
	for _, i := range order {
		tp := w.sendLine(lines[i])
		r := w.log.Records(tp)[w.next[tp]]
		w.next[tp]++
		chunks = append(chunks, pipeline.Chunk{TP: tp, Next: w.next[tp],
			Inputs: []pipeline.Input{w.decoder.Decode(r)}})
	}
	w.apply(chunks...)
	w.publish()
}

// sendLine sends the record of one line of orders.
func (w *world) sendLine(line string) pipeline.TopicPartition {
	w.t.Helper()
	head, value, ok := strings.Cut(line, " {")
	if !ok {
		w.t.Fatalf("no record: %s", line)
	}
	value = "{" + value
	words := strings.Fields(head)
	if words[0] == w.model.ControlTopic {
		tp := pipeline.TopicPartition{Topic: words[0]}
		w.send(tp, pipeline.Record{Value: []byte(value)})
		return tp
	}
	dataset := w.model.Dataset(words[0])
	r := pipeline.Record{Value: w.encode(dataset, value)}
	for _, word := range words[1:] {
		key, header, _ := strings.Cut(word, "=")
		r.Headers = append(r.Headers,
			pipeline.Header{Key: "selfsame-" + key, Value: []byte(header)})
	}
	tp := pipeline.TopicPartition{Topic: dataset.Topic}
	w.send(tp, r)
	return tp
}
