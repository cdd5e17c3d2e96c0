package pipeline

import (
	"encoding/json"

	"selfsame/profile"
)

// Explanation tells for each attribute of a merged profile what was said of it, by which records,
// what stands and why.
type Explanation struct {
	ID         string      `json:"id"`
	Class      string      `json:"class"`
	Policy     string      `json:"policy"`
	Attributes []Attribute `json:"attributes"` // in order of path
}

// Attribute is one attribute of an [Explanation].
type Attribute struct {
	Path       string          `json:"path"`
	Value      json.RawMessage `json:"value,omitempty"` // none: it is absent
	Statements []Statement     `json:"statements"`      // what stands first, then the newest first
}

// Statement is what one fragment says of an attribute.
type Statement struct {
	Stands    bool            `json:"stands"`
	Reason    profile.Reason  `json:"reason"`
	Value     json.RawMessage `json:"value,omitempty"`
	Unset     string          `json:"unset,omitempty"` // what it unsets: this or above
	Dataset   string          `json:"dataset"`
	Identity  NamedIdentity   `json:"identity"` // whose fragment it is
	Time      string          `json:"time"`
	Topic     string          `json:"topic"`
	Partition int32           `json:"partition"`
	Offset    int64           `json:"offset"`
}

// NamedIdentity is an identity in an answer.
type NamedIdentity struct {
	Namespace string `json:"namespace"`
	Value     string `json:"value"`
}

// ExplainProfile explains the merged profile that a query names. below is the attribute or object
// to tell of, "" for all. nil where the identity is not known or no fragment says anything of it.
// *QueryError where the query is wrong.
func (l *Lookup) ExplainProfile(q Query, below profile.Path) (*Explanation, error) {
	asked, err := l.resolve(q)
	if err != nil {
		return nil, err
	}
	entity, policy := asked.entity, asked.policy
	if entity.Union != nil {
		if _, known := entity.Union.Schema().Lookup(below); !known {
			return nil, &QueryError{"the union schema of class " + q.Class + " has no path " +
				below.String()}
		}
	}
	snap := l.store.Snapshot()
	defer snap.Close()
	c, err := l.whose(snap, asked)
	if err != nil || c == nil {
		return nil, err
	}
	g, err := gather(storedRows{Reader: &snap.Reader}, entity.Name, c.members)
	if err != nil {
		return nil, err
	}
	x := &Explanation{ID: c.id.String(), Class: entity.Name, Policy: policy.Name,
		Attributes: []Attribute{}}
	explained := policy.Explain(g.Sources)
	for i := range explained {
		if below.Contains(explained[i].Path) || explained[i].Path.Contains(below) {
			x.add(&explained[i], g.Sources, visibility{entity, policy})
		}
	}
	if len(x.Attributes) == 0 {
		return nil, nil
	}
	return x, nil
}

// visibility tells what of a value is put out under a policy.
type visibility struct {
	entity *Entity
	policy *PolicyTopic
}

func (v visibility) of(path profile.Path, value profile.Value) (profile.Value, bool) {
	if v.policy.ShowDeprecated || v.entity.Union == nil {
		return value, true
	}
	return v.entity.Union.Visible(path, value)
}

func (x *Explanation) add(e *profile.Explained, sources []profile.Source, shown visibility) {
	value, ok := shown.of(e.Path, e.Value)
	if !ok {
		return
	}
	a := Attribute{Path: e.Path.String(), Value: rawValue(value)}
	for _, c := range e.Candidates {
		source := sources[c.Source]
		s := Statement{Stands: c.Won, Reason: c.Reason, Dataset: source.Dataset,
			Identity:  NamedIdentity{source.Identity.Namespace, source.Identity.Value},
			Time:      formatTime(c.Stamp.Time),
			Topic:     c.Stamp.Pos.Topic,
			Partition: c.Stamp.Pos.Partition, Offset: c.Stamp.Pos.Offset}
		if c.Unset() {
			s.Unset = c.Path.String()
		} else {
			value, _ := shown.of(c.Path, c.Value)
			s.Value = rawValue(value)
		}
		a.Statements = append(a.Statements, s)
	}
	x.Attributes = append(x.Attributes, a)
}

// rawValue renders a value; nil for null.
func rawValue(v profile.Value) json.RawMessage {
	if v.IsNull() {
		return nil
	}
	return profile.AppendJSON(nil, v)
}
