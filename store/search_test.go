package store

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestNameOfSpace: every key space and every kind of row that the package declares has a name of
// its own.
func TestNameOfSpace(t *testing.T) {
	sources, err := filepath.Glob("*.go")
	if err != nil || len(sources) == 0 {
		t.Fatal("no sources: ", err)
	}
	names := map[string]string{}
	check := func(constant string, key []byte) {
		name := nameOfSpace(key)
		if other, taken := names[name]; taken || name == "" {
			t.Errorf("%s is named %q, as is %q", constant, name, other)
		}
		names[name] = constant
	}
	inspect := func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		constant := spec.Names[0].Name
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok || strings.HasPrefix(constant, "rowVersion") {
			return true
		}
		switch {
		case strings.HasPrefix(constant, "space") && literal.Kind == token.CHAR:
			space, _, _, err := strconv.UnquoteChar(strings.Trim(literal.Value, "'"), '\'')
			if err != nil {
				t.Fatal(err)
			}
			if space != spaceData {
				check(constant, []byte{byte(space)})
			}
		case strings.HasPrefix(constant, "row") && literal.Kind == token.INT:
			kind, err := strconv.Atoi(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			key := appendText([]byte{spaceData, 0, 1, 0, 2}, "value")
			check(constant, append(key, byte(kind)))
		}
		return true
	}
	for _, source := range sources {
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, inspect)
	}
	if len(names) < 20 {
		t.Errorf("found %d names", len(names))
	}
}
