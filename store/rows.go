package store

import (
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
}

// Assertion is what one dataset says about a link.
type Assertion struct {
	Dataset string
	First   profile.Stamp // the least stamp of an asserting record
	Latest  profile.Stamp // the greatest
}

// Link is the row of a link, stored once, under its smaller end; the other end holds a pointer.
type Link struct {
	Assertions []Assertion // sorted by dataset, never empty
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
	Class    string           // where the copy that stands is stored, also when it is deleted
	Identity profile.Identity //
	Deleted  profile.Stamp    // of the latest delete, absent without one
}

// Exists reports whether the id names an event that is there.
func (e *EventID) Exists() bool { return !e.Stamp.IsZero() && e.Deleted.Before(e.Stamp) }

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
}
