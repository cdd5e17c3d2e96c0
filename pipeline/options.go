package pipeline

import (
	"time"

	"selfsame/identity"
	"selfsame/profile"
	"selfsame/schemas"
)

// DatasetClass says how the records of a dataset behave.
type DatasetClass uint8

// The classes of dataset.
const (
	ClassRecord DatasetClass = iota // current state, kept as fragments
	ClassEvent                      // something that happened, kept as events
)

// Format is the encoding of record values.
type Format uint8

// The formats.
const (
	FormatJSON Format = iota // one plain JSON object
	FormatAvro               // bare Avro binary

	// FormatSingleObject is Avro's single-object encoding: C3 01, the fingerprint of the schema it
	// is written in (8 bytes, little-endian), Avro binary.
	FormatSingleObject
	// FormatRegistry is Confluent's wire format: 00, the registry's id of the schema it is written
	// in (4 bytes, big-endian), Avro binary.
	FormatRegistry
)

// Envelope is what a record is wrapped in.
type Envelope uint8

// The envelopes.
const (
	EnvelopeNone     Envelope = iota
	EnvelopeXDM               // header and body, with operations; JSON only
	EnvelopeDebezium          // before, after and op of a row; JSON or Avro
)

// Tombstones says what a null value means.
type Tombstones uint8

// The meanings of a null value.
const (
	TombstonesReject Tombstones = iota // it is refused
	TombstonesDelete                   // it deletes the fragment that the key names
	TombstonesIgnore                   // nothing: it is counted as superseded
)

// Operation is what a record asks for.
type Operation uint8

// The operations.
const (
	OpUpsert  Operation = iota // write the attributes present; for an event: insert it
	OpReplace                  // become the whole fragment
	OpDelete                   // remove the fragment or the event
)

// IdentityField names a field of a dataset that holds an identity: a string, an integer, or an
// array of them.
type IdentityField struct {
	Path      profile.Path
	Namespace string
	Primary   bool
}

// Dataset is one typed source.
type Dataset struct {
	Name          string
	Topic         string
	Entity        string // name of the entity class
	Class         DatasetClass
	Format        Format
	Envelope      Envelope
	Mode          Operation // OpUpsert or OpReplace, when the record does not say
	Schema        *schemas.Schema
	SchemaID      uint32                  // in the registry; 0 where the schema is not from there
	Writers       []*schemas.WriterSchema // Avro: what values are written in, besides Schema
	Rename        []schemas.Rename        // from paths of the dataset to paths of the union
	LossyNumbers  bool                    // integers and floating point may meet, as double
	Retired       bool                    // its data and schema stay, its topic is not read
	Identities    []IdentityField
	IdentityMap   profile.Path // of a map from namespaces to lists of {id, primary}; empty: none
	Timestamp     profile.Path // empty: the Kafka timestamp
	Sequence      profile.Path // empty: none
	EventID       profile.Path // events only
	Nulls         profile.Nulls
	Tombstones    Tombstones
	IgnoreUnknown bool
	CurrentLinks  bool // of records: the links of a primary identity are those of its newest one
	MaxFuture     time.Duration
	Retention     time.Duration // events only; 0 keeps them for ever
	Start         Start         // the same for all datasets of a topic
	Continuity    Continuity    // the same for all datasets of a topic

	// MaxRejectedShare, 0 to 1, of the last RejectedWindow records may be rejected; above, the
	// topic stops. A window of 0 never stops it.
	MaxRejectedShare float64
	RejectedWindow   int
}

// Defaults of a dataset.
const (
	DefaultMaxRejectedShare = 0.5
	DefaultRejectedWindow   = 1000
)

// PolicyTopic is a merge policy and the topic its profiles go to.
type PolicyTopic struct {
	profile.Policy
	Topic          string
	Changes        string // topic of the differences; "": none
	Default        bool
	Format         Format // of the values
	SchemaID       uint32 // of FormatRegistry: the id of the values' schema
	ShowDeprecated bool   // put deprecated fields out too
}

// Entity is an entity class: what profiles there are, how they are linked and merged, and where
// they go.
type Entity struct {
	Name  string
	Rules *identity.Rules
	// PseudonymousRetention is how long cookies and devices may be idle that nothing ties to
	// anything else; 0 keeps them for ever.
	PseudonymousRetention time.Duration
	Policies              []PolicyTopic
	Leaving               []PolicyTopic // gone from the configuration; set by AdoptPolicies
	Computed              []*ComputedDefinition
	IdentityTopic         string // what happened to the graph
	AssignmentTopic       string // compacted: identity -> profile id

	// Union is the union schema of the class's record datasets, which knows what is deprecated; nil
	// where nothing is.
	Union *schemas.Union
}

// DefaultPolicy returns the policy that reads use unless they name one.
func (e *Entity) DefaultPolicy() *PolicyTopic {
	for i := range e.Policies {
		if e.Policies[i].Default {
			return &e.Policies[i]
		}
	}
	return &e.Policies[0]
}

// Limits bound the size of things. Each has a reason code that names it.
type Limits struct {
	RecordBytes       int // key and value of an input record: too_large
	LeavesPerFragment int // attributes, unsets and edited arrays: too_large
	ArrayEdits        int // elements added to or taken out of one array: too_large
	EventIDBytes      int // schema_violation
	OutputBytes       int // an encoded profile: marker record and dead letter
}

// DefaultMaxFuture is how far ahead of its append time a record may be when nothing else is
// configured; for control records it is fixed.
const DefaultMaxFuture = 5 * time.Minute

// DefaultLimits are the limits when nothing else is configured.
func DefaultLimits() Limits {
	return Limits{
		RecordBytes:       1 << 20,
		LeavesPerFragment: 2000,
		ArrayEdits:        1000,
		EventIDBytes:      1024,
		OutputBytes:       900 << 10,
	}
}

// Model is everything about the meaning of records: it does not change while a pipeline runs.
type Model struct {
	IDKey           []byte // key of the profile ids' hash
	Entities        []*Entity
	Datasets        []*Dataset
	DeadLetterTopic string
	ControlTopic    string // what operators ask for; "": there is none
	AuditTopic      string // what became of it; with a ControlTopic
	// Draining are topics that are written until what the outbox holds for them is published, and
	// no longer: the configuration does not name them any more. Set by AdoptPolicies.
	Draining []string
	Limits   Limits
}

// Entity returns the named entity class, nil where there is none.
func (m *Model) Entity(name string) *Entity {
	for _, e := range m.Entities {
		if e.Name == name {
			return e
		}
	}
	return nil
}

// Dataset returns the named dataset, nil where there is none.
func (m *Model) Dataset(name string) *Dataset {
	for _, d := range m.Datasets {
		if d.Name == name {
			return d
		}
	}
	return nil
}

// ConsumedTopics lists all topics that are read: those of datasets, and the control topic.
func (m *Model) ConsumedTopics() []string {
	topics := m.InputTopics()
	if m.ControlTopic != "" {
		topics = append(topics, m.ControlTopic)
	}
	return topics
}

// InputTopics lists the topics that datasets read, in order of first mention. Retired datasets read
// none.
func (m *Model) InputTopics() []string {
	var topics []string
	seen := map[string]bool{}
	for _, d := range m.Datasets {
		if !seen[d.Topic] && !d.Retired {
			seen[d.Topic] = true
			topics = append(topics, d.Topic)
		}
	}
	return topics
}

// start is where partitions of a topic begin that was never read.
func (m *Model) start(topic string) Start {
	for _, ds := range m.datasetsOf(topic) {
		return ds.Start
	}
	return Start{}
}

// continuity is the policy for a topic. The control topic is read again: its records are applied
// once by their ids, and nobody could resume it if it were halted.
func (m *Model) continuity(topic string) Continuity {
	if topic == m.ControlTopic {
		return ContinuityRewind // ids keep what was applied from being applied again
	}
	for _, ds := range m.datasetsOf(topic) {
		return ds.Continuity
	}
	return ContinuityHalt
}

// OutputTopics lists the topics that the pipeline writes, in a fixed order.
func (m *Model) OutputTopics() []string {
	topics := []string{m.DeadLetterTopic}
	if m.AuditTopic != "" {
		topics = append(topics, m.AuditTopic)
	}
	for _, e := range m.Entities {
		topics = append(topics, e.IdentityTopic, e.AssignmentTopic)
		for i := range e.Policies {
			topics = append(topics, e.Policies[i].Topic)
			if changes := e.Policies[i].Changes; changes != "" {
				topics = append(topics, changes)
			}
		}
		for i := range e.Leaving {
			topics = append(topics, e.Leaving[i].Topic)
		}
	}
	return append(topics, m.Draining...)
}

// names lists every name that rows refer to, for the store's dictionary.
func (m *Model) names() []string {
	names := append(m.ConsumedTopics(), m.OutputTopics()...)
	names = append(names, timerKinds()...)
	names = append(names, RulesName, retentionName)
	for _, e := range m.Entities {
		names = append(names, e.Name)
		names = append(names, e.Rules.Names()...)
		for i := range e.Policies {
			names = append(names, e.Policies[i].Name)
		}
	}
	for _, d := range m.Datasets {
		names = append(names, d.Name)
	}
	return names
}
