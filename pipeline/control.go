package pipeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"time"

	"selfsame/identity"
	"selfsame/profile"
)

// ControlName stands for the control topic where figures are told by dataset.
const ControlName = "(control)"

// ControlOp is what a control record asks for.
type ControlOp string

// The operations. They are part of the interface.
const (
	ControlLink           ControlOp = "link"            // two identities are one self
	ControlForbidLink     ControlOp = "forbid_link"     // two identities are never in one cluster
	ControlUnlink         ControlOp = "unlink"          // void what was asserted about one
	ControlBlockValue     ControlOp = "block_value"     // an identity never links, or does again
	ControlResetHub       ControlOp = "reset_hub"       // a hub links again, from nothing
	ControlDeleteProfile  ControlOp = "delete_profile"  // all data of a cluster
	ControlDeleteFragment ControlOp = "delete_fragment" // of one record dataset and identity
	ControlDeleteEvents   ControlOp = "delete_events"   // of one event dataset and identity
	ControlDeleteDataset  ControlOp = "delete_dataset"  // all that a dataset ever said
	ControlErase          ControlOp = "erase"           // a person, without trace
	ControlLiftDelete     ControlOp = "lift_delete"     // let come back what was deleted
	ControlRemerge        ControlOp = "remerge"         // merge all profiles of a class anew
	ControlPauseDataset   ControlOp = "pause_dataset"   // stop reading its topic
	ControlResumeDataset  ControlOp = "resume_dataset"  // read it again
)

// ControlOps lists all operations.
func ControlOps() []ControlOp {
	return []ControlOp{ControlLink, ControlForbidLink, ControlUnlink, ControlBlockValue,
		ControlResetHub, ControlDeleteProfile, ControlDeleteFragment, ControlDeleteEvents,
		ControlDeleteDataset, ControlErase, ControlLiftDelete, ControlRemerge,
		ControlPauseDataset, ControlResumeDataset}
}

// Limits of a control record.
const (
	MaxControlID   = 200  // bytes of its id
	MaxControlNote = 1000 // bytes of its note
)

// Control is a control record as it is written: one JSON object. Fields that an operation does not
// know must be absent.
type Control struct {
	// ID makes the operation idempotent: of several records of one id, the first counts.
	ID string    `json:"id"`
	Op ControlOp `json:"op"`
	// Class is the entity class. Absent, it is "profile"; erase and lift_delete then act in every
	// class whose namespaces have that of the identity.
	Class string `json:"class,omitempty"`
	// Identities are NAMESPACE:VALUE, as many as the operation wants, normalised as in records.
	Identities []string `json:"identities,omitempty"`
	// Dataset is the one that delete_fragment, pause_dataset and resume_dataset are about. Datasets
	// that share a topic are paused and resumed together.
	Dataset string `json:"dataset,omitempty"`
	// Time is the time of the operation, RFC 3339; that of the Kafka record where absent. Data that
	// is not newer is deleted, assertions that are not newer are voided.
	Time string `json:"time,omitempty"`
	// Lift takes an earlier link or forbid_link of the same pair, or a block_value, back.
	Lift bool `json:"lift,omitempty"`
	// From is where resume_dataset goes on: where it stopped when absent; "rewind" at the start of
	// the log; "skip" past what is missing.
	From string `json:"from,omitempty"`
	// Until ends the range of times of delete_events, which From begins; RFC 3339. From is in it,
	// Until is not; without one the range is open.
	Until string `json:"until,omitempty"`
	// All makes remerge emit every profile, not only those that changed.
	All bool `json:"all,omitempty"`
	// Suppress makes erase turn away newer data too.
	Suppress bool `json:"suppress,omitempty"`
	// Note is for whoever reads the audit topic.
	Note string `json:"note,omitempty"`
}

// Values of Control.From.
const (
	fromRewind = "rewind"
	fromSkip   = "skip"
)

// controlInput is a control record that has been checked.
type controlInput struct {
	Control
	ids     []profile.Identity
	dataset *Dataset
	// places are where an operation acts that acts in several classes: then it has no Class, and no
	// ids.
	places []personKey
}

// CheckControl reports what is wrong with a control record, nil where nothing is: what the daemon
// would reject it for, as far as that can be told from the record alone.
func (m *Model) CheckControl(value []byte) *Rejection {
	_, _, rejection := m.parseControl(value)
	return rejection
}

// decodeControl reads a record of the control topic.
func (d *Decoder) decodeControl(in *Input) {
	in.control = &controlInput{}
	if size := recordSize(&in.Record); size > d.model.Limits.RecordBytes {
		in.Reject = &Rejection{Reason: ReasonTooLarge, Found: strconv.Itoa(size) + " bytes",
			Wanted: "at most " + strconv.Itoa(d.model.Limits.RecordBytes)}
		return
	}
	var at time.Time
	in.control, at, in.Reject = d.model.parseControl(in.Record.Value)
	if !at.IsZero() {
		in.Stamp.Time = at.UnixNano()
	}
}

func (m *Model) parseControl(value []byte) (*controlInput, time.Time, *Rejection) {
	c := &controlInput{}
	if rejection := c.read(value); rejection != nil {
		return c, time.Time{}, rejection
	}
	at, rejection := c.checkFields()
	if rejection == nil {
		rejection = c.bind(m)
	}
	return c, at, rejection
}

// read decodes the JSON, strictly.
func (c *controlInput) read(value []byte) *Rejection {
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&c.Control)
	if err == nil {
		if rejection := checkControlText(value); rejection != nil {
			return rejection
		}
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			return &Rejection{Reason: ReasonMalformed, Wanted: "one JSON object", Found: "more"}
		}
		return nil
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return &Rejection{Reason: ReasonSchemaViolation, Path: wrong.Field,
			Wanted: wrong.Type.String(), Found: wrong.Value}
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Rejection{Reason: ReasonMalformed, Wanted: "one JSON object",
			Found: "something else"}
	}
	return &Rejection{Reason: ReasonSchemaViolation, Wanted: "the fields of a control record",
		Found: "an unknown field"}
}

// checkFields checks what can be checked without a model.
func (c *controlInput) checkFields() (at time.Time, rejection *Rejection) {
	if n := len(c.ID); n == 0 || n > MaxControlID {
		return at, &Rejection{Reason: ReasonSchemaViolation, Path: "id",
			Wanted: "1 to " + strconv.Itoa(MaxControlID) + " bytes",
			Found:  strconv.Itoa(n)}
	}
	if n := len(c.Note); n > MaxControlNote {
		return at, &Rejection{Reason: ReasonSchemaViolation, Path: "note",
			Wanted: "at most " + strconv.Itoa(MaxControlNote) + " bytes", Found: strconv.Itoa(n)}
	}
	if c.Time == "" {
		return at, nil
	}
	at, err := time.Parse(time.RFC3339Nano, c.Time)
	if err != nil || at.Year() < 1678 || at.Year() > 2261 {
		return time.Time{}, &Rejection{Reason: ReasonBadTimestamp, Path: "time",
			Wanted: "RFC 3339, between 1678 and 2261", Found: "a text of another form"}
	}
	return at, nil
}

// controlForm says which fields an operation wants.
type controlForm struct {
	identities int
	dataset    bool
	lift, all  bool // may be given
	from, span bool // From may be given, as a place or as a time
	suppress   bool // may be given
	removes    bool // counts what it removes
	everywhere bool // acts in every class that has the namespace, where none is named
}

func controlForms() map[ControlOp]controlForm {
	return map[ControlOp]controlForm{
		ControlLink:           {identities: 2, lift: true},
		ControlForbidLink:     {identities: 2, lift: true},
		ControlUnlink:         {identities: 1, removes: true},
		ControlBlockValue:     {identities: 1, lift: true, removes: true},
		ControlResetHub:       {identities: 1, removes: true},
		ControlDeleteProfile:  {identities: 1, removes: true},
		ControlDeleteFragment: {identities: 1, dataset: true, removes: true},
		ControlDeleteEvents:   {identities: 1, dataset: true, span: true, removes: true},
		ControlDeleteDataset:  {dataset: true, removes: true},
		ControlErase:          {identities: 1, suppress: true, removes: true, everywhere: true},
		ControlLiftDelete:     {identities: 1, everywhere: true},
		ControlRemerge:        {all: true},
		ControlPauseDataset:   {dataset: true},
		ControlResumeDataset:  {dataset: true, from: true},
	}
}

// bind checks the record against the model and normalises its identities.
func (c *controlInput) bind(m *Model) *Rejection {
	form, known := controlForms()[c.Op]
	if !known {
		return wrongControl("op", "a known operation", "another")
	}
	switch {
	case len(c.Identities) != form.identities:
		return wrongControl("identities", strconv.Itoa(form.identities)+" of them",
			strconv.Itoa(len(c.Identities)))
	case c.Lift && !form.lift:
		return wrongControl("lift", "nothing here", "true")
	case c.Suppress && !form.suppress:
		return wrongControl("suppress", "nothing here", "true")
	case c.All && !form.all:
		return wrongControl("all", "nothing here", "true")
	case c.From != "" && !form.from && !form.span:
		return wrongControl("from", "nothing here", "a text")
	case c.Until != "" && !form.span:
		return wrongControl("until", "nothing here", "a text")
	case c.From != "" && form.from && c.From != fromRewind && c.From != fromSkip:
		return wrongControl("from", fromRewind+" or "+fromSkip, "another text")
	case c.Dataset == "" && form.dataset:
		return wrongControl("dataset", "the name of a dataset", "none")
	case c.Dataset != "" && !form.dataset:
		return wrongControl("dataset", "nothing here", "a name")
	}
	if form.span {
		if rejection := c.checkRange(); rejection != nil {
			return rejection
		}
	}
	return c.bindNames(m, form)
}

func (c *controlInput) bindNames(m *Model, form controlForm) *Rejection {
	if ds := m.Dataset(c.Dataset); c.Class == "" && ds != nil && form.dataset {
		c.Class = ds.Entity
	}
	if c.Class == "" && form.everywhere {
		return c.bindEverywhere(m)
	}
	if c.Class == "" {
		c.Class = "profile"
	}
	entity := m.Entity(c.Class)
	if entity == nil {
		return wrongControl("class", "an entity class of the configuration", "another")
	}
	if form.dataset {
		if c.dataset = m.Dataset(c.Dataset); c.dataset == nil {
			return wrongControl("dataset", "a dataset of the configuration", "another")
		}
		if rejection := c.checkDataset(form); rejection != nil {
			return rejection
		}
	}
	for _, text := range c.Identities {
		id, rejection := bindIdentity(entity.Rules, text)
		if rejection != nil {
			return rejection
		}
		c.ids = append(c.ids, id)
	}
	return c.checkPair(entity.Rules)
}

// checkDataset checks whether the operation can be about the dataset.
func (c *controlInput) checkDataset(form controlForm) *Rejection {
	ds := c.dataset
	switch {
	case c.Op == ControlDeleteFragment && (ds.Class != ClassRecord || ds.Entity != c.Class):
		return wrongControl("dataset", "a record dataset of the class", "another")
	case c.Op == ControlDeleteEvents && (ds.Class != ClassEvent || ds.Entity != c.Class):
		return wrongControl("dataset", "an event dataset of the class", "another")
	case c.Op == ControlDeleteDataset && ds.Entity != c.Class:
		return wrongControl("dataset", "a dataset of the class", "another")
	case ds.Retired && !form.removes:
		return wrongControl("dataset", "a dataset that is read", "a retired one")
	}
	return nil
}

// checkPair checks what an operation on two identities needs.
func (c *controlInput) checkPair(rules *identity.Rules) *Rejection {
	if len(c.ids) != 2 {
		return nil
	}
	if c.ids[0] == c.ids[1] {
		return wrongControl("identities", "two different ones", "the same twice")
	}
	for _, id := range c.ids {
		if !rules.Linkable(id.Namespace) {
			return wrongControl("identities", "ones of namespaces that link", "another")
		}
	}
	return nil
}

func bindIdentity(rules *identity.Rules, text string) (profile.Identity, *Rejection) {
	given, ok := profile.ParseIdentity(text)
	if !ok {
		return given, wrongControl("identities", "NAMESPACE:VALUE", "a text of another form")
	}
	if _, known := rules.Namespace(given.Namespace); !known {
		return given, wrongControl("identities", "a namespace of the class", "another")
	}
	id, blocked, err := rules.Normalize(given.Namespace, given.Value)
	if err != nil {
		return given, rejectIdentity(err)
	}
	if blocked {
		return given, &Rejection{Reason: ReasonInvalidIdentity, Path: given.Namespace,
			Found: "a blocked value"}
	}
	return id, nil
}

func wrongControl(path, wanted, found string) *Rejection {
	return &Rejection{Reason: ReasonBadOperation, Path: path, Wanted: wanted, Found: found}
}
