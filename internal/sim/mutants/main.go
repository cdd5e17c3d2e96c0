// Command mutants is the gate of the simulation: it plants known bugs in the engine, one at a time,
// and runs the simulation against each. One that is not found is a hole in the simulation.
//
// The engine itself knows nothing of them: a mutant is a piece of text in a file and what stands in
// its place, and the compiler is given the changed file in the place of the real one (go test
// -overlay). A test sees to it that each still fits the code.
//
//	go run ./internal/sim/mutants            all of them
//	go run ./internal/sim/mutants NAME...    some of them
//	go run ./internal/sim/mutants -pick 4    four of them, others tomorrow
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	seeds := flag.Int("n", 1500, "how many seeds are run against each mutant at the most")
	seed := flag.Uint64("seed", 1, "the first seed")
	pick := flag.Int("pick", 0, "take so many, by turns of days; 0: all, or those that are named")
	flag.Parse()
	names := flag.Args()
	if *pick > 0 {
		names = turn(time.Now().YearDay(), *pick)
	}
	if err := run(names, *seed, *seeds); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// turn names n mutants, so that all have their turn within a few days.
func turn(day, n int) []string {
	var names []string
	for i := range min(n, len(mutants)) {
		names = append(names, mutants[(day*n+i)%len(mutants)].name)
	}
	return names
}

// run tries the named mutants, all where none is named, and prints a line for each.
func run(names []string, seed uint64, seeds int) error {
	root, err := filepath.Abs(".")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	t := trial{root: root, dir: dir, seed: seed, seeds: seeds}
	var survivors []string
	fmt.Printf("%-24s %-12s %6s  %s\n", "mutant", "outcome", "time", "found by")
	for _, m := range mutants {
		if len(names) > 0 && !slices.Contains(names, m.name) {
			continue
		}
		start := time.Now()
		found, err := t.try(m)
		outcome := "found"
		if err != nil {
			outcome, found = "ERROR", err.Error()
		} else if found == "" {
			outcome = "NOT FOUND"
		}
		if outcome != "found" {
			survivors = append(survivors, m.name)
		}
		fmt.Printf("%-24s %-12s %5.0fs  %s\n", m.name, outcome, time.Since(start).Seconds(), found)
	}
	if len(survivors) > 0 {
		return fmt.Errorf("not found: %s", strings.Join(survivors, ", "))
	}
	return nil
}

// trial runs the simulation against mutants.
type trial struct {
	root, dir string // of the module, of temporary files
	seed      uint64
	seeds     int
}

// try returns what has found m, "" where nothing has.
func (t *trial) try(m mutant) (found string, err error) {
	overlay, err := t.overlay(m)
	if err != nil {
		return "", err
	}
	for _, test := range []string{"TestRegressions", "TestSimulation", "TestCrashMatrix",
		"TestCrashWhileSending"} {
		if found, err = t.test(overlay, test); found != "" || err != nil {
			return found, err
		}
	}
	return "", nil
}

// test runs one test and returns what it complains of.
func (t *trial) test(overlay, name string) (found string, err error) {
	args := []string{"test", "-count=1", "-timeout=10m", "-short", "-overlay=" + overlay,
		"-run=^" + name + "$", "./internal/sim", "-sim.noshrink",
		"-sim.seed=" + strconv.FormatUint(t.seed, 10), "-sim.n=" + strconv.Itoa(t.seeds)}
	cmd := exec.CommandContext(context.Background(), "go", args...)
	cmd.Dir = t.root
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	switch {
	case err == nil:
		return "", nil
	case !errors.As(err, &failed), strings.Contains(string(out), "[build failed]"):
		return "", fmt.Errorf("running the simulation: %w\n%s", err, out)
	}
	return firstComplaint(string(out)), nil
}

// overlay writes the changed file and the list that tells the compiler of it.
func (t *trial) overlay(m mutant) (list string, err error) {
	path := filepath.Join(t.root, m.file)
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	changed, err := m.apply(string(source))
	if err != nil {
		return "", err
	}
	file := filepath.Join(t.dir, m.name+".go")
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {path: file}})
	if err != nil {
		return "", err
	}
	list = filepath.Join(t.dir, m.name+".json")
	return list, os.WriteFile(list, text, 0o600)
}

// location is the place in a test that a line of its output begins with.
var location = regexp.MustCompile(`^\s*\w+_test\.go:\d+:\s*`)

// firstComplaint is the first thing that a failed test says, with the line that follows.
func firstComplaint(out string) string {
	lines := strings.Split(out, "\n")
	for i, line := range lines {
		if !location.MatchString(line) {
			if strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") {
				return shorten(line)
			}
			continue
		}
		said := location.ReplaceAllString(line, "")
		if i+1 < len(lines) {
			said += " " + strings.TrimSpace(lines[i+1])
		}
		return shorten(said)
	}
	return "a failure without a word"
}

func shorten(s string) string {
	const width = 110
	if len(s) > width {
		return s[:width] + "..."
	}
	return s
}
