package sim

import (
	"errors"
	"maps"
	"slices"
	"time"

	"selfsame/pipeline"
)

// foldedEvent is an event that has expired and still counts: in the definitions of lifetime
// attributes that there were then.
type foldedEvent struct {
	*fact
	in map[figure]bool
}

// expire lets go of what is past its retention, to the minute. What a lifetime attribute counts is
// folded by day, and its id is remembered.
func (o *oracle) expire(now int64) {
	if o.world < Counted {
		return
	}
	in := map[figure]bool{}
	for name, n := range o.defined {
		if f := (figure{name, n}); f.lifetime() {
			in[f] = true
		}
	}
	for _, e := range o.held {
		if !e.there() || e.copy.dataset != "web" {
			continue
		}
		ends := time.Unix(0, e.copy.stamp.time).Add(retention + time.Minute - 1)
		if ends.Truncate(time.Minute).UnixNano() > now {
			continue
		}
		if len(in) > 0 {
			id := e.copy.primary
			o.folded[id] = append(o.folded[id], foldedEvent{e.copy, in})
			e.expired = &e.copy.stamp
		}
		e.copy = nil
	}
}

// unfold removes the folded days of an identity that lie between two times or are cut by them.
func (o *oracle) unfold(id who, dataset string, first, last int64) {
	from, to := dayOf(first), dayOf(last)
	o.folded[id] = slices.DeleteFunc(o.folded[id], func(e foldedEvent) bool {
		day := dayOf(e.stamp.time)
		return (dataset == "" || e.dataset == dataset) && (first == always || from <= day) &&
			(last == endless || day <= to)
	})
}

// lateRecords is how many records come after retentions have ended, at the most.
const lateRecords = 60

// age lets so much time pass that all events of web expire, and goes on: records that come late or
// again, deletions that cut through what was folded, and attributes that are defined otherwise
// while there is work, and crashes. Then everything is compared again.
func (s *simulation) age() error {
	for _, z := range s.zombies {
		if err := z.close(); err != nil && !errors.Is(err, errDied) {
			return err
		}
	}
	s.zombies = nil
	s.work.before = s.broker.Now()
	if err := s.outlive(); err != nil {
		return err
	}
	s.quiet, s.work.left = false, 1+s.work.rnd.IntN(lateRecords)
	s.report.Records += s.work.left
	if err := s.toil(); err != nil {
		return err
	}
	for _, next := range []func() error{s.rest, s.catchUp, s.verify, s.outlive} {
		if err := next(); err != nil {
			return err
		}
	}
	return nil
}

// outlive has all events of web expire, with a crash in it where there are some.
func (s *simulation) outlive() error {
	s.logf("retentions end")
	s.broker.Advance(retention + 2*24*time.Hour)
	if s.config.Faults.has(Crash) && s.faults.IntN(2) == 0 {
		s.planCrash(s.current, 12)
	}
	if err := s.drain(); err != nil {
		return err
	}
	want := s.current.dumb.look(s.current.now())
	if err := s.compare("profile", want.profiles, s.finalProfiles()); err != nil {
		return errors.Join(errors.New("after retentions"), err)
	}
	return s.current.check()
}

// revise defines some attributes otherwise, takes some away, and brings some back: the next process
// finds them so.
func (s *simulation) revise() error {
	next := maps.Clone(s.defined)
	for _, d := range figures {
		if s.steps.IntN(3) > 0 {
			continue
		}
		s.versions[d.Name]++
		if _, there := next[d.Name]; there && s.steps.IntN(3) == 0 {
			delete(next, d.Name)
		} else {
			next[d.Name] = s.versions[d.Name]
		}
	}
	s.logf("attributes are %v from now on", next)
	entity := *s.model.Entities[0]
	entity.Computed = nil
	model := *s.model // those who work with it go on with theirs
	model.Entities = []*pipeline.Entity{&entity}
	s.model, s.defined = &model, next
	return define(&model, next)
}
