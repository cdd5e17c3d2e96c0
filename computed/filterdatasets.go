package computed

import (
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// datasetName is what a filter calls the dataset of an event.
const datasetName = "dataset"

// checkCompared sees to it that a filter compares the dataset with those only whose events count:
// any other name is a mistake, and would silently let nothing pass, or all.
func (c *checker) checkCompared(checked *cel.Ast) {
	native := checked.NativeRep()
	if c.class.Accepted || len(c.def.Datasets) == 0 || bindsDataset(native.Expr()) {
		return
	}
	ast.PreOrderVisit(native.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		for _, one := range comparedWithDataset(e) {
			name, ok := textOf(one)
			if !ok || slices.Contains(c.def.Datasets, name) {
				continue
			}
			at := native.SourceInfo().GetStartLocation(one.ID())
			c.failAt("filter", at.Line(), at.Column()+1, strconv.Quote(name)+
				" is no dataset of the attribute: its events are of "+
				strings.Join(c.def.Datasets, ", "))
		}
	}))
}

// bindsDataset reports whether a macro over a list calls its items so.
func bindsDataset(e ast.Expr) bool {
	found := false
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.ComprehensionKind {
			loop := e.AsComprehension()
			found = found || loop.IterVar() == datasetName || loop.IterVar2() == datasetName
		}
	}))
	return found
}

// comparedWithDataset lists what an expression compares the dataset with.
func comparedWithDataset(e ast.Expr) []ast.Expr {
	if e.Kind() != ast.CallKind || len(e.AsCall().Args()) != 2 {
		return nil
	}
	left, right := e.AsCall().Args()[0], e.AsCall().Args()[1]
	switch e.AsCall().FunctionName() {
	case operators.Equals, operators.NotEquals:
		switch {
		case isDataset(left):
			return []ast.Expr{right}
		case isDataset(right):
			return []ast.Expr{left}
		}
	case operators.In:
		if isDataset(left) && right.Kind() == ast.ListKind {
			return right.AsList().Elements()
		}
	}
	return nil
}

func isDataset(e ast.Expr) bool {
	return e.Kind() == ast.IdentKind && e.AsIdent() == datasetName
}

// textOf is the text that an expression is, where it is one.
func textOf(e ast.Expr) (text string, ok bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}
