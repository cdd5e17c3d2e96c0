package pipeline_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/store"
)

// TestNothingMissing: however often a topic stops for its rejections with chunks on the way, is
// paused and resumed, gets new leaders and partitions, cannot be fetched, and the daemon is started
// anew: every record is consumed once.
func TestNothingMissing(t *testing.T) {
	for range 3 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			bear := func(m *pipeline.Model) {
				m.Dataset("crm").MaxRejectedShare, m.Dataset("crm").RejectedWindow = 0.3, 20
			}
			run(t, memlog.Options{FetchMaxRecords: 70}, bear, func(l *live) {
				s := &stumbler{live: l, rnd: rand.New(rand.NewPCG(seed, 0)), partitions: 2}
				for range 60 {
					s.step()
				}
				s.finish()
			})
		})
	}
}

// stumbler does things to a running pipeline by chance.
type stumbler struct {
	*live
	rnd        *rand.Rand
	partitions int
	consumed   uint64 // before the last restart
	stops      int
}

func (s *stumbler) step() {
	s.t.Helper()
	switch s.rnd.IntN(12) {
	case 0:
		s.startAnew()
	case 1:
		s.pause("crm")
	case 2:
		tp := s.somewhere()
		s.log.Truncate(tp, int64(len(s.log.Records(tp)))) // loses nothing
	case 3:
		s.log.FailFetch(s.rnd.IntN(5), errors.New("by chance"))
	case 4:
		if s.partitions < 5 {
			s.log.AddPartitions("crm", 1)
			s.partitions++
		}
	case 5, 6:
		s.goOn()
	default:
		s.append(s.rnd.IntN(400), s.rnd.IntN(4) == 0)
	}
	if s.rnd.IntN(3) == 0 {
		s.wait(time.Duration(s.rnd.IntN(2000)) * time.Millisecond)
	}
}

func (s *stumbler) somewhere() pipeline.TopicPartition {
	return pipeline.TopicPartition{Topic: "crm", Partition: int32(s.rnd.IntN(s.partitions))}
}

// append adds records, half of them bad where so wanted.
func (s *stumbler) append(n int, bad bool) {
	tp := s.somewhere()
	for i := range n {
		value := fmt.Appendf(nil, `{"id":"%d"}`, s.rnd.IntN(50)+1)
		if bad && i%2 == 0 {
			value = []byte("{")
		}
		s.log.Append(tp, pipeline.Record{Time: time.Now().UnixNano(), Value: value})
		s.sent++
	}
}

// goOn resumes the topic where it is not read.
func (s *stumbler) goOn() {
	s.t.Helper()
	s.wait(time.Second)
	switch s.shard.Stats().Figures().Inputs["crm"].State {
	case store.InputStopped:
		s.stops++
		s.resume("crm", store.ResumeAsIs)
	case store.InputPaused:
		s.resume("crm", store.ResumeSkip) // of what is whole there is nothing to skip
	}
}

func (s *stumbler) startAnew() {
	s.t.Helper()
	s.stop()
	s.consumed += s.shard.Stats().Figures().Datasets["crm"].Consumed
	s.must(s.store.Close())
	s.open()
	s.begin()
}

// finish resumes until everything has been consumed, and counts.
func (s *stumbler) finish() {
	s.t.Helper()
	for range 10_000 {
		s.goOn()
		if s.done() {
			break
		}
		s.wait(10 * time.Second)
	}
	f := s.shard.Stats().Figures()
	got := s.consumed + f.Datasets["crm"].Consumed
	if !s.done() || got != uint64(s.sent) || f.Lost["crm"] != 0 {
		s.t.Errorf("consumed %d of %d, positions %v, input %+v, %d lost", got, s.sent, f.Positions,
			f.Inputs["crm"], f.Lost["crm"])
	}
	if s.stops == 0 {
		s.t.Error("it never stopped: the test is too tame")
	}
}

func (s *stumbler) done() bool {
	positions := s.shard.Stats().Figures().Positions
	for p := range s.partitions {
		tp := pipeline.TopicPartition{Topic: "crm", Partition: int32(p)}
		if positions[tp] != int64(len(s.log.Records(tp))) {
			return false
		}
	}
	return true
}
