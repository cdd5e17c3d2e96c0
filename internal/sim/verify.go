package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"selfsame/pipeline"
)

// verify holds the outcome to the oracle and the raw output to its invariants.
func (s *simulation) verify() error {
	o := s.current
	want := o.dumb.look(o.now())
	return errors.Join(
		s.compare("profile", want.profiles, s.finalProfiles()),
		s.checkAudit(o.dumb.audit),
		s.compare("assignment", want.assignments, s.finalAssignments()),
		s.checkVersions(),
		s.checkStates(),
		s.checkChanges(),
		s.checkDeadLetters(o.dumb.rejected),
		s.checkOnce(),
		s.checkCounts(),
		o.check(),
	)
}

// compare wants two maps to be equal. Nothing here is anybody's: the people are made up.
func (s *simulation) compare(what string, want, got map[string]string) error {
	var errs []error
	keys := slices.Sorted(maps.Keys(want))
	for key := range got {
		if _, known := want[key]; !known {
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		if want[key] != got[key] {
			errs = append(errs, fmt.Errorf("%s %s is\n\t%s\nwant\n\t%s",
				what, key, got[key], want[key]))
		}
	}
	return errors.Join(errs...)
}

// outputs visits the records of a topic in the order of each of its logs.
func (s *simulation) outputs(topic string, visit func(r *pipeline.Record)) {
	for n := range s.partitions[topic] {
		records := s.output[pipeline.TopicPartition{Topic: topic, Partition: n}]
		for i := range records {
			visit(&records[i])
		}
	}
}

// profileTopics are those of all policies.
func (s *simulation) profileTopics() (topics []string) {
	for _, p := range policies(s.config.World) {
		topics = append(topics, p.topic)
	}
	return topics
}

// finalProfiles is what a consumer holds that has read the topics to their ends.
func (s *simulation) finalProfiles() map[string]string {
	held := map[string]string{}
	for _, topic := range s.profileTopics() {
		s.outputs(topic, func(r *pipeline.Record) {
			key := profileKey(topic, string(r.Key))
			delete(held, key)
			if r.Value != nil {
				held[key] = content(r.Value)
			}
		})
	}
	return held
}

// content is a profile without its id and version, in a canonical form.
func content(value []byte) string {
	var doc map[string]any
	if err := json.Unmarshal(value, &doc); err != nil {
		return "not JSON: " + err.Error()
	}
	for _, name := range []string{"id", "class", "policy", "version"} {
		delete(doc, name)
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return "not JSON: " + err.Error()
	}
	return string(text)
}

// assignment is the value of an assignment record.
type assignment struct {
	Profile string
	Version uint64
}

func (s *simulation) finalAssignments() map[string]string {
	held := map[string]string{}
	s.outputs(topicAssignments, func(r *pipeline.Record) {
		if delete(held, string(r.Key)); r.Value == nil {
			return
		}
		var a assignment
		if err := json.Unmarshal(r.Value, &a); err != nil {
			a.Profile = "not JSON: " + err.Error()
		}
		held[string(r.Key)] = a.Profile
	})
	return held
}

// version reads the version of an output record.
func version(r *pipeline.Record) uint64 {
	if text, ok := r.Header(pipeline.HeaderVersion); ok {
		if n, err := strconv.ParseUint(string(text), 10, 64); err == nil {
			return n
		}
		return 0
	}
	var a assignment
	if err := json.Unmarshal(r.Value, &a); err != nil {
		return 0
	}
	return a.Version
}

// checkVersions: per key they strictly rise in the order of the log.
func (s *simulation) checkVersions() error {
	var errs []error
	for _, topic := range append(s.profileTopics(), topicAssignments) {
		last := map[string]uint64{}
		s.outputs(topic, func(r *pipeline.Record) {
			v, before := version(r), last[string(r.Key)]
			if topic == topicAssignments && r.Value == nil {
				return // who is gone has none
			}
			if v < before || v == before && s.exactly() || v == 0 {
				errs = append(errs, fmt.Errorf("%s of key %s has version %d after %d",
					r.Pos, r.Key, v, before))
			}
			last[string(r.Key)] = v
		})
	}
	return errors.Join(errs...)
}

// exactly reports whether records may not repeat.
func (s *simulation) exactly() bool { return !s.config.AtLeastOnce }

// checkStates: every record is a state that somebody has committed, under its version.
func (s *simulation) checkStates() error {
	var errs []error
	for _, topic := range s.profileTopics() {
		s.outputs(topic, func(r *pipeline.Record) {
			want, key := "", profileKey(topic, string(r.Key))
			if r.Value != nil {
				want = content(r.Value)
			}
			if !s.loose[version(r)] && !slices.ContainsFunc(s.states[version(r)],
				func(v view) bool { return v.profiles[key] == want }) {
				errs = append(errs, fmt.Errorf("%s of key %s is no state of version %d:\n\t%s",
					r.Pos, r.Key, version(r), want))
			}
		})
	}
	return errors.Join(errs...)
}

// checkChanges: what is published under a version was changed by the commit of that version. It
// takes one line of owners, whose commits follow one another.
func (s *simulation) checkChanges() error {
	if s.config.Faults.has(Takeover | Unclean) {
		return nil // what is published again has a version of its own
	}
	versions := slices.Sorted(maps.Keys(s.states))
	var errs []error
	for _, topic := range s.profileTopics() {
		s.outputs(topic, func(r *pipeline.Record) {
			i, found := slices.BinarySearch(versions, version(r))
			if !found || i == 0 || s.looseBetween(versions[i-1], versions[i]) {
				return
			}
			of := func(v uint64) string {
				all := s.states[v]
				return all[len(all)-1].profiles[profileKey(topic, string(r.Key))]
			}
			if of(versions[i]) == of(versions[i-1]) {
				errs = append(errs, fmt.Errorf("%s of key %s: commit %d has changed nothing",
					r.Pos, r.Key, versions[i]))
			}
		})
	}
	return errors.Join(errs...)
}

// looseBetween reports whether there is a version from first to last of which the oracle does not
// know what it holds.
func (s *simulation) looseBetween(first, last uint64) bool {
	for v := range s.loose {
		if first <= v && v <= last {
			return true
		}
	}
	return false
}

// checkAudit: what became of each control record is told, once. Owners that have parted ways can
// have told different things.
func (s *simulation) checkAudit(want map[string]audited) error {
	if s.config.World < Governed || s.config.Faults.has(Unclean) {
		return nil // what a log has lost is lost
	}
	parted := s.config.Faults.has(Takeover)
	got := map[string][]string{}
	var errs []error
	s.outputs(topicAudit, func(r *pipeline.Record) {
		var a audited
		if err := json.Unmarshal(r.Value, &a); err != nil {
			errs = append(errs, err)
		}
		for _, id := range a.Identities {
			a.ids = append(a.ids, who{id.Namespace, id.Value})
		}
		a.hashes = a.Hashes
		if a.Outcome == "done" && a.Op != "delete_dataset" && a.Op != "remerge" {
			return // it had more to remove than one step may
		}
		place := fmt.Sprintf("%s of %d", a.Outcome, a.Cause.Offset)
		got[place] = append(got[place], a.String())
	})
	for place, a := range want {
		if all := got[place]; len(all) == 0 || !parted && (len(all) > 1 && s.exactly() ||
			all[0] != a.String()) {
			errs = append(errs, fmt.Errorf("the audit topic tells %q, want %q", all, a))
		}
	}
	for place, all := range got {
		if _, wanted := want[place]; !wanted && !parted {
			errs = append(errs, fmt.Errorf("the audit topic tells %q and should not", all))
		}
	}
	return errors.Join(errs...)
}

// checkDeadLetters: each record that was wrong, with its reason, once. An owner that has parted
// ways can have found others wrong, by its own clock, and the same ones again.
func (s *simulation) checkDeadLetters(want map[string]string) error {
	if s.config.Faults.has(Unclean) {
		return nil // a dead letter that a log has lost is lost
	}
	strict := s.exactly() && !s.config.Faults.has(Takeover)
	got := map[string][]string{}
	s.outputs(topicDead, func(r *pipeline.Record) {
		text := func(name string) string {
			value, _ := r.Header(name)
			return string(value)
		}
		place := text(pipeline.HeaderDeadTopic) + "/" + text(pipeline.HeaderDeadPartition) + "/" +
			text(pipeline.HeaderDeadOffset)
		got[place] = append(got[place], text(pipeline.HeaderDeadReason))
	})
	var errs []error
	for place, reason := range want {
		if !slices.Contains(got[place], reason) || strict && len(got[place]) > 1 {
			errs = append(errs, fmt.Errorf("dead letters of %s are %v, want %s",
				place, got[place], reason))
		}
	}
	for place := range got {
		if _, wrong := want[place]; !wrong && !s.config.Faults.has(Takeover) {
			errs = append(errs, fmt.Errorf("%s is a dead letter and should not be", place))
		}
	}
	return errors.Join(errs...)
}

// checkOnce: within a partition the numbers of outbox entries rise, so none was published twice.
func (s *simulation) checkOnce() error {
	if !s.exactly() || s.config.Faults.has(Unclean) {
		return nil
	}
	var errs []error
	last := map[string]uint64{}
	for topic := range s.partitions {
		s.outputs(topic, func(r *pipeline.Record) {
			partition := fmt.Sprintf("%s/%d", topic, r.Pos.Partition)
			text, _ := r.Header(pipeline.HeaderSequence)
			n, err := strconv.ParseUint(string(text), 10, 64)
			if before, found := last[partition]; err != nil || found && n <= before {
				errs = append(errs, fmt.Errorf("%s is entry %s after %d", r.Pos, text, before))
			}
			last[partition] = n
		})
	}
	return errors.Join(errs...)
}

// checkCounts: what was consumed is accounted for.
func (s *simulation) checkCounts() error {
	var consumed, sum uint64
	for _, ds := range s.current.shard.Stats().Figures().Datasets {
		consumed += ds.Consumed
		sum += ds.Accepted + ds.Duplicate + ds.Superseded + ds.RejectedTotal()
	}
	if consumed != sum || consumed != s.current.counted {
		return fmt.Errorf("counted %d consumed and %d accounted for, of %d",
			consumed, sum, s.current.counted)
	}
	return nil
}
