package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rule is one thing that is checked. bad and good are small trees, path to content: each file of
// bad must be reported by itself, no file of good may be.
type rule struct {
	name  string
	check func(t *tree) []breach
	bad   map[string]string
	good  map[string]string
}

// breach is one place where a rule is not kept.
type breach struct {
	path string
	line int
	text string
}

func (b breach) String() string { return fmt.Sprintf("%s:%d: %s", b.path, b.line, b.text) }

func rules() []rule {
	return slices.Concat(layerRules(), budgetRules(), namingRules(), stateRules(),
		linkRules())
}

func TestTidy(t *testing.T) {
	repository, err := readTree(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			for _, b := range r.check(repository) {
				t.Error(b)
			}
		})
	}
}

// TestRulesCanFail proves of each rule that it sees what it is there for, and no more.
func TestRulesCanFail(t *testing.T) {
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			if len(r.bad) == 0 || len(r.good) == 0 {
				t.Fatal("a rule needs a bad and a good snippet")
			}
			for file, source := range r.bad {
				if found := r.check(snippet(t, file, source)); len(found) == 0 {
					t.Errorf("%s is not reported:\n%s", file, source)
				}
			}
			for file, source := range r.good {
				if found := r.check(snippet(t, file, source)); len(found) > 0 {
					t.Errorf("%s is reported: %v\n%s", file, found, source)
				}
			}
		})
	}
}

func TestTreeIsRead(t *testing.T) {
	repository, err := readTree(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"profile/value.go", "internal/lint/doc.go", "go.mod"} {
		if !slices.ContainsFunc(repository.files, func(f *file) bool { return f.path == want }) {
			t.Errorf("the walk has missed %s", want)
		}
	}
}

// tree is the repository, or a snippet in its place.
type tree struct {
	files []*file // sorted by path
}

// file is one text file.
type file struct {
	path  string // from the root, with slashes
	lines []string
	set   *token.FileSet
	ast   *ast.File // nil where it is not Go
}

func (f *file) dir() string  { return path.Dir(f.path) }
func (f *file) test() bool   { return strings.HasSuffix(f.path, "_test.go") }
func (f *file) isMain() bool { return f.ast.Name.Name == "main" }

func (f *file) line(pos token.Pos) int { return f.set.Position(pos).Line }

func (f *file) breach(pos token.Pos, format string, args ...any) breach {
	return breach{path: f.path, line: f.line(pos), text: fmt.Sprintf(format, args...)}
}

// goFiles are the Go files, tests among them.
func (t *tree) goFiles() []*file {
	return filter(t.files, func(f *file) bool { return f.ast != nil })
}

// code is the Go files that are no tests.
func (t *tree) code() []*file {
	return filter(t.files, func(f *file) bool { return f.ast != nil && !f.test() })
}

func filter(files []*file, keep func(f *file) bool) []*file {
	var kept []*file
	for _, f := range files {
		if keep(f) {
			kept = append(kept, f)
		}
	}
	return kept
}

// textTypes are the files other than Go that are read, by how their names end.
var textTypes = []string{".go", ".md", ".yaml", ".yml", ".avsc", ".js", ".css", ".html", ".mod",
	"Makefile", "Dockerfile", ".ci/run"}

// skipped are directories that hold what nobody wrote here, or what is text on purpose.
var skipped = []string{".git", "bin", "data", "testdata", "vendor", "node_modules", ".cache"}

func isText(name string) bool {
	return slices.ContainsFunc(textTypes, func(s string) bool { return strings.HasSuffix(name, s) })
}

func readTree(root string) (*tree, error) {
	t := &tree{}
	set := token.NewFileSet()
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains(skipped, entry.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)
		if !isText(relative) {
			return nil
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return t.add(set, relative, string(source))
	})
	return t, err
}

// add parses one file. What the tag deps guards is left out: it only pins dependencies.
func (t *tree) add(set *token.FileSet, name, source string) error {
	f := &file{path: name, lines: strings.Split(source, "\n"), set: set}
	if strings.HasSuffix(name, ".go") {
		if strings.HasPrefix(source, "//go:build deps") {
			return nil
		}
		parsed, err := parser.ParseFile(set, name, source, parser.ParseComments)
		if err != nil {
			return err
		}
		f.ast = parsed
	}
	t.files = append(t.files, f)
	return nil
}

// snippet is a tree of one file. A snippet that does not say otherwise is of package p.
func snippet(t *testing.T, name, source string) *tree {
	t.Helper()
	if strings.HasSuffix(name, ".go") && !strings.Contains(source, "package ") {
		source = "package p\n" + source
	}
	made := &tree{}
	if err := made.add(token.NewFileSet(), name, source); err != nil {
		t.Fatalf("snippet %s: %v", name, err)
	}
	return made
}

// callee is the name of what a call calls: "panic", "errors.New", "wg.Go". Anything else is "".
func callee(call *ast.CallExpr) string {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		return fun.Name
	case *ast.SelectorExpr:
		if of, ok := fun.X.(*ast.Ident); ok {
			return of.Name + "." + fun.Sel.Name
		}
		return "." + fun.Sel.Name
	}
	return ""
}

// each calls visit with every node of type T in f.
func each[T ast.Node](f *file, visit func(n T)) {
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if typed, ok := n.(T); ok {
			visit(typed)
		}
		return true
	})
}
