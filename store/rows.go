package store

import (
	"cmp"
	"math"

	"selfsame/profile"
)

// FragmentRef names a fragment.
type FragmentRef struct {
	Class    string
	Identity profile.Identity
	Dataset  string
}

// EventRef names an event row.
type EventRef struct {
	Class    string
	Identity profile.Identity // the event's primary identity, under which it is stored
	Time     int64            // nanoseconds since the epoch
	Dataset  string
	ID       string
}

// ProfileRef names a merged profile: dirtiness, digests and outbox entries are per class, policy
// and profile.
type ProfileRef struct {
	Class  string
	Policy string
	ID     profile.ID
}

// Identity is what is known of one identity apart from its data.
type Identity struct {
	FirstSeen int64      // least record time of the records that carry it, nanoseconds
	Cluster   profile.ID // the cluster it is assigned to
	Version   uint64     // of the commit that assigned it
	Fragments []string   // datasets with a fragment here, sorted
	Events    []string   // datasets with at least one event here, sorted
	// Floor turns away what is stamped below it, whatever dataset says it: the profile was deleted.
	// Absent without such a deletion.
	Floor profile.Stamp
	// Unlinked voids the links of the identity whose latest assertion is stamped below it.
	Unlinked profile.Stamp
	Ordered  bool // there are rows of orders about it
	Floored  bool // there are rows of floors of its datasets
	Erased   bool // it was erased, and has begun anew: see Reader.Erased
	Erasing  bool // what is stored of it is being removed, and not shown any more
	Named    bool // since it was erased something newer has named it: it stays, whatever is left

	Degree uint64 // links that it has, those that do not count too
	// Crowd is how many of its links count towards it being a hub.
	Crowd uint64
	// Beyond is how many assertions about it came since it is a hub. They are not kept.
	Beyond uint64
	// Silence says why its links do not count; 0 where they do.
	Silence Silence
	// Generation is that of the rules under which its cluster was last decided.
	Generation uint64

	Expiry int64 // of the timer that waits for an event of it to expire; 0: none does
	Idle   int64 // of the timer that waits for it to have been idle for too long; 0: none does
}

// Silence are the reasons why the links of an identity do not count, as a set.
type Silence uint8

// The reasons. Their numbers are part of the on-disk format.
const (
	SilentHub       Silence = 1 << iota // it has too many neighbours
	SilentContested                     // two values of a stronger unique namespace claim it
	SilentBlocked                       // its value is blocked, and its links are being removed
	SilentClearing                      // its links are being removed, to start anew
)

// Said is what the newest record of a dataset whose links are the current ones says about the
// identities of a primary identity.
type Said struct {
	Stamp      profile.Stamp      // of that record
	Identities []profile.Identity // that it links, sorted; none: it was a delete
}

// NeverSeen is the FirstSeen of an identity that only operators have named.
const NeverSeen = math.MaxInt64

// Order is one thing that operators can say about a pair of identities: the latest word stands.
type Order struct {
	Stamp profile.Stamp // of the control record, absent where nothing was ever said
	On    bool          // ordered, or lifted again
}

// Orders is everything that operators have said about a pair. It is stored from both ends.
type Orders struct {
	Together Order // they are one self
	Apart    Order // they are never in one cluster
}

// Applied is what became of a control record. It makes the operation idempotent.
type Applied struct {
	Op    string
	Class string
	Cause profile.Position // of the control record
	Time  int64            // of the operation, nanoseconds
	Removed
	Job string // that goes on with it, "" where it is done
	// Parts are of one that acted in several classes: then Class is "", and the counts are sums.
	Parts []AppliedPart
}

// AppliedPart is what an operation did in one of several classes.
type AppliedPart struct {
	Class string
	Removed
}

// Removed counts what an operation has removed.
type Removed struct {
	Fragments uint64
	Events    uint64
	Links     uint64 // removed, or voided
	Days      uint64 // of expired events that computed attributes had folded
}

// Add adds other counts.
func (r *Removed) Add(more Removed) {
	r.Fragments += more.Fragments
	r.Events += more.Events
	r.Links += more.Links
	r.Days += more.Days
}

// JobState says how far a job is.
type JobState uint8

// The states of a job. Their numbers are part of the on-disk format.
const (
	JobRunning JobState = 1
	JobDone    JobState = 2
)

// Job is a piece of background work: bounded steps inside ordinary commits, with a cursor.
type Job struct {
	ID       string // of the control record that asked for it
	Kind     string
	Args     []byte // of the kind, in its own encoding
	Cursor   []byte // where to go on; empty at the beginning
	Done     uint64 // units worked off
	Total    uint64 // units there were when it began; an estimate
	State    JobState
	Cause    profile.Position // of the control record
	Created  int64            // nanoseconds since the epoch; 0: at its first step, without a record
	Finished int64            // 0 while it runs
}

// Timer is something to be done at a time: by whom, and what about.
type Timer struct {
	At   int64  // nanoseconds since the epoch
	Kind string // a name of the dictionary
	Key  string // of the kind, in its own encoding
}

// Assertion is what one dataset says about a link, or what it says under one primary identity
// where its links are the current ones.
type Assertion struct {
	Dataset string
	Source  profile.Identity // the primary identity; zero where the links of a dataset are kept
	First   profile.Stamp    // the least stamp of an asserting record
	Latest  profile.Stamp    // the greatest
}

// Link is the row of a link, stored once, under its smaller end; the other end holds a pointer.
type Link struct {
	Assertions []Assertion // sorted by dataset, then source; never empty
}

// Compare orders by dataset, then source.
func (a *Assertion) Compare(dataset string, source profile.Identity) int {
	return cmp.Or(cmp.Compare(a.Dataset, dataset), a.Source.Compare(source))
}

// Latest returns the greatest stamp of all assertions: the link's time.
func (l *Link) Latest() profile.Stamp {
	var latest profile.Stamp
	for i := range l.Assertions {
		latest = profile.Later(latest, l.Assertions[i].Latest)
	}
	return latest
}

// Event is an event's row.
type Event struct {
	Stamp profile.Stamp
	Body  profile.Value
}

// EventID says where the event of an id is stored, and what is known of the id.
//
// An event exists while its least stamp is greater than the stamp of the latest delete of the id:
// both are joins, so the order of arrival does not matter.
type EventID struct {
	Stamp    profile.Stamp    // of the copy that stands: the least; absent when only deleted
	Class    string           // where the copy that stands is stored; known while it exists
	Identity profile.Identity //
	Deleted  profile.Stamp    // of the latest delete, absent without one
	Hidden   bool             // the copy that stands lies below the floor of its identity
	Holder   Hash             // of a hidden one: of its identity
	// Expired says that the event is gone because of its age, and the id is kept so that a copy is
	// not counted again by what outlives it.
	Expired bool
}

// IsZero reports whether nothing is known of the id.
func (e *EventID) IsZero() bool { return e.Stamp.IsZero() && e.Deleted.IsZero() }

// Exists reports whether the id names an event that is there.
func (e *EventID) Exists() bool {
	return !e.Stamp.IsZero() && e.Deleted.Before(e.Stamp) && !e.Hidden && !e.Expired
}

// Cluster is the row of a cluster.
type Cluster struct {
	Members []profile.Identity // sorted, never empty
}

// Profile is what was last decided about a merged profile: it is written in the commit that
// changed
// the profile and read when the change is published.
type Profile struct {
	Version  uint64
	Digest   [16]byte         // of the content, without version; what "no change" compares
	Time     int64            // of the newest contributing record, nanoseconds
	Cause    profile.Position // of the record that caused the change
	Dead     bool             // the profile ceased to exist; the row goes once that is published
	Survivor profile.ID       // of a dead one that was merged into another
	// Identity is whose profile it is where each identity has its own; zero where clusters have.
	Identity profile.Identity
	// Now is the instant that its computed attributes are of, nanoseconds; 0 where it has none.
	Now int64
}
