package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"selfsame/profile"
	"selfsame/schemas"
)

// MergeSpec is a merge policy as people write it.
type MergeSpec struct {
	Stitching  string              `json:"stitching,omitempty" yaml:"stitching"`
	Strategy   string              `json:"strategy,omitempty" yaml:"strategy"`
	Precedence []string            `json:"precedence,omitzero" yaml:"precedence"`
	Overrides  map[string]RuleSpec `json:"overrides,omitempty" yaml:"overrides"` // by pattern
}

// RuleSpec is the rule of an override as people write it.
type RuleSpec struct {
	Strategy   string   `json:"strategy,omitempty" yaml:"strategy"`
	Precedence []string `json:"precedence,omitzero" yaml:"precedence"`
	Union      bool     `json:"union,omitempty" yaml:"union"`
}

// SpecError says what is wrong at one key of a [MergeSpec] or [ComputedSpec].
type SpecError struct {
	Key     []string `json:"path,omitempty"`
	Problem string   `json:"problem"`
}

// SpecsError is a [QueryError] that says where in the definitions of a query it is.
type SpecsError struct {
	Query QueryError
	Specs []SpecError
}

// Error implements error.
func (e *SpecsError) Error() string { return e.Query.Problem }

// Unwrap returns the *QueryError.
func (e *SpecsError) Unwrap() error { return &e.Query }

// specsError joins errors under a heading, which may be empty.
func specsError(heading string, errs []SpecError) error {
	var lines []string
	for i := range errs {
		lines = append(lines, errs[i].Error())
	}
	return &SpecsError{QueryError{heading + strings.Join(lines, "; ")}, errs}
}

// Error implements error.
func (e *SpecError) Error() string {
	if len(e.Key) == 0 {
		return e.Problem
	}
	return strings.Join(e.Key, ": ") + ": " + e.Problem
}

// CompileMerge makes the policy that a spec describes for a class, and everything that is wrong
// with the spec. Datasets and patterns are looked up in the model, whose unions are composed.
func (m *Model) CompileMerge(e *Entity, name string, spec MergeSpec) (profile.Policy, []SpecError) {
	c := &specCompiler{model: m, entity: e, union: m.wholeUnion(e)}
	p := profile.Policy{Name: name}
	switch spec.Stitching {
	case "", "graph":
	case "none":
		p.Stitching = profile.StitchNone
	default:
		c.add("%q is not graph or none", []any{spec.Stitching}, "stitching")
	}
	p.Rule = c.rule(RuleSpec{Strategy: spec.Strategy, Precedence: spec.Precedence},
		profile.Rule{})
	for _, pattern := range slices.Sorted(maps.Keys(spec.Overrides)) {
		if o, ok := c.override(pattern, spec.Overrides[pattern], p.Rule); ok {
			p.Overrides = append(p.Overrides, o)
		}
	}
	return p, c.errs
}

// wholeUnion returns the union schema of a class's record datasets; nil where it cannot be told,
// since a schema is not known or does not go with the others.
func (m *Model) wholeUnion(e *Entity) *schemas.Union {
	for _, ds := range m.Datasets {
		if ds.Entity == e.Name && ds.Class == ClassRecord && ds.Schema == nil {
			return nil
		}
	}
	if e.Union != nil {
		return e.Union
	}
	union, err := m.Union(e.Name, ClassRecord)
	if err != nil {
		return nil // reported where the configuration is read
	}
	return union
}

type specCompiler struct {
	model  *Model
	entity *Entity
	union  *schemas.Union // nil: paths are not checked
	errs   []SpecError
}

func (c *specCompiler) add(format string, args []any, key ...string) {
	c.errs = append(c.errs, SpecError{Key: key, Problem: fmt.Sprintf(format, args...)})
}

// rule compiles a rule; what it does not say is as in outer.
func (c *specCompiler) rule(spec RuleSpec, outer profile.Rule, at ...string) profile.Rule {
	rule := outer
	rule.Union = spec.Union
	strategies := map[string]profile.Strategy{"latest": profile.StrategyLatest,
		"precedence": profile.StrategyPrecedence, "earliest": profile.StrategyEarliest}
	strategy, known := strategies[spec.Strategy]
	listed := len(spec.Precedence) > 0
	switch {
	case spec.Strategy != "" && !known:
		c.add("%q is not latest, precedence or earliest", []any{spec.Strategy},
			key(at, "strategy")...)
		return rule
	case spec.Precedence != nil && !listed:
		c.add("lists no dataset: name those that may say something, or leave it out", nil,
			key(at, "precedence")...)
	case strategy == profile.StrategyPrecedence && !listed:
		c.add("the strategy precedence needs a list of datasets in precedence", nil,
			key(at, "strategy")...)
	case listed && known && strategy != profile.StrategyPrecedence:
		c.add("goes with the strategy precedence, not with %s", []any{spec.Strategy},
			key(at, "precedence")...)
	case listed:
		rule.Strategy = profile.StrategyPrecedence
		rule.Precedence = c.datasets(spec.Precedence, key(at, "precedence"))
	case known:
		rule.Strategy, rule.Precedence = strategy, nil
	}
	return rule
}

// datasets checks a list of datasets.
func (c *specCompiler) datasets(names, at []string) []string {
	for i, name := range names {
		ds := c.model.Dataset(name)
		switch {
		case ds == nil:
			c.add("there is no dataset %q", []any{name}, at...)
		case ds.Entity != c.entity.Name:
			c.add("dataset %s is of class %s, not %s", []any{name, ds.Entity, c.entity.Name}, at...)
		case ds.Class != ClassRecord:
			c.add("dataset %s has events, which hold no attributes of profiles", []any{name}, at...)
		case slices.Contains(names[:i], name):
			c.add("dataset %s is listed twice", []any{name}, at...)
		}
	}
	return slices.Clone(names)
}

// override compiles a pattern: a path, or with .* at its end all that lies below one.
func (c *specCompiler) override(pattern string, spec RuleSpec, outer profile.Rule) (
	o profile.Override, ok bool) {
	at := []string{"overrides", pattern}
	before := len(c.errs)
	text, below := strings.CutSuffix(pattern, ".*")
	o.Path, o.Below = profile.ParsePath(text), below
	if o.Path == "" || text == "*" {
		c.add("want a path, or a path and .* for all below it; the policy's own strategy is for "+
			"everything else", nil, at...)
		return o, false
	}
	if spec.Strategy == "" && spec.Precedence == nil && !spec.Union {
		c.add("says nothing: want strategy, precedence or union", nil, at...)
	}
	if spec.Union && spec.Strategy == "earliest" {
		c.add("union takes all arrays, earliest one: want one of both", nil, key(at, "union")...)
	}
	o.Rule = c.rule(spec, outer, at...)
	if c.union != nil {
		c.checkPlace(o, at)
	}
	return o, len(c.errs) == before
}

// checkPlace sees to it that an override can match something.
func (c *specCompiler) checkPlace(o profile.Override, at []string) {
	place, known := c.union.Schema().Lookup(o.Path)
	if !known {
		c.add("the union schema of class %s has no path %s", []any{c.entity.Name, o.Path}, at...)
		return
	}
	inner := place.Kind == schemas.KindRecord || place.Kind == schemas.KindMap
	switch {
	case o.Below && !inner:
		c.add("%s is no record or map: nothing lies below it", []any{o.Path}, at...)
	case !o.Below && inner:
		c.add("%s is a %s, and attributes are what lies below: write %s.*",
			[]any{o.Path, place.Kind, o.Path}, at...)
	case !o.Below && o.Rule.Union && place.Kind != schemas.KindArray:
		c.add("%s is no array, union is for arrays", []any{o.Path}, key(at, "union")...)
	}
}

// key is a key below another.
func key(at []string, name string) []string { return append(slices.Clone(at), name) }
