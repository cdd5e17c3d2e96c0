package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"selfsame/api"
	"selfsame/config"
	"selfsame/store"
)

func newBackup() *cobra.Command {
	var path, address string
	var asJSON bool
	c := &cobra.Command{
		Use:   "backup [NAME]",
		Short: "Have the running daemon make a backup of its store",
		Long: `Asks the running daemon for a backup under data_dir/backups, named after the time
where no name is given, and waits until it is whole and on disk. The daemon goes on working.

A backup shares most of its files with the store, by hard links: it is made at once and takes
little room at first. Copy it to another machine; one on the same disk does not outlive the disk.`,
		Example: "  selfsame backup before-upgrade\n  selfsame backup ls",
		Args:    atMost(1),
		RunE: func(c *cobra.Command, args []string) error {
			name := strings.Join(args, "")
			if len(args) > 0 && store.CheckBackupName(name) != nil {
				return fmt.Errorf("%w: %w", errUsage, store.ErrBackupName)
			}
			client, err := apiClient(path, address)
			if err != nil {
				return err
			}
			return backUp(c.Context(), client, name, asJSON)
		},
	}
	configFlag(c, &path)
	addressFlag(c, &address)
	c.Flags().BoolVar(&asJSON, "json", false, "print what the daemon answers")
	c.AddCommand(newBackupList())
	return c
}

func backUp(ctx context.Context, client *api.Client, name string, asJSON bool) error {
	answer, err := client.Backup(ctx, name)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(os.Stdout, answer)
	}
	var made struct {
		Path    string
		Bytes   int64
		Commit  uint64
		Seconds float64
	}
	if err := json.Unmarshal(answer, &made); err != nil {
		return fmt.Errorf("reading the daemon's answer: %w", err)
	}
	fmt.Printf("%s: %d bytes, commit %d, made in %.1f s\n", made.Path, made.Bytes, made.Commit,
		made.Seconds)
	return nil
}

func newBackupList() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "ls",
		Short: "List the backups in the data directory",
		Args:  exactly(0),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := config.Load(path)
			if err != nil {
				return err
			}
			return listBackups(os.Stdout, cfg)
		},
	}
	configFlag(c, &path)
	return c
}

func listBackups(w io.Writer, cfg *config.Config) error {
	all, others, err := store.Backups(backupsDir(cfg), cfg.StoreOptions())
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tCREATED\tBYTES\tCOMMIT")
	for _, b := range all {
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\n", b.Name, b.Created.Format(time.RFC3339), b.Bytes(),
			b.Commit())
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, name := range others {
		fmt.Fprintf(w, "%s is no complete backup; the next backup removes what ends in .partial\n",
			name)
	}
	return nil
}

func newRestore() *cobra.Command {
	var path string
	var force bool
	c := &cobra.Command{
		Use:   "restore NAME|DIRECTORY",
		Short: "Put a backup in the place of the store of a daemon that is stopped",
		Long: `Makes the store from a backup under data_dir/backups, or from one in another
directory, which has a / in its name. The backup stays as it is. A store that is there already is
refused; --force moves it aside. The result is opened before it takes its place.`,
		Example: "  selfsame restore before-upgrade\n" +
			"  selfsame restore /mnt/copies/20260102T030405Z",
		Args: exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := config.Load(path)
			if err != nil {
				return err
			}
			from, err := backupPlace(cfg, args[0])
			if err != nil {
				return err
			}
			return restore(cfg, from, force)
		},
	}
	configFlag(c, &path)
	c.Flags().BoolVar(&force, "force", false, "move the store that is there aside")
	return c
}

func restore(cfg *config.Config, from string, force bool) error {
	dir, aside := storeDir(cfg), ""
	if force {
		aside = dir + ".before-" + time.Now().UTC().Format("20060102T150405Z")
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	b, err := store.Restore(from, dir, aside, cfg.StoreOptions())
	switch {
	case errors.Is(err, store.ErrLocked):
		return fmt.Errorf("%w: stop the daemon first", err)
	case errors.Is(err, store.ErrNotEmpty):
		return fmt.Errorf("%w: --force moves it aside", err)
	case err != nil:
		return err
	}
	fmt.Printf("restored %s from %s: the state of %s, commit %d\n", dir, from,
		b.Created.Format(time.RFC3339), b.Commit())
	if _, err := os.Stat(aside); aside != "" && err == nil {
		fmt.Printf("the store that was there is in %s; remove it when all is well\n", aside)
	}
	fmt.Println(`Next: selfsame check, then selfsame run. The daemon notices where its store is
older than what was published from it: it consumes the input again from where the backup was,
publishes nothing until it has caught up, and then goes on with greater versions.`)
	return nil
}

// backupsDir is where the backups lie within the data directory. It must be on the file system of
// the store, with which they share files.
func backupsDir(cfg *config.Config) string { return filepath.Join(cfg.DataDir(), "backups") }

// backupPlace is the directory of a backup that is given by its name, or as a directory.
func backupPlace(cfg *config.Config, given string) (string, error) {
	if strings.ContainsRune(given, filepath.Separator) {
		return filepath.Clean(given), nil
	}
	if err := store.CheckBackupName(given); err != nil {
		return "", fmt.Errorf("%w: %w; a directory has a / in its name", errUsage, err)
	}
	return filepath.Join(backupsDir(cfg), given), nil
}
