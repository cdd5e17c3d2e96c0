package lint

import (
	"go/ast"
	"path"
	"slices"
	"strconv"
	"strings"
)

// layers are the top-level packages; imports point down only. What is not listed and not outside
// has no place yet, and is reported.
var layers = map[string]int{
	"cmd":    6,
	"config": 5,
	"kafka":  4, "broker": 4, "api": 4, "console": 4, "registry": 4,
	"pipeline": 3,
	"store":    2,
	"identity": 1, "computed": 1, "schemas": 1,
	"profile": 0,
}

// outside are the directories that may import from any layer.
var outside = []string{"internal", "examples", "integration", "bench"}

// testOnly are packages that serve tests and tools; what the daemon is made of must not need them.
var testOnly = []string{"lint", "sim", "conformance", "realkafka", "realregistry", "javaproc",
	"memlog", "simlog", "story"}

// purest is the highest layer without clock, goroutine, randomness and I/O.
const purest = 1

// library says who may import a library, apart from tests.
type library struct {
	prefix string
	users  []string // directories, with what lies below them
}

var libraries = []library{
	{"github.com/linkedin/goavro", []string{"schemas", "examples"}},
	{"github.com/klauspost/compress", []string{"schemas"}},
	// Filters are checked and evaluated, and decimals added up, in one place.
	{"cel.dev/cel-go", []string{"computed"}},
	{"github.com/google/cel-go", nil}, // its former name
	{"github.com/cockroachdb/apd", []string{"computed"}},
	{"github.com/cockroachdb/pebble/v2/vfs", []string{"store", "bench", "internal/sim"}},
	// The benchmark compares the pipeline with the bare engine.
	{"github.com/cockroachdb/pebble", []string{"store", "bench"}},
	{"github.com/segmentio/kafka-go", []string{"kafka", "internal"}},
	{"github.com/twmb/franz-go/pkg/kfake", []string{"broker"}},
	{"github.com/twmb/franz-go/pkg/kmsg", []string{"kafka", "broker", "internal"}},
	{"github.com/twmb/franz-go/", []string{"kafka", "broker", "internal"}},
}

// impure are the imports that make a result depend on more than its arguments.
var impure = []string{"math/rand", "crypto/rand", "os", "net", "syscall", "log", "sync/atomic"}

// unwanted are libraries that no file may import, tests included.
var unwanted = []string{"github.com/stretchr/testify", "github.com/golang/mock", "go.uber.org/mock"}

// clock are the functions of package time that read or wait for the clock.
var clock = []string{"Now", "Since", "Until", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker",
	"Sleep"}

func layerRules() []rule {
	return []rule{
		{
			name: "imports point down", check: checkLayers,
			bad: map[string]string{
				"store/a.go":     "package store\nimport _ \"selfsame/pipeline\"",
				"api/b.go":       "package api\nimport _ \"selfsame/console\"",
				"profile/c.go":   "package profile\nimport _ \"golang.org/x/text\"",
				"profile/d.go":   "package profile\nimport _ \"selfsame/internal/lifecycle\"",
				"pipeline/e.go":  "package pipeline\nimport _ \"selfsame/internal/sim\"",
				"warehouse/f.go": "package warehouse",
			},
			good: map[string]string{
				"store/a.go":        "package store\nimport _ \"selfsame/profile\"",
				"store/a_test.go":   "package store\nimport _ \"selfsame/pipeline\"",
				"cmd/selfsame/a.go": "package main\nimport _ \"selfsame/config\"",
				"schemas/avro/b.go": "package avro\nimport _ \"selfsame/schemas\"",
				"internal/sim/c.go": "package sim\nimport _ \"selfsame/pipeline\"",
				"profile/d.go":      "package profile\nimport _ \"encoding/json\"",
				"pipeline/e.go":     "package pipeline\nimport _ \"selfsame/internal/lifecycle\"",
				"examples/x/f.go":   "package x\nimport _ \"selfsame/config\"",
			},
		},
		{
			name: "libraries stay in their packages", check: checkLibraries,
			bad: map[string]string{
				"store/a.go":      "package store\nimport _ \"github.com/linkedin/goavro/v2\"",
				"kafka/b.go":      "package kafka\nimport _ \"github.com/cockroachdb/pebble/v2\"",
				"cmd/x/c.go":      "package main\nimport _ \"github.com/segmentio/kafka-go\"",
				"kafka/d.go":      "package kafka\nimport _ \"github.com/twmb/franz-go/pkg/kfake\"",
				"store/e_test.go": "package store\nimport _ \"github.com/stretchr/testify\"",
				"kafka/f.go":      "package f\nimport _ \"github.com/cockroachdb/pebble/v2/vfs\"",
				"config/g.go":     "package config\nimport _ \"cel.dev/cel-go/cel\"",
				"computed/h.go":   "package computed\nimport _ \"github.com/google/cel-go/cel\"",
				"pipeline/i.go":   "package pipeline\nimport _ \"github.com/cockroachdb/apd/v3\"",
			},
			good: map[string]string{
				"schemas/a.go":    "package schemas\nimport _ \"github.com/linkedin/goavro/v2\"",
				"computed/a.go":   "package computed\nimport _ \"cel.dev/cel-go/cel\"",
				"store/b.go":      "package store\nimport _ \"github.com/cockroachdb/pebble/v2\"",
				"kafka/c.go":      "package kafka\nimport _ \"github.com/twmb/franz-go/pkg/kmsg\"",
				"store/d_test.go": "package store\nimport _ \"github.com/linkedin/goavro/v2\"",
			},
		},
		{
			name: "pure packages stay pure", check: checkPurity,
			bad: map[string]string{
				"profile/a.go":  "package profile\nimport _ \"math/rand/v2\"",
				"identity/b.go": "package identity\nimport \"time\"\nvar _ = time.Now",
				"computed/c.go": "package computed\nfunc f() { go f() }",
				"schemas/d.go":  "package schemas\nimport _ \"net/http\"",
				"schemas/e.go":  "package schemas\nimport \"sync\"\nvar _ sync.Mutex",
				"identity/f.go": "package identity\nvar c chan int",
				"identity/g.go": "package identity\nimport clock \"time\"\nvar _ = clock.Now",
			},
			good: map[string]string{
				"profile/a.go":      "package profile\nimport \"time\"\nvar _ = time.Unix",
				"schemas/b.go":      "package schemas\nimport \"sync\"\nvar _ sync.Pool",
				"store/c.go":        "package store\nimport \"time\"\nvar _ = time.Now",
				"profile/d_test.go": "package profile\nimport _ \"math/rand/v2\"",
			},
		},
	}
}

func (l library) serves(dir string) bool {
	return slices.ContainsFunc(l.users, func(user string) bool {
		return dir == user || strings.HasPrefix(dir, user+"/")
	})
}

// imports lists the import paths of f with the local names they have.
func imports(f *file) map[string]*ast.ImportSpec {
	all := map[string]*ast.ImportSpec{}
	for _, spec := range f.ast.Imports {
		if name, err := strconv.Unquote(spec.Path.Value); err == nil {
			all[name] = spec
		}
	}
	return all
}

// own returns the directory of an import of this module.
func own(imported string) (dir string, ok bool) { return strings.CutPrefix(imported, "selfsame/") }

func top(dir string) string { return strings.Split(dir, "/")[0] }

func checkLayers(t *tree) []breach {
	var found []breach
	graph := importGraph(t)
	for _, f := range t.code() {
		name := top(f.dir())
		layer, layered := layers[name]
		switch {
		case slices.Contains(outside, name):
			continue
		case !layered:
			found = append(found, f.breach(f.ast.Package, "directory %s has no layer", name))
			continue
		}
		for imported, spec := range imports(f) {
			if wrong := upward(graph, f.dir(), layer, imported); wrong != "" {
				found = append(found,
					f.breach(spec.Pos(), "%s imports %s: %s", name, imported, wrong))
			}
		}
	}
	return found
}

// importGraph is which directories of the module each directory imports, tests apart.
func importGraph(t *tree) map[string][]string {
	graph := map[string][]string{}
	for _, f := range t.code() {
		for imported := range imports(f) {
			if dir, ok := own(imported); ok {
				graph[f.dir()] = append(graph[f.dir()], dir)
			}
		}
	}
	return graph
}

// upward says what is wrong with an import from a layer, "" if nothing is. Packages in internal are
// looked through, so that none can carry a dependency upwards.
func upward(graph map[string][]string, from string, layer int, imported string) string {
	dir, ok := own(imported)
	switch {
	case !ok && layer == 0 && strings.Contains(top(imported), "."):
		return "layer 0 has the standard library only"
	case !ok || top(dir) == top(from):
		return ""
	case top(dir) == "internal" && layer <= purest:
		return "the pure layers need nothing internal"
	case top(dir) == "internal" && layer < layers["cmd"] && isTestOnly(dir):
		return "it is for tests and tools"
	case top(dir) == "internal":
		for _, next := range graph[dir] {
			if wrong := upward(graph, dir, layer, "selfsame/"+next); wrong != "" {
				return "through it " + next + ": " + wrong
			}
		}
		return ""
	case slices.Contains(outside, top(dir)) && layer < layers["cmd"]:
		return "it is not part of the daemon"
	case layers[top(dir)] >= layer && !slices.Contains(outside, top(dir)):
		return "imports point down only"
	}
	return ""
}

func isTestOnly(dir string) bool { return slices.Contains(testOnly, path.Base(dir)) }

func checkLibraries(t *tree) []breach {
	var found []breach
	for _, f := range t.goFiles() {
		for imported, spec := range imports(f) {
			if hasPrefix(unwanted, imported) {
				found = append(found, f.breach(spec.Pos(), "%s is not used here", imported))
			}
			i := slices.IndexFunc(libraries, func(l library) bool {
				return strings.HasPrefix(imported, l.prefix)
			})
			if i < 0 || f.test() || libraries[i].serves(f.dir()) {
				continue
			}
			found = append(found, f.breach(spec.Pos(), "only %s may import %s",
				strings.Join(libraries[i].users, ", "), imported))
		}
	}
	return found
}

func checkPurity(t *tree) []breach {
	var found []breach
	for _, f := range t.code() {
		if layer, ok := layers[top(f.dir())]; !ok || layer > purest {
			continue
		}
		for imported, spec := range imports(f) {
			if hasPrefix(impure, imported) {
				found = append(found, f.breach(spec.Pos(), "a pure package imports %s", imported))
			}
		}
		found = append(found, impureNodes(f)...)
	}
	return found
}

func hasPrefix(prefixes []string, imported string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool {
		return imported == p || strings.HasPrefix(imported, p+"/")
	})
}

func impureNodes(f *file) []breach {
	var found []breach
	timeName, syncName := localName(f, "time"), localName(f, "sync")
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt, *ast.SelectStmt, *ast.ChanType, *ast.SendStmt:
			found = append(found, f.breach(n.Pos(), "a pure package has no goroutines or channels"))
		case *ast.SelectorExpr:
			of, ok := n.X.(*ast.Ident)
			if !ok {
				return true
			}
			if of.Name == timeName && slices.Contains(clock, n.Sel.Name) {
				found = append(found, f.breach(n.Pos(), "a pure package calls time.%s", n.Sel.Name))
			}
			if of.Name == syncName && !memo(n.Sel.Name) {
				found = append(found, f.breach(n.Pos(), "a pure package uses sync.%s", n.Sel.Name))
			}
		}
		return true
	})
	return found
}

// memo reports whether something of package sync only saves work.
func memo(name string) bool { return name == "Pool" || strings.HasPrefix(name, "Once") }

// localName is what f calls a package of the standard library, "" where it does not import it.
func localName(f *file, imported string) string {
	spec, ok := imports(f)[imported]
	switch {
	case !ok:
		return ""
	case spec.Name != nil:
		return spec.Name.Name
	}
	return path.Base(imported)
}
