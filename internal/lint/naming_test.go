package lint

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
)

// junkDrawers are names that say nothing about what a package is.
var junkDrawers = []string{"util", "utils", "common", "helper", "helpers", "misc"}

var (
	versionTwin = regexp.MustCompile(`_v\d+(_test)?\.go$`)
	// marker is a note to do something later. It is put together here so as not to match itself.
	marker = regexp.MustCompile(`\b(` + "TO" + `DO|FIX` + `ME|X` + `XX)\b`)
)

func namingRules() []rule {
	return []rule{
		{
			name: "exported names are documented", check: checkExported,
			bad: map[string]string{
				"p/a.go": "func F() {}",
				"p/b.go": "type T struct{}",
				"p/c.go": "type t struct{}\n// T is.\ntype T struct{}\nfunc (t *T) M() {}",
				"p/d.go": "const C = 1",
				"p/e.go": "// I is.\ntype I interface{ M() }",
				"p/f.go": "type (\n\tT int\n)",
			},
			good: map[string]string{
				"p/a.go":      "// F is.\nfunc F() {}\ntype t int\nfunc (t t) M() {}",
				"p/b.go":      "// The kinds.\nconst (\n\tA = 1\n\tB = 2\n)\nconst C = 3 // of it",
				"p/c.go":      "// I is.\ntype I interface {\n\tM() // does\n\terror\n}",
				"p/d_test.go": "func TestF() {}",
			},
		},
		{
			name: "packages are documented", check: checkPackageDoc,
			bad: map[string]string{
				"p/a.go": "package p",
				"p/b.go": "// Package p is.\n\npackage p",
				"p/c.go": "// P does something.\npackage p",
			},
			good: map[string]string{
				"p/a.go":      "// Package p is.\npackage p",
				"p/b_test.go": "package p",
				"cmd/c/a.go":  "// Command c does.\npackage main",
			},
		},
		{
			name: "package names say something", check: checkPackageNames,
			bad: map[string]string{
				"util/a.go": "package util", "p/helpers/a.go": "package helpers",
				"p/a.go": "package common", "p/b_test.go": "package misc_test",
			},
			good: map[string]string{"profile/a.go": "package profile"},
		},
		{
			name: "no version twins", check: checkVersionTwins,
			bad:  map[string]string{"p/a_v2.go": "package p", "p/a_v12_test.go": "package p"},
			good: map[string]string{"p/v2.go": "package p", "p/rev2.go": "package p"},
		},
		{
			name: "nothing is left to do", check: checkMarkers,
			bad: map[string]string{
				"p/a.go":    "package p // TO" + "DO: more",
				"docs/a.md": "FIX" + "ME",
				"a.yaml":    "a: 1 # X" + "XX",
			},
			good: map[string]string{"p/a.go": "package p // to do and XX" + "XX are fine"},
		},
	}
}

func checkExported(t *tree) []breach {
	var found []breach
	for _, f := range t.code() {
		for _, decl := range f.ast.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) && d.Doc == nil {
					found = append(found, f.breach(d.Pos(), "%s is not documented", d.Name.Name))
				}
			case *ast.GenDecl:
				found = append(found, undocumented(f, d)...)
			}
		}
	}
	return found
}

// exportedReceiver reports whether d is a function or a method of an exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	exported := false
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			exported = id.IsExported()
			return false
		}
		_, index := n.(*ast.IndexExpr)
		_, star := n.(*ast.StarExpr)
		return index || star
	})
	return exported
}

func undocumented(f *file, d *ast.GenDecl) []breach {
	var found []breach
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			alone := d.Doc != nil && !d.Lparen.IsValid()
			if s.Name.IsExported() && s.Doc == nil && !alone {
				found = append(found, f.breach(s.Pos(), "%s is not documented", s.Name.Name))
			}
			found = append(found, undocumentedMethods(f, s)...)
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if name.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
					found = append(found, f.breach(s.Pos(), "%s is not documented", name.Name))
				}
			}
		}
	}
	return found
}

func undocumentedMethods(f *file, s *ast.TypeSpec) []breach {
	contract, ok := s.Type.(*ast.InterfaceType)
	if !ok || !s.Name.IsExported() {
		return nil
	}
	var found []breach
	for _, method := range contract.Methods.List {
		if len(method.Names) > 0 && method.Doc == nil && method.Comment == nil {
			found = append(found, f.breach(method.Pos(), "%s.%s is not documented",
				s.Name.Name, method.Names[0].Name))
		}
	}
	return found
}

func checkPackageDoc(t *tree) []breach {
	documented := map[string]bool{}
	first := map[string]*file{}
	for _, f := range t.code() {
		dir := f.dir()
		if first[dir] == nil {
			first[dir] = f
		}
		want := "Package " + f.ast.Name.Name + " "
		if f.isMain() {
			want = ""
		}
		if f.ast.Doc != nil && strings.HasPrefix(f.ast.Doc.Text(), want) {
			documented[dir] = true
		}
	}
	var found []breach
	for dir, f := range first {
		if !documented[dir] {
			found = append(found,
				f.breach(f.ast.Package, "package %s has no manual: \"// Package ...\"", dir))
		}
	}
	return found
}

func checkPackageNames(t *tree) []breach {
	var found []breach
	for _, f := range t.goFiles() {
		name := strings.TrimSuffix(f.ast.Name.Name, "_test")
		if slices.Contains(junkDrawers, name) || slices.Contains(junkDrawers, path.Base(f.dir())) {
			found = append(found, f.breach(f.ast.Package, "the package's name says nothing"))
		}
	}
	return found
}

func checkVersionTwins(t *tree) []breach {
	var found []breach
	for _, f := range t.goFiles() {
		if versionTwin.MatchString(f.path) {
			found = append(found, breach{f.path, 1, "replace the first version instead"})
		}
	}
	return found
}

func checkMarkers(t *tree) []breach {
	var found []breach
	for _, f := range t.files {
		for i, line := range f.lines {
			if found1 := marker.FindString(line); found1 != "" {
				found = append(found, breach{f.path, i + 1, found1 + ": do it or leave it"})
			}
		}
	}
	return found
}

// topLevelVars calls visit for each package-level variable declaration of f.
func topLevelVars(f *file, visit func(d *ast.GenDecl, s *ast.ValueSpec)) {
	for _, decl := range f.ast.Decls {
		d, ok := decl.(*ast.GenDecl)
		if !ok || d.Tok != token.VAR {
			continue
		}
		for _, spec := range d.Specs {
			visit(d, spec.(*ast.ValueSpec))
		}
	}
}
