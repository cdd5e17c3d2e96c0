package main

import (
	"fmt"
	"strings"
)

// mutant is a known bug: text in a file, and what stands in its place.
type mutant struct {
	name string
	file string
	old  string // found exactly once
	bug  string
}

// apply plants the bug.
func (m mutant) apply(source string) (string, error) {
	if n := strings.Count(source, m.old); n != 1 {
		return "", fmt.Errorf("planting %s: its text is found %d times in %s, not once",
			m.name, n, m.file)
	}
	return strings.Replace(source, m.old, m.bug, 1), nil
}

// mutants are the bugs that the simulation has to find: those of exactly-once output first, then
// those of the store, of order and of merging, of what operators
// ask for, and of computed attributes.
var mutants = []mutant{
	{"no-fence", "pipeline/recover.go",
		"session, err := p.sink.Fence(ctx, id, expected, p.partitions)",
		"session, err := p.sink.Open(ctx, id)"},
	{"scan-before-fence", "pipeline/begin.go",
		`	if err := p.noted(p.claim(ctx, NoSession())); err != nil {
		return err
	}
	tails, err := p.scanAll(ctx)
	if err != nil {
		return err
	}
`,
		`	tails, err := p.scanAll(ctx)
	if err != nil {
		return err
	}
	if err := p.noted(p.claim(ctx, NoSession())); err != nil {
		return err
	}
`},
	{"nothing-scanned", "pipeline/tail.go",
		"from := max(min(t.floor, lane.from), t.bounds.Start)",
		"from := t.bounds.End"},
	{"scan-misses-last", "pipeline/tail.go",
		"t.found && seq <= t.sequence", "t.found && seq < t.sequence"},
	{"scan-drops-one-more", "pipeline/tail.go",
		"t.found && seq <= t.sequence", "t.found && seq <= t.sequence+1"},
	{"floor-too-high", "pipeline/begin.go",
		"lane.floor = floor\n", "lane.floor = floor + 1\n"},
	{"retry-renumbered", "pipeline/publisher.go",
		"offset, err := p.sink.Produce(ctx, b)",
		"b.Sequence += int32(attempt - 1)\n\t\toffset, err := p.sink.Produce(ctx, b)"},
	{"sequence-kept", "pipeline/recover.go",
		"lane.sequence = 0", "lane.sequence += 0"},
	{"error-acknowledged", "pipeline/publisher.go",
		"case errors.Is(err, ErrSequence), attempt == maxAttempts:",
		"case attempt == 1:\n\t\t\treturn -1, nil\n" +
			"\t\tcase errors.Is(err, ErrSequence), attempt == maxAttempts:"},
	{"no-new-life", "pipeline/begin.go",
		"	if !ahead {\n", "	if ahead = false; !ahead {\n"},
	{"twin-by-sequence-only", "pipeline/begin.go",
		"t.version >= s.NextVersion()", "false"},
	{"no-repair", "pipeline/begin.go",
		"repairs = append(repairs, more...)", "_ = more"},
	{"loss-seen-too-late", "pipeline/recover.go",
		"bounds.End < lane.floor", "false"},
	{"loss-not-noted", "pipeline/recover.go",
		"return p.noteLost(lost...)", "return nil"},
	{"no-freeze", "store/outbox.go",
		"			delete(o.mu.open, p)\n", "			_ = p\n"},
	{"left-over-forgotten", "store/outbox.go",
		"			o.mu.taken = e.Seq\n", "			o.mu.taken = next\n"},
	{"left-over-twice", "store/outbox.go",
		"			o.ackLocked(e.Seq)\n			continue\n", "			_ = last\n"},
	{"commit-not-synced", "store/store.go",
		"		mode = pebble.Sync\n", "		mode = pebble.NoSync\n"},
	{"position-not-written", "pipeline/shard.go",
		"			b.SetPosition(tp.Topic, tp.Partition, &p.row)\n", "			_ = tp\n"},
	{"consumed-again", "pipeline/shard.go",
		"if in.Record.Pos.Offset < p.row.Next {", "if in.Record.Pos.Offset < 0 {"},
	{"clock-not-bound", "pipeline/shard.go",
		"min(in.Record.Time, now)", "in.Record.Time"},
	{"emits-without-change", "pipeline/settle.go",
		"next.Digest == last.row.Digest", "next.Digest == [16]byte{}"},
	{"no-tombstone", "pipeline/settle.go",
		"		if !alive {\n", "		if alive = false; !alive {\n"},
	{"vanished-not-settled", "pipeline/graph.go",
		"		sh.markCluster(class, id, why)\n	}\n	for _, c := range change.after {",
		"	}\n	for _, c := range change.after {"},
	{"refresh-ignored", "pipeline/links.go",
		"live(before, a, b) && before.Time >= latest.Time", "live(before, a, b)"},
	{"root-not-moved", "pipeline/graph.go",
		"	case why.time < p.row.FirstSeen:\n", "	case false:\n"},
	{"no-widening", "identity/walk.go",
		"	if outside >= 0 { // an outside decision flips\n",
		"	if outside >= 0 {\n		return nil\n	}\n	if outside >= 0 {\n"},
	{"oldest-link-first", "identity/walk.go",
		"cmp.Compare(f.time, e.time),", "cmp.Compare(e.time, f.time),"},
	{"first-event-stands", "pipeline/step.go",
		"!e.row.Stamp.IsZero() && !in.Stamp.Before(e.row.Stamp) && !sh.lifted",
		"!e.row.Stamp.IsZero() && !sh.lifted"},
	{"deleted-event-returns", "store/rows.go",
		"return !e.Stamp.IsZero() && e.Deleted.Before(e.Stamp)", "return !e.Stamp.IsZero()"},
	{"later-loses-in-join", "profile/fragment.go",
		"if leaf.Stamp.Before(g.Leaves[j].Stamp) {", "if g.Leaves[j].Stamp.Before(leaf.Stamp) {"},
	{"floor-takes-itself", "profile/fragment.go",
		"if leaf.Stamp.Before(floor) ||", "if !floor.Before(leaf.Stamp) ||"},
	{"unset-hides-nothing", "profile/merge.go",
		"		if hiddenBy(above, c.Stamp) {\n			continue\n		}\n", ""},
	{"stamp-without-sequence", "profile/stamp.go",
		"if s.Sequence != t.Sequence {", "if false {"},
	{"stamp-without-position", "profile/stamp.go",
		"return s.Pos.Compare(t.Pos)", "return 0"},
	{"floor-not-kept", "pipeline/step.go",
		"profile.Later(p.row.Floor, floors.Fragment)", "floors.Fragment"},
	{"fragment-floor-not-kept", "pipeline/step.go",
		"if in.Stamp.Before(profile.Later(p.row.Floor, floors.Fragment)) {",
		"if in.Stamp.Before(p.row.Floor) || false && in.Stamp.Before(floors.Fragment) {"},
	{"lift-keeps-floor", "pipeline/eraseagain.go",
		"p.row.Floor, p.row.Erased = profile.Stamp{}, false", "p.row.Erased = false"},
	{"hidden-event-shows", "pipeline/unfinished.go",
		"sh.hide(p, &e.row, true)", "sh.hide(p, &e.row, false)"},
	{"cut-misses-last", "pipeline/cuts.go", "Next: next,", "Next: next - 1,"},
	{"cut-of-another-life-ignored", "pipeline/cuts.go",
		"if r != nil && ControlOp(r.entry.Op) == op.Op", "if r != nil && false"},
	{"job-walks-too-early", "pipeline/shard.go",
		"len(sh.jobs) == sh.startedJobs {", "len(sh.jobs) == 0 {"},
	{"events-not-trimmed", "pipeline/deletes.go",
		"if !barsStored(floors, ref.Time,", "if barsStored(floors, ref.Time,"},
	{"erase-leaves-identity", "pipeline/erase.go",
		"	return true, e.sh.forget(p, e.why)\n", "	return true, nil\n"},
	{"erase-takes-newer-links", "pipeline/erase.go",
		"old := func(a store.Assertion) bool { return a.Latest.Before(e.floor) }",
		"old := func(a store.Assertion) bool { return true }"},
	{"erase-forgets-floors", "pipeline/statefloors.go",
		"	sh.setErased(sh.hash(p), &row)\n", "	_ = row\n"},
	{"hashed-floors-not-given-back", "pipeline/erasures.go",
		"return true, sh.unhashFloors(p, e)", "return true, nil"},
	{"erase-takes-further-floors", "pipeline/erase.go",
		"	if e.hashed {\n", "	if false {\n"},
	{"first-seen-at-last-erasure", "pipeline/erase.go",
		"row.Floor.Time // also", "max(min(row.Floor.Time, floor.Time), 1) // also"},
	{"suppress-ignored", "pipeline/erasures.go",
		"e != nil && (e.Suppress || s.Before(e.Floor))", "e != nil && s.Before(e.Floor)"},
	{"unlink-ignored", "pipeline/links.go",
		"!latest.Before(a.row.Unlinked) && !latest.Before(b.row.Unlinked)", "true"},
	{"forced-comes-last", "identity/walk.go",
		"return compareBool(f.forced, e.forced)", "return compareBool(e.forced, f.forced)"},
	{"forced-counts-twice", "identity/legal.go",
		"if slices.Contains(g.classes, one) {", "if false {"},
	{"block-not-lifted", "pipeline/silence.go",
		"		delete(sh.blocked, key)\n", "		sh.blocked[key] = true\n"},
	{"old-links-kept", "pipeline/links.go",
		"		if slices.Contains(now, pair) {\n			continue\n",
		"		if true {\n			continue\n"},
	{"positions-not-compared", "pipeline/begin.go", "ahead = ahead || further", "_ = further"},
	{"precedence-reversed", "profile/rule.go",
		"r.rank(dataset) < r.rank(", "r.rank(dataset) > r.rank("},
	{"earliest-is-latest", "profile/rule.go",
		"best < 0, r.Strategy == StrategyEarliest:", "best < 0:"},
	{"union-over-unset", "profile/rule.go",
		"		case s.Unset():\n			return parts\n", "		case s.Unset():\n"},
	{"edit-applied-twice", "profile/edit.go",
		"e.Kind == EditAppend || e.Kind == EditUnion && !present[e.key]", "e.Kind != EditRemove"},
	{"edit-outlives-base", "profile/edit.go",
		"if !edits[i].Stamp.Before(bar) {",
		"if !edits[i].Stamp.Before(f.Floor) {\n			_ = bar"},
	{"applied-twice", "pipeline/operations.go",
		"	if known != nil {\n		return Duplicate, nil",
		"	if known != nil && false {\n		return Duplicate, nil"},
	{"expiry-not-told", "pipeline/statecomputed.go",
		"timers.set = append(timers.set, next)", "_ = next"},
	{"copy-counts-twice", "pipeline/step.go",
		"	if e.row.Exists() {\n		if err := sh.takeEvent(",
		"	if e.row.Exists() && false {\n		if err := sh.takeEvent("},
	{"split-leaves-value", "pipeline/statecomputed.go",
		"	for _, id := range members {\n		cp, err := s.computedPerson(",
		"	members = members[:min(1, len(members))]\n" +
			"	for _, id := range members {\n		cp, err := s.computedPerson("},
	{"deleted-still-counts", "pipeline/computedsteps.go",
		"_, err := one.Delete(r.event)", "var err error"},
	{"first-event-ahead-forgotten", "pipeline/statecomputed.go",
		"if one.summary == nil && one.wake != computed.Never {",
		"if false {"},
	{"folded-events-forgotten", "pipeline/computedsteps.go",
		"_, err := one.Expire(r.event, era)", "_, err := one.Delete(r.event)"},
	{"folded-day-not-deleted", "pipeline/deletes.go",
		"computed.Day(from), computed.Day(to), op.why",
		"computed.Day(to), computed.Day(from), op.why"},
	{"folded-before-floor-kept", "pipeline/operations.go",
		"days, err := sh.computedBefore(p, floor.Time, op.why)", "days, err := 0, error(nil)"},
	{"folded-of-dataset-kept", "pipeline/deletes.go",
		"	if !w.sh.folds(w.args.Class, w.args.Dataset) {", "	if true {"},
	{"folded-keeps-nobody", "pipeline/gather.go",
		"return len(g.Datasets) > 0 || g.Computed != nil && g.Computed.Outlives",
		"return len(g.Datasets) > 0"},
	{"expired-id-forgotten", "pipeline/retention.go",
		"Deleted: e.row.Deleted, Expired: true}", "Deleted: e.row.Deleted}"},
	{"backfill-shows-nothing", "pipeline/computedjob.go",
		"a.From, a.Ready = w.version, w.now", "a.From, a.Ready = w.version+1<<30, w.now"},
	{"gone-attribute-shows", "pipeline/computedjob.go",
		"old.Until = a.store.NextVersion()", "old.Until = store.NotYet - 1"},
	{"definition-gone-too-early", "pipeline/settle.go",
		"	if last.row.Now = w.now; !alike {", "	if last.row.Now = w.now; false {"},
	{"instant-not-kept", "pipeline/settle.go",
		"if alike && (last.row.Now == w.now || !w.windows(ref.Class)) {", "if alike {"},
	{"published-again-as-before", "pipeline/reissue.go",
		"if !sh.state.computed.shownAlike(key.ref.Class, d.row.Version) {", "if false {"},
	{"mover-left-out", "pipeline/graph.go",
		"if walked, again := sh.walked(); walked {",
		"if walked, again := sh.walked(); walked && false {"},
}
