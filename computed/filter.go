package computed

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// maxFilterCost bounds the work of a filter with a macro over lists on one event, in the units of
// CEL. It is the same on every machine.
const maxFilterCost = 1_000_000

// filter is a checked CEL expression over an event.
type filter struct {
	program cel.Program
	root    *Type
}

// checkFilter returns the filter, nil without one or with a wrong one.
func (c *checker) checkFilter() *filter {
	text := c.def.Filter
	if strings.TrimSpace(text) == "" {
		return nil
	}
	if len(text) > MaxFilterLength {
		c.fail("filter", "longer than %d characters", MaxFilterLength)
		return nil
	}
	env, err := environment(c.class.Type)
	if err != nil {
		c.fail("filter", "%s", reason(err))
		return nil
	}
	checked := c.compileFilter(env, text)
	if checked == nil {
		return nil
	}
	if checked.OutputType() != cel.BoolType {
		c.failAt("filter", 1, 1, "want an expression that is true or false, not of type "+
			checked.OutputType().String())
		return nil
	}
	c.checkCompared(checked)
	seen := survey(checked)
	if seen.makes != nil {
		c.failAt("filter", seen.makes.Line(), seen.makes.Column()+1, "a filter cannot make records")
		return nil
	}
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if seen.loops {
		options = append(options, cel.CostLimit(maxFilterCost))
	}
	program, err := env.Program(checked, options...)
	if err != nil {
		c.failAt("filter", 1, 1, oneLine(err.Error()))
		return nil
	}
	return &filter{program: program, root: c.class.Type}
}

// compileFilter parses and checks; nil where there is something wrong.
func (c *checker) compileFilter(env *cel.Env, text string) *cel.Ast {
	parsed, issues := env.Parse(text)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			c.failAt("filter", e.Location.Line(), e.Location.Column()+1, oneLine(e.Message))
		}
		return nil
	}
	checked, issues := env.Check(parsed)
	if issues.Err() == nil {
		return checked
	}
	names := callNames(parsed)
	for _, e := range issues.Errors() {
		at := beforeCall(text, e.Location, names[e.ExprID])
		c.failAt("filter", e.Location.Line(), at+1, oneLine(e.Message))
	}
	return nil
}

// callNames are the names of the functions that are called by name, by the expression's id.
func callNames(parsed *cel.Ast) map[int64]string {
	names := map[int64]string{}
	ast.PreOrderVisit(parsed.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.CallKind && !e.AsCall().IsMemberFunction() {
			names[e.ID()] = e.AsCall().FunctionName()
		}
	}))
	return names
}

// beforeCall returns the column, from 0, at which a call begins: CEL points at its parenthesis.
func beforeCall(text string, at common.Location, name string) int {
	lines := strings.Split(text, "\n")
	if name == "" || at.Line() < 1 || at.Line() > len(lines) {
		return at.Column()
	}
	line := []rune(lines[at.Line()-1])
	if at.Column() >= len(line) || line[at.Column()] != '(' {
		return at.Column()
	}
	before := strings.TrimRight(string(line[:at.Column()]), " \t")
	if !strings.HasSuffix(before, name) {
		return at.Column()
	}
	return utf8.RuneCountInString(strings.TrimSuffix(before, name))
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// traits is what an expression does that matters here.
type traits struct {
	loops bool            // it goes through lists or maps
	makes common.Location // where it makes a record; nil where it makes none
}

func survey(checked *cel.Ast) traits {
	var seen traits
	native := checked.NativeRep()
	ast.PreOrderVisit(native.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.ComprehensionKind:
			seen.loops = true
		case ast.StructKind:
			seen.makes = native.SourceInfo().GetStartLocation(e.ID())
		}
	}))
	return seen
}

// environment declares what filters may speak of.
func environment(root *Type) (*cel.Env, error) {
	provider, err := newProvider(root)
	if err != nil {
		return nil, err
	}
	env, err := cel.NewEnv(
		cel.CustomTypeProvider(provider),
		cel.Variable("event", types.NewObjectType(rootName)),
		cel.Variable("dataset", cel.StringType),
		cel.Variable("time", cel.TimestampType),
		cel.CrossTypeNumericComparisons(true),
		cel.EnableIdentifierEscapeSyntax(),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateTimestampLiterals(),
			cel.ValidateDurationLiterals(), cel.ValidateHomogeneousAggregateLiterals()),
	)
	if err != nil {
		return nil, fmt.Errorf("preparing the language of filters: %w", err)
	}
	return env, nil
}

// passes evaluates the filter. ok is false where it met a field that is not there, or failed
// otherwise.
func (f *filter) passes(e *Event) (pass, ok bool) {
	// A copy of an event has what was seen of that one.
	if e.seen == nil || e.seen.event != e || e.seen.record.typ != f.root {
		e.seen = &variables{event: e, record: record{value: e.Body, typ: f.root}}
	}
	out, _, err := f.program.Eval(e.seen)
	if err != nil {
		return false, false
	}
	b, ok := out.(types.Bool)
	return bool(b), ok
}

// variables are the names that a filter may use. Those of an event serve all filters of its class.
type variables struct {
	event  *Event
	record record
}

// ResolveName implements cel.Activation.
func (v *variables) ResolveName(name string) (any, bool) {
	switch name {
	case "event":
		return &v.record, true
	case "dataset":
		return types.String(v.event.Dataset), true
	case "time":
		return types.Timestamp{Time: time.Unix(0, v.event.Time).UTC()}, true
	}
	return nil, false
}

// Parent implements cel.Activation.
func (v *variables) Parent() cel.Activation { return nil }
