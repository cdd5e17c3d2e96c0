package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"testing"
)

// TestMutantsFit: each bug can be planted in the code as it is, and leaves it readable. Whether it
// is found is asked by make mutants.
func TestMutantsFit(t *testing.T) {
	names := map[string]bool{}
	for _, m := range mutants {
		if names[m.name] {
			t.Errorf("%s is there twice", m.name)
		}
		names[m.name] = true
		source, err := os.ReadFile(filepath.Join("..", "..", "..", m.file))
		if err != nil {
			t.Error(err)
			continue
		}
		changed, err := m.apply(string(source))
		if err != nil {
			t.Error(err)
			continue
		}
		if changed == string(source) {
			t.Errorf("%s changes nothing", m.name)
		}
		if _, err := parser.ParseFile(token.NewFileSet(), m.file, changed, 0); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
	if len(names) < 15 {
		t.Errorf("%d mutants are too few", len(names))
	}
}

func TestFirstComplaint(t *testing.T) {
	out := "--- FAIL: TestX\n    sim_test.go:51: seed 4 with \"crash\":\n\tprofile p is\n"
	if got := firstComplaint(out); got != `seed 4 with "crash": profile p is` {
		t.Errorf("%q", got)
	}
}

// TestTurns: within a few days every mutant has its turn.
func TestTurns(t *testing.T) {
	seen := map[string]bool{}
	for day := range len(mutants) {
		for _, name := range turn(day, 4) {
			seen[name] = true
		}
	}
	if len(seen) != len(mutants) {
		t.Errorf("%d of %d mutants have a turn", len(seen), len(mutants))
	}
}
