package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// execute runs the program with arguments in the working directory.
func execute(args ...string) error {
	root := newRoot()
	root.SetArgs(args)
	return root.ExecuteContext(context.Background())
}

// TestDemo plays the example end to end: it fails unless every record is accounted for.
func TestDemo(t *testing.T) {
	if err := execute("demo", "--people", "60"); err != nil {
		t.Fatal(err)
	}
}

func TestInitIsFineAndKeepsFiles(t *testing.T) {
	dir := t.TempDir()
	if err := execute("init", "--dir", dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "selfsame.yaml")
	if err := execute("config", "check", "--config", path); err != nil {
		t.Errorf("checking what init wrote: %v", err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "id.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := execute("init", "--dir", dir); err == nil ||
		!strings.Contains(err.Error(), "exists") {
		t.Errorf("a second init: %v", err)
	}
	after, err := os.ReadFile(filepath.Join(dir, "id.key"))
	if err != nil || string(after) != string(before) {
		t.Errorf("the id key changed: %v", err)
	}
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{
		{"get"}, {"get", "nothing"}, {"run", "extra"}, {"run", "--nope"},
		{"export", "--offline", "--api", "localhost:1"},
		{"explain"}, {"explain", "nothing"}, {"explain", "a:b", "c", "d"},
		{"policy", "preview", "--policy", "x.yaml", "nothing"},
		{"policy", "preview", "--policy", "x.yaml", "--sample", "3", "a:b"},
		{"policy", "preview", "--policy", "x.yaml", "--sample", "0"},
		{"control", "forbid_link", "a:b"},
		{"backup", "a", "b"}, {"backup", "../a"}, {"restore"},
		{"tail", "--config", "starter", "--from", "yesterday"},
	} {
		err := execute(args...)
		if args[0] != "tail" && !errors.Is(err, errUsage) || err == nil {
			t.Errorf("%v: %v, want an error of usage", args, err)
		}
	}
	for args, want := range map[string]string{
		"bogus":                  `unknown command "bogus": want one of backup, check, `,
		"exprot":                 `unknown command "exprot"; did you mean export?`,
		"control":                "a command is missing: want one of block, ",
		"control bogus":          `unknown command "bogus": want one of block, `,
		"dataset puase":          `unknown command "puase"; did you mean pause?`,
		"jobs watch":             `unknown command "watch": want one of ls`,
		"schema bogus":           `unknown command "bogus": want one of check, diff, new, union`,
		"config":                 "a command is missing: want one of check",
		"produce":                `required flag(s) "dataset" not set`,
		"policy preview":         `required flag(s) "policy" not set`,
		"schema new":             `required flag(s) "name" not set`,
		"produce -d crm one two": "accepts at most 1 arg(s), received 2",
	} {
		err := execute(strings.Fields(args)...)
		if !errors.Is(err, errUsage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want wrong usage: %s", args, err, want)
		}
	}
	if code := exitCode(errUsage); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	if code := exitCode(errDamaged); code != exitStore {
		t.Errorf("exit code %d", code)
	}
}

// TestControlAliases: an operation also has the name that it has in a record.
func TestControlAliases(t *testing.T) {
	for name, op := range map[string]string{"forbid-link": "forbid_link", "reset-hub": "reset_hub",
		"block": "block_value"} {
		found, _, err := newControl().Find([]string{op})
		if err != nil || found.Name() != name {
			t.Errorf("%s: found %s, %v", op, found.Name(), err)
		}
	}
}
