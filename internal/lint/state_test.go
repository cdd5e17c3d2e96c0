package lint

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// goroutine is one line of the table of goroutines: why a file starts some, who owns them, and how
// they end.
type goroutine struct {
	why, owner, end string
}

// goroutines are the only files that may hold a go statement. Everything else is started through
// internal/lifecycle, which names it and waits for it.
var goroutines = map[string]goroutine{
	"internal/lifecycle/lifecycle.go": {
		why:   "it is how the commands start their tasks",
		owner: "lifecycle.Group",
		end:   "Wait returns after all have, or the process exits",
	},
	"kafka/tail.go": {
		why:   "one reader per partition feeds one sequence",
		owner: "the call that tails",
		end:   "its context",
	},
	"internal/javaproc/process.go": {
		why:   "a timer kills a server that does not stop",
		owner: "the call that stops the server",
		end:   "when the server has stopped",
	},
	"pipeline/wave.go": {
		why:   "batches of different partitions are sent side by side",
		owner: "the call that publishes",
		end:   "it waits for all of them",
	},
	"api/server.go": {
		why:   "it serves while it waits for the end",
		owner: "Server.Serve",
		end:   "Serve waits for it",
	},
	"internal/conformance/continuity.go": {
		why:   "a pipeline runs while its input is changed",
		owner: "the test",
		end:   "stop waits for it, and the test's cleanup stops it",
	},
	"internal/conformance/reading.go": {
		why:   "a fetch has to wait while a record is appended",
		owner: "the test",
		end:   "the test waits for it",
	},
	"internal/conformance/writing.go": {
		why:   "partitions are written concurrently",
		owner: "the test",
		end:   "the test waits for them",
	},
}

// constant are calls whose result nobody changes.
var constant = []string{
	"errors.New", "regexp.MustCompile", "strings.NewReplacer", "crc32.MakeTable", "template.Must",
	"sync.OnceValue", "sync.OnceValues", "big.NewInt", "big.NewRat", "netip.MustParsePrefix",
	"netip.MustParseAddr",
}

func stateRules() []rule {
	return slices.Concat(globalRules(), goroutineRules(), errorRules())
}

func globalRules() []rule {
	return []rule{
		{
			name: "no init functions", check: checkInit,
			bad:  map[string]string{"p/a.go": "func init() {}"},
			good: map[string]string{"p/a.go": "type t int\nfunc (t) init() {}"},
		},
		{
			name: "no dot imports", check: checkDotImports,
			bad:  map[string]string{"p/a_test.go": "import . \"fmt\""},
			good: map[string]string{"p/a.go": "import _ \"embed\""},
		},
		{
			name: "no mutable package state", check: checkGlobals,
			bad: map[string]string{
				"p/a.go": "var count int",
				"p/b.go": "var now = time.Now",
				"p/c.go": "var limit = 5",
				"p/d.go": "var seen = map[string]bool{}\nfunc f() { seen[\"a\"] = true }",
				"p/e.go": "var a, b = []int{1}, x()",
				"p/f.go": "var l = []int{}\nfunc f() { l = append(l, 1) }",
				"p/g.go": "var l = []int{1}\nfunc f() { l[0]++ }",
				"p/h.go": "var l = map[int]int{1: 1}\nfunc f() { delete(l, 1); clear(l) }",
			},
			good: map[string]string{
				"p/a.go":      "var errA = errors.New(\"a\")\nvar r = regexp.MustCompile(`a`)",
				"p/b.go":      "var _ I = T{}\nvar _ I = (*T)(nil)\nfunc f() { _ = f }",
				"p/c.go":      "var t = []int{1}\nfunc f() { t := []int{1}; t[0] = 2 }",
				"p/d.go":      "//go:embed x\nvar x string\nvar b = []byte(\"a\")",
				"p/e.go":      "package main\nvar version = \"dev\"",
				"p/f_test.go": "var n int",
			},
		},
	}
}

func goroutineRules() []rule {
	return []rule{
		{
			name: "go statements are in the table", check: checkGoroutines,
			bad: map[string]string{
				"store/a.go":    "package store\nfunc f() { go f() }",
				"store/b.go":    "package store\nfunc f(wg *sync.WaitGroup) { wg.Go(f) }",
				"store/c.go":    "package store\nfunc f() { time.AfterFunc(1, f) }",
				"kafka/tail.go": "package kafka\nfunc f() {}", // in the table for nothing
			},
			good: map[string]string{
				"kafka/tail.go":   "package kafka\nfunc f() { go f() }",
				"store/a_test.go": "package store\nfunc f() { go f() }",
				"cmd/x/a.go":      "package main\nfunc f() { group.Go(\"http\", serve) }",
			},
		},
		{
			name: "tests do not sleep", check: checkSleep,
			bad:  map[string]string{"p/a_test.go": "func f() { " + sleepCall + "(1) }"},
			good: map[string]string{"p/a_test.go": "func f() { <-time.After(1) }"},
		},
	}
}

func errorRules() []rule {
	return []rule{
		{
			name: "panics name their invariant", check: checkPanics,
			bad: map[string]string{
				"p/a.go": "func f() { panic(1) }",
				"p/b.go": "// invariant: far away\n\n\nfunc f() {\n\tpanic(1)\n}",
			},
			good: map[string]string{
				"p/a.go":      "func f() {\n\tpanic(1) // invariant: never\n}",
				"p/b.go":      "func f() {\n\t// invariant: never\n\tpanic(1)\n}",
				"p/c_test.go": "func f() { panic(1) }",
			},
		},
		{
			name: "errors are wrapped", check: checkWrapping,
			bad: map[string]string{
				"p/a.go": "var _ = fmt.Errorf(\"decoding: %v\", err)",
				"p/b.go": "var _ = fmt.Errorf(\"decoding: %s\", closeErr)",
				"p/c.go": "var _ = fmt.Errorf(\"decoding: %s\", err.Error())",
			},
			good: map[string]string{
				"p/a.go": "var _ = fmt.Errorf(\"decoding: %w\", err)",
				"p/b.go": "var _ = fmt.Errorf(\"offset %d\", offset)",
			},
		},
	}
}

func TestGoroutineTable(t *testing.T) {
	for file, g := range goroutines {
		if g.why == "" || g.owner == "" || g.end == "" {
			t.Errorf("%s: a goroutine has a reason, an owner and an end: %+v", file, g)
		}
	}
}

func checkInit(t *tree) []breach {
	var found []breach
	for _, f := range t.goFiles() {
		each(f, func(d *ast.FuncDecl) {
			if d.Recv == nil && d.Name.Name == "init" {
				found = append(found, f.breach(d.Pos(), "call it from where it is needed"))
			}
		})
	}
	return found
}

func checkDotImports(t *tree) []breach {
	var found []breach
	for _, f := range t.goFiles() {
		for _, spec := range f.ast.Imports {
			if spec.Name != nil && spec.Name.Name == "." {
				found = append(found, f.breach(spec.Pos(), "dot import"))
			}
		}
	}
	return found
}

// checkGlobals reports package-level variables that can change, and changes to the tables among
// them.
func checkGlobals(t *tree) []breach {
	var found []breach
	tables := map[string]map[string]bool{} // by directory: the names of its variables
	for _, f := range t.code() {
		topLevelVars(f, func(d *ast.GenDecl, s *ast.ValueSpec) {
			for i, name := range s.Names {
				if tables[f.dir()] == nil {
					tables[f.dir()] = map[string]bool{}
				}
				tables[f.dir()][name.Name] = true
				if !immutable(f, d, s, i) {
					found = append(found,
						f.breach(name.Pos(), "%s can change: pass it in", name.Name))
				}
			}
		})
	}
	for _, f := range t.code() {
		found = append(found, changes(f, tables[f.dir()])...)
	}
	return found
}

func immutable(f *file, d *ast.GenDecl, s *ast.ValueSpec, i int) bool {
	switch {
	case s.Names[i].Name == "_", embedded(d.Doc), embedded(s.Doc):
		return true
	case f.isMain() && s.Names[i].Name == "version": // set by the linker
		return true
	case len(s.Values) != len(s.Names):
		return false
	}
	value := s.Values[i]
	if address, ok := value.(*ast.UnaryExpr); ok && address.Op == token.AND {
		value = address.X
	}
	switch v := value.(type) {
	case *ast.CompositeLit:
		return true
	case *ast.CallExpr:
		_, conversion := v.Fun.(*ast.ArrayType)
		return conversion || slices.Contains(constant, callee(v))
	}
	return false
}

func embedded(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool {
		return strings.HasPrefix(c.Text, "//go:embed ")
	})
}

// changes finds assignments to package-level variables and to their elements. A name that the
// parser resolved within the file to anything but a package-level variable is another one.
func changes(f *file, tables map[string]bool) []breach {
	var found []breach
	report := func(e ast.Expr) {
		id := root(e)
		if id == nil || id.Name == "_" || !tables[id.Name] {
			return
		}
		if id.Obj != nil && f.ast.Scope.Objects[id.Name] != id.Obj {
			return
		}
		found = append(found, f.breach(id.Pos(), "%s is changed", id.Name))
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				if n.Tok != token.DEFINE {
					report(left)
				}
			}
		case *ast.IncDecStmt:
			report(n.X)
		case *ast.CallExpr:
			if name := callee(n); (name == "delete" || name == "clear") && len(n.Args) > 0 {
				report(n.Args[0])
			}
		}
		return true
	})
	return found
}

// root is the variable at the left end of a.b[c].d.
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

func checkGoroutines(t *tree) []breach {
	var found []breach
	for _, f := range t.code() {
		starts := goroutineStarts(f)
		_, listed := goroutines[f.path]
		if listed && len(starts) == 0 {
			found = append(found, breach{f.path, 1, "no goroutines: take it out of the table"})
		}
		if !listed {
			found = append(found, starts...)
		}
	}
	return found
}

// goroutineStarts finds go statements and what amounts to them: x.Go(f) of a wait group or an error
// group, which is told from lifecycle's Go(name, f) by its one argument, and time.AfterFunc.
func goroutineStarts(f *file) []breach {
	var found []breach
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found = append(found, f.breach(n.Pos(), "go statement: the file is not in the table"))
		case *ast.CallExpr:
			name := callee(n)
			started := strings.HasSuffix(name, ".Go") && len(n.Args) == 1
			if started || name == "time.AfterFunc" {
				found = append(found, f.breach(n.Pos(), "%s: the file is not in the table", name))
			}
		}
		return true
	})
	return found
}

func checkSleep(t *tree) []breach {
	var found []breach
	for _, f := range t.goFiles() {
		each(f, func(call *ast.CallExpr) {
			if f.test() && callee(call) == sleepCall {
				found = append(found, f.breach(call.Pos(), "use testing/synctest, or wait"))
			}
		})
	}
	return found
}

func checkPanics(t *tree) []breach {
	var found []breach
	for _, f := range t.code() {
		each(f, func(call *ast.CallExpr) {
			if callee(call) != "panic" {
				return
			}
			last := f.line(call.Pos())
			reason := func(line string) bool { return strings.Contains(line, "// invariant: ") }
			if !slices.ContainsFunc(f.lines[last-2:last], reason) {
				found = append(found, f.breach(call.Pos(), "panic without \"// invariant: ...\""))
			}
		})
	}
	return found
}

func checkWrapping(t *tree) []breach {
	var found []breach
	for _, f := range t.code() {
		each(f, func(call *ast.CallExpr) {
			if callee(call) != "fmt.Errorf" || len(call.Args) < 2 {
				return
			}
			format, ok := call.Args[0].(*ast.BasicLit)
			if !ok || strings.Contains(format.Value, "%w") {
				return
			}
			if slices.ContainsFunc(call.Args[1:], isError) {
				found = append(found, f.breach(call.Pos(), "an error is formatted without %%w"))
			}
		})
	}
	return found
}

// isError guesses from the name.
func isError(e ast.Expr) bool {
	if call, ok := e.(*ast.CallExpr); ok {
		selector, ok := call.Fun.(*ast.SelectorExpr)
		return ok && selector.Sel.Name == "Error"
	}
	id, ok := e.(*ast.Ident)
	return ok && (id.Name == "err" || strings.HasSuffix(id.Name, "Err"))
}
