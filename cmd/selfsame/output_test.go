package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func say(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

// kindOf is the kind of what is at a path, links not followed.
func kindOf(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Type()
}

// TestOutputToFIFO: what is not a file is written to, directly and through a link, and stays.
func TestOutputToFIFO(t *testing.T) {
	dir := t.TempDir()
	fifo, link := filepath.Join(dir, "fifo"), filepath.Join(dir, "link")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Skip("no FIFOs here:", err)
	}
	if err := os.Symlink("fifo", link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, link} {
		// Opened for both directions neither end waits for the other.
		end, err := os.OpenFile(fifo, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := writeOutput(path, say("all")); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if kindOf(t, fifo) != os.ModeNamedPipe || kindOf(t, link) != os.ModeSymlink {
			t.Fatalf("%s: the FIFO or the link was replaced", path)
		}
		got := make([]byte, 3)
		if _, err := io.ReadFull(end, got); err != nil || string(got) != "all" {
			t.Errorf("%s: read %q, %v", path, got, err)
		}
		failure := errors.New("cut")
		err = writeOutput(path, func(io.Writer) error { return failure })
		if !errors.Is(err, failure) {
			t.Errorf("%s: a failure was answered with %v", path, err)
		}
		if err := end.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOutputThroughLink: the file that a link names is replaced, and the link stays.
func TestOutputThroughLink(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	file, link := filepath.Join(dir, "sub", "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join("sub", "file"), link); err != nil {
		t.Fatal(err)
	}
	if err := writeOutput(link, say("after")); err != nil {
		t.Fatal(err)
	}
	if kindOf(t, link) != os.ModeSymlink {
		t.Error("the link was replaced")
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "after" {
		t.Errorf("the file holds %q, %v", text, err)
	}
	fresh := filepath.Join(dir, "fresh")
	if err := writeOutput(fresh, say("new")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(fresh); err != nil || string(text) != "new" {
		t.Errorf("a new file holds %q, %v", text, err)
	}
}
