package store

// TopicID is Kafka's id of a topic: a topic that is deleted and made again has another one. Zero
// where the broker does not tell.
type TopicID [16]byte

// IsZero reports whether the broker has not told the id.
func (id TopicID) IsZero() bool { return id == TopicID{} }

// Position is how far one input partition has been consumed.
type Position struct {
	Next    int64 // offset of the next record to consume
	MaxTime int64 // greatest Kafka timestamp so far, nanoseconds, bounded by the clock

	// What tells, when reading goes on, whether the log is still the one that was consumed.
	Topic  TopicID // of the topic that was consumed; zero where it was not known
	Anchor Anchor  // the last record consumed

	Generation uint64 // of the topic's Input under which the log was last found in order

	Reached int64 // where the position was set back from, the furthest; 0: it never was
	Former  int64 // the furthest position in logs of the topic that are no more; 0: there were none
}

// Consumed is the offset up to which the log has ever been consumed.
func (p *Position) Consumed() int64 { return max(p.Next, p.Reached) }

// Anchor recognises a record that was consumed.
type Anchor struct {
	Known  bool   // false: nothing was consumed since the position was set
	Offset int64  //
	Epoch  int32  // of the leader that appended it, -1 where unknown
	Sum    uint32 // CRC-32C of offset, timestamp, key, value and headers
}

// InputState says whether an input topic is read.
type InputState uint8

// The states of an input topic. Their numbers are part of the on-disk format.
const (
	InputRunning InputState = 0 // read
	InputPaused  InputState = 1 // an operator has paused it
	InputHalted  InputState = 2 // the log is not the one that was consumed
	InputStopped InputState = 3 // too many of its records were rejected
)

// InputStates lists all states.
func InputStates() []InputState {
	return []InputState{InputRunning, InputPaused, InputHalted, InputStopped}
}

// String names the state.
func (s InputState) String() string {
	switch s {
	case InputRunning:
		return "running"
	case InputPaused:
		return "paused"
	case InputHalted:
		return "halted"
	case InputStopped:
		return "stopped"
	}
	return "unknown"
}

// Case is what became of a log since a position in it was stored.
type Case uint8

// The cases. Their numbers are part of the on-disk format.
const (
	CaseContinues Case = 0 // it goes on
	CaseExpired   Case = 1 // records that were not consumed yet are gone from its start
	CaseTruncated Case = 2 // it has lost records that were consumed
	CaseRecreated Case = 3 // it is another log: the topic was deleted and made again
	CaseAsked     Case = 4 // an operator asked to read it again
)

// String names the case.
func (c Case) String() string {
	switch c {
	case CaseContinues:
		return "continues"
	case CaseExpired:
		return "expired"
	case CaseTruncated:
		return "truncated"
	case CaseRecreated:
		return "recreated"
	case CaseAsked:
		return "asked"
	}
	return "unknown"
}

// Break is the place where a log does not go on. The zero value: it does.
type Break struct {
	Case      Case
	Partition int32
	Next      int64 // offset of the record that was to be consumed next
	LogStart  int64 // the first offset that the log holds
	End       int64 // the end of the log
}

// Resume is how reading goes on once an input runs again.
type Resume uint8

// The ways to go on. Their numbers are part of the on-disk format.
const (
	ResumeAsIs   Resume = 0 // as the datasets' policy says
	ResumeRewind Resume = 1 // at the log's start, where it does not continue
	ResumeSkip   Resume = 2 // past what is missing, where it does not continue
	ResumeAgain  Resume = 3 // at the log's start, in every partition
)

// Input is the state of one input topic. A topic without a row is running.
type Input struct {
	State      InputState
	Reason     string // why it is not running, for people; no personal value
	Since      int64  // when the state began, nanoseconds since the epoch
	Generation uint64 // how often it was resumed
	Resume     Resume // how, the last time
	Break      Break  // of a halted one
}
