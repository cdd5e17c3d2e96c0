package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"selfsame/config"
)

func newInit() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a starting configuration with a fresh id key",
		Long: `Writes selfsame.yaml, id.key and an example schema into a directory. Files
that exist are never overwritten.

The id key makes profile ids: keep a copy of it as safe as your data. A store that is rebuilt
with the same key yields the same ids.`,
		Example: "  selfsame init --dir /etc/selfsame",
		Args:    exactly(0),
		RunE: func(*cobra.Command, []string) error {
			key, err := newIDKey()
			if err != nil {
				return err
			}
			files := config.Starter()
			files["id.key"] = []byte(key + "\n")
			return writeNew(dir, files)
		},
	}
	c.Flags().StringVar(&dir, "dir", ".", "directory to write to")
	return c
}

// writeNew writes files below dir, all or none: it refuses when one of them exists.
func writeNew(dir string, files map[string][]byte) error {
	for name := range files {
		path := filepath.Join(dir, name)
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s exists already; nothing was written", path)
		}
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, modeOf(name)); err != nil {
			return err
		}
		fmt.Println("wrote", path)
	}
	return nil
}

func randomBytes(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := rand.Read(b)
	return b, err
}

func modeOf(name string) fs.FileMode {
	if filepath.Ext(name) == ".key" {
		return 0o600
	}
	return 0o644
}
