// Package computed is the core of computed attributes: values such as "spend of the last 30 days"
// that follow from the events of a profile. It checks definitions, evaluates them on events, keeps
// what is known of each identity as a small mergeable state, and folds the states of a cluster into
// one value.
//
// It is pure: no clock (every call is given now), no goroutine, no randomness, no I/O. It is the
// only code that speaks CEL, and the only code that adds up decimals. Config compiles definitions;
// pipeline calls the rest; the store implements [Rows] and [Events]; the world of the tests
// (world_test.go) is the example to follow.
//
//	Definition --Compile--> Attribute
//	Attribute + Rows of an identity --Open--> State --Insert, Delete, Expire, Move--> Rows
//	States of a cluster --Fold--> Result
//
// # The law
//
// A [State] covers a [Span] of instants. It is the totals and the index of exactly the stored
// events of its identity whose time lies in the span and that count, and of the folded days.
// Everything keeps that law: an event that is stored or deleted changes the state if its time lies
// in the span and does not otherwise; moving an end of the span takes in or takes out the events
// that it passes. A window says what the span is at now. So a state that was moved to now is a
// function of the events that are stored, of the days that were folded, and of now; late events,
// deletes and clocks that jump need no special care; and a state is built, or built anew, by moving
// it from nothing.
//
// Folding the states of several identities gives what one state of all their events would give,
// because every part of a state is a sum: totals add up, and rows of the index with one key add up.
// So merges and splits of clusters move nothing.
//
// # What is kept
//
// A state is rows in the store, not one blob: a summary (span, count, sum, number of rows), and for
// some functions an index. Why rows: the least value of a rolling window must be known after the
// least has left, so what orders the values has to be kept, and it grows with the events. The store
// is an ordered map on disk already; in rows, a change costs the row that it touches.
//
//	function                         index             row
//	count, sum, avg                  none
//	min, max                         by value          value -> events that have it
//	unique_count, unique_list,       by value          value -> events that have it
//	most_frequent
//	first, most_recent, last_n       by time           (time, sequence, dataset, id) -> value
//
// One event costs one evaluation, the summary and at most one row, whatever the number of retained
// events; leaving a window costs as much again, and is found by the index of events by time that
// the store has anyway. A fold costs the summary of each identity, and of the index: one row of
// each identity for min, max, first, most_recent; n rows for last_n; as many rows as there are
// distinct values, at most max_distinct and one, for the others. On disk there are as many rows as
// distinct values, or as events for functions by time.
//
// # Windows
//
// Times are whole nanoseconds. "lifetime" is every event. A duration W is the events with time in
// (now-W, now]: an event enters at its time, also where that is ahead of now, and leaves at time+W.
// "day", "week" and "month" are all events of the period of the zone's calendar that now lies in,
// those a little ahead of now included. Periods tile: one begins when clocks first show its first
// day. A day that clocks skip is in no period. Rolling and calendar windows may not reach back
// further than a dataset keeps its events, or else what has expired would be missing; for a
// calendar window that is its longest period and two hours, for clocks that are set back.
// Zones are embedded; where the machine has a zone database, Go prefers that.
//
// # Values
//
//   - Without events that count, count is 0, all else is absent. An absent or null value
//     contributes to nothing but a count without value path.
//   - Sums are exact: integers and decimals as they are, doubles by the shortest decimal text that
//     reads back as the same double (floats in their own precision), so 0.1 + 0.2 is 0.3 and the
//     order of events does not matter. A sum of decimals has the scale of its values, a sum of
//     integers none, one of doubles up to 20 places; the state is exact beyond that. The precision
//     is 38 digits, or 19 more than the values have, at most 1,000; 76 of doubles.
//   - An average has 34 significant digits, half to even, at most 38 of them after the point.
//   - A sum or average with more digits before the point than its type has is absent and flagged
//     [Result.Overflow]. The state goes on, so it comes back when the sum is smaller.
//   - NaN, infinities, texts and bytes over [MaxValueBytes], and values that are not of the type in
//     the union are unusable: they contribute to nothing, and [Reading.Unusable] says so, to be
//     counted. Minus zero is zero.
//   - Order of values: numbers by size, times by instant, texts by their bytes, false before true,
//     byte strings by their bytes (min and max take neither of the last two).
//   - Order of events: time, then the dataset's sequence, then dataset, then event id. It does not
//     depend on positions in a topic, so the same events sent in another order give the same
//     first, most_recent and last_n. Of values that are equally frequent, most_frequent is the
//     least.
//   - last_n is newest first; unique_list in the order of values; most_recent is {time, value}.
//
// # Too many distinct values
//
// Where more than max_distinct values are there, the least max_distinct of them in their order are
// the ones looked at, and the result is flagged [Result.Truncated]. What decides is the set of
// values, not which came first; the count of each of these values is exact, in every identity and
// in the fold, because a value among the least of the whole is among the least of each part that
// has it. Hashes would choose more fairly, but nobody could tell which values were left out.
//
// # What outlives its events
//
// A lifetime attribute keeps what expires, folded per dataset and UTC day ([State.Expire]). The
// whole does not change by it, so a fold costs nothing more. A day keeps its totals, and of the
// index the rows that can ever be given out: one, n or max_distinct; the others leave the whole
// too. That is exact for the reason above, and needs no more than max_distinct rows a day. A single
// event cannot be taken out of a day: its dataset's whole day goes ([State.RemoveDays]).
//
// # Filters
//
// A filter is CEL over event (the union schema of the class), dataset (text) and time (of the
// event). Records are objects, maps are maps, arrays are lists; enums are texts; decimals are
// doubles in a filter (comparing with a literal is exact up to 15 digits); dates are timestamps at
// midnight UTC, times of day are durations since midnight, local timestamps are read as UTC.
// Integers compare with doubles. Field names that CEL reserves are written in backquotes.
//
// A field that the event does not have, or that is null, makes the expression fail, and a filter
// that fails is false; [Reading.Absent] says so, to be counted. As everywhere in CEL, && and || do
// not fail where the other side decides, and has(event.a.b) asks. Faults of other kinds (division
// by zero, an index beyond the end, too much work in nested macros) are treated alike.
//
// # How to call it
//
// Each attribute of each identity has its own [Rows]. All of these belong into the commit that
// changes the events, and end with [State.Save].
//
//   - An event is stored: Open, Insert, and Move to now. Where it counts, the earliest of what
//     [State.Wake] gave before and [Attribute.Touches] is when the state changes next; the timer of
//     the identity is the earliest of these. Nothing for a duplicate; where a
//     copy replaces another, Delete the old one first.
//   - An event is deleted: Delete with the event as it was stored. If it has expired (its id is
//     remembered for that), RemoveDays of its day, and say so in the audit record.
//   - The retention of an event ends: Move to now, take the event out of the store, Expire. Of
//     attributes that are not [Attribute.Lifetime] the Move has let go of it.
//   - The timer of an identity is due: Move the states that change by now, and ask each for
//     [State.Wake] again. Also after any other Move; but before that instant [State.Skip] does what
//     Move does and looks at no event, so call it first. Before an Insert it saves a look.
//   - Clusters merge or split: nothing; fold anew.
//   - A profile is put out or read: Move each state of the cluster to now, then Fold. A read may
//     keep the moved rows to itself.
//   - Data of an identity or dataset is deleted: Drop, or Delete per event and RemoveDays.
//   - A definition is new or its [Attribute.Fingerprint] has changed: new Rows; a job calls Move
//     with a limit, identity by identity, until each is [State.Ready], while events go to Insert,
//     Delete and Expire as ever. The old attribute is folded until the job is done. A state that
//     the job has not come to is built by the first Move after an Insert, in steps of the same
//     limit.
//   - Move that is not done: Save, and go on in the next commit.
//
// # Guarantees
//
//  1. What Fold gives does not depend on the order in which events came, on how calls were grouped
//     into commits, or on how now moved to where it is.
//  2. Between now and Wake, no value changes without an event.
//  3. A definition that compiles never fails on an event. Errors after that are faults of the store
//     or mistakes of the caller.
//  4. Stored bytes are a function of the same things as the values, but for a span whose ends moved
//     over no event and that was not written again. Bytes that are broken are noticed, and bound
//     the memory that reading them takes.
//  5. Errors name attributes, keys and columns, never values.
package computed
