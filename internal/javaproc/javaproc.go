// Package javaproc runs Java servers as child processes of tests. Only tests, and the harnesses
// that they use, import it.
//
// Guarantees:
//  1. A server dies with the process that started it, however that ends, and its directory with it
//     unless it belongs to someone else.
//  2. What Maven fetches is kept in one cache, and fetched once.
package javaproc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// ErrUnavailable says that this machine cannot run Java servers.
var ErrUnavailable = errors.New("unavailable")

const resolveTimeout = 10 * time.Minute

var javaVersion = regexp.MustCompile(`version "(\d+)`)

// Check reports what is missing to run and to fetch a server. ErrUnavailable where something is.
func Check() error {
	for _, tool := range []string{"sh", "tar", "java", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("java %w: %s is not installed", ErrUnavailable, tool)
		}
	}
	out, err := exec.Command("java", "-version").CombinedOutput()
	m := javaVersion.FindSubmatch(out)
	if err != nil || m == nil {
		return fmt.Errorf("java %w: it does not tell its version", ErrUnavailable)
	}
	if major, _ := strconv.Atoi(string(m[1])); major < 17 {
		return fmt.Errorf("java %w: it is %d, 17 is needed", ErrUnavailable, major)
	}
	return nil
}

// Resolve returns a directory of the cache. The first time, fetch fills its sub-directory out
// below the directory it is given.
func Resolve(name string, fetch func(work string) error) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(cache, "resolving-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := fetch(work); err != nil {
		return "", err
	}
	// Another process can have been faster: its directory is as good.
	if err := os.Rename(filepath.Join(work, "out"), dir); err != nil {
		if _, statErr := os.Stat(dir); statErr != nil {
			return "", err
		}
	}
	return dir, nil
}

func cacheDir() (string, error) {
	if dir := os.Getenv("SELFSAME_CACHE"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "selfsame"), err
}

// Maven runs Maven. ErrUnavailable where it fails: what it fetches is not to be had here.
func Maven(args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "mvn", append([]string{"-q", "-B"}, args...)...).
		CombinedOutput()
	if err != nil {
		return fmt.Errorf("java %w: maven fails: %w\n%s", ErrUnavailable, err, out)
	}
	return nil
}

// FreePorts returns ports of the loopback interface that nobody listened on a moment ago.
func FreePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
