package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"selfsame/examples/retail"
)

// playBackup has backups made while records come in, kills the daemon, and restores: once where the
// store is lost, under load; once, from a copy of the backup, where it is there still and has
// published all it knew. What comes out is as if nothing had happened.
func playBackup(t *testing.T, h host) {
	c := h.own(t)
	k := &killing{t: t, shop: openShop(t, c.addr), cluster: c}
	k.home = k.shop.install("restored")
	messages := k.shop.traffic(h.people)
	third := len(messages) / 3

	d := k.backUpUnderLoad("first", messages[:third])
	d.kill()
	must(t, os.RemoveAll(k.home.store()))
	k.home.run("restore", "first")

	d = k.backUpUnderLoad("second", messages[third:2*third])
	k.home.drain(d)
	k.home.refuse("the daemon runs", "restore", "second", "--force")
	d.kill()
	k.home.refuse("there is a store", "restore", "second")
	elsewhere := filepath.Join(t.TempDir(), "copied")
	must(t, os.CopyFS(elsewhere, os.DirFS(k.home.backup("second"))))
	k.home.run("restore", elsewhere, "--force")

	k.shop.send(messages[2*third:]...)
	d = k.home.start()
	k.home.drain(d)
	if d.journal.count("the store is older than what was published from it") == 0 {
		t.Error("the daemon does not say that its store is older than its output")
	}
	d.stop()
	k.home.checkStore()
	k.home.checkBackups()
	out := k.home.outcome()
	wantSame(t, "restored, against the reference", out, k.home.reference())
	wantSame(t, "restored, against undisturbed", out, k.undisturbed())
}

// backUpUnderLoad starts a daemon and has it make a backup while the first half of the messages
// come in. It returns the daemon when it has consumed some of the other half.
func (k *killing) backUpUnderLoad(name string, messages []retail.Message) *daemon {
	k.t.Helper()
	fed := make(chan error, 1)
	d := k.home.start()
	half := len(messages) / 2
	go func() { fed <- k.feed(messages[:half]) }()
	k.afterSomeMore(d, int64(half)/4)
	k.home.run("backup", name, "--api", d.journal.api())
	k.home.run("check", "--backup", name)
	must(k.t, <-fed)
	must(k.t, k.feed(messages[half:]))
	k.afterSomeMore(d, 1)
	return d
}

func (h *home) backup(name string) string { return filepath.Join(h.dir, "data", "backups", name) }

// run runs a command on the installation and returns what it prints.
func (h *home) run(args ...string) string {
	h.shop.t.Helper()
	out, err := command(h.shop.t, append(args, "--config", h.config())...)
	must(h.shop.t, err)
	return string(out)
}

// refuse wants a command to fail.
func (h *home) refuse(why string, args ...string) {
	h.shop.t.Helper()
	if out, err := command(h.shop.t, append(args, "--config", h.config())...); err == nil {
		h.shop.t.Errorf("%s, but selfsame %s does it: %s", why, strings.Join(args, " "), out)
	}
}

// checkBackups: both backups are listed, and as good as when they were made.
func (h *home) checkBackups() {
	h.shop.t.Helper()
	list := h.run("backup", "ls")
	for _, name := range []string{"first", "second"} {
		if !strings.Contains(list, "\n"+name+" ") {
			h.shop.t.Errorf("%s is not listed in\n%s", name, list)
		}
		h.run("check", "--backup", name)
	}
}
