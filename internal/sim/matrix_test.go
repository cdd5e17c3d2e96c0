package sim

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"selfsame/internal/simlog"
	"selfsame/store"
)

// script is a short life of the shard, step by step: everything a commit, a publication, a start
// and a stop do to disk and cluster happens in it.
type script struct {
	*simulation
	step string // under way
}

// steps run in order; a crash in one of them is followed by a new process, and the rest.
var steps = []struct {
	name string
	do   func(s *script) error
	dry  bool // without an operation of the disk: requests only, or a write that waits
}{
	{name: "open", do: func(s *script) error { return s.current.open() }},
	{name: "commit", do: func(s *script) error { return s.current.consume(s.inputs, 20) }},
	{name: "publish", do: (*script).publish, dry: true},
	{name: "forget", do: func(s *script) error { return s.current.idle(false) }, dry: true},
	{name: "commit again", do: func(s *script) error { return s.current.consume(s.inputs, 20) }},
	{name: "back up", do: (*script).backUp},
	{name: "reopen", do: (*script).reopen},
	{name: "publish again", do: (*script).publish, dry: true},
	{name: "flush", do: func(s *script) error { return s.current.idle(true) }},
}

func (s *script) publish() error {
	for {
		n, err := s.current.publish()
		if n == 0 || err != nil {
			return err
		}
	}
}

func (s *script) backUp() error {
	c, err := s.current.store.Checkpoint("backups/a", time.Unix(0, s.current.now()))
	if err == nil {
		_, err = c.Seal()
	}
	return s.current.blame("backing up", err)
}

// checkBackups: what a crash has left of a backup is whole and sound, or is known not to be.
func (s *script) checkBackups(t *testing.T) {
	t.Helper()
	o := store.Options{FS: s.current.disk.mem, CacheBytes: 8 << 20, MemtableBytes: 1 << 20}
	all, others, err := store.Backups("backups", o)
	for _, name := range others {
		if !strings.HasSuffix(name, ".partial") {
			t.Errorf("%s looks like a backup and is none", name)
		}
	}
	for _, b := range all {
		held, openErr := store.OpenBackup("backups/"+b.Name, o)
		if openErr != nil {
			t.Error(openErr)
			continue
		}
		_, checkErr := held.Check(t.Context(), func(p store.Problem) { t.Error(p) })
		err = errors.Join(err, checkErr, held.Close())
	}
	if err != nil {
		t.Error(err)
	}
}

func (s *script) reopen() (err error) {
	if s.current, err = s.reborn(s.current); err != nil {
		return err
	}
	return s.current.open()
}

// newScript is the same work each time, without chance.
func newScript(t *testing.T) *script {
	t.Helper()
	s, err := newSimulation(Config{Seed: 7, Records: 24, Settle: synctest.Wait})
	if err != nil {
		t.Fatal(err)
	}
	s.produce(24)
	return &script{simulation: s}
}

// play runs the script. crashed says at which step a planned crash fell, "" where at none.
func (s *script) play() (crashed string, err error) {
	for _, step := range steps {
		lives := s.report.Crashes
		s.step = step.name
		err := step.do(s)
		s.config.Settle()
		if err = s.survive(err); err != nil {
			return crashed, fmt.Errorf("at step %s: %w", step.name, err)
		}
		if s.report.Crashes > lives {
			crashed = step.name
		}
	}
	if err := s.rest(); err != nil {
		return crashed, err
	}
	return crashed, s.verify()
}

func (s *script) end() {
	for _, o := range append(s.zombies, s.current) {
		_ = o.close() // the run is over
	}
}

// TestCrashMatrix crashes before, within and after every operation of the disk in the life of a
// shard, and keeps none, half or all of what had not been synced.
func TestCrashMatrix(t *testing.T) {
	kept := []int{0, 50, 100}
	if testing.Short() {
		kept = []int{50}
	}
	hits := map[string]int{}
	for at := 0; ; at++ {
		reached := false
		for _, in := range []phase{before, torn, after} {
			for _, percent := range kept {
				c := crash{at: at, phase: in, kept: percent}
				step := crashAt(t, c)
				hits[step]++
				reached = reached || step != ""
			}
		}
		if !reached {
			break
		}
	}
	t.Logf("crashes by step: %v", hits)
	for _, step := range steps {
		if hits[step.name] == 0 && !step.dry {
			t.Errorf("no crash fell into step %s", step.name)
		}
	}
}

func crashAt(t *testing.T, c crash) (step string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		defer s.end()
		s.current.disk.plan(c)
		var err error
		if step, err = s.play(); err != nil {
			t.Fatalf("crash %s operation %d, %d%% kept:\n%v", c.phase, c.at, c.kept, err)
		}
		s.checkBackups(t)
	})
	return step
}

// TestCrashWhileSending crashes at every request: it is lost with the process, or arrives, at once
// or once the next process is at work.
func TestCrashWhileSending(t *testing.T) {
	requests := map[simlog.API]int{}
	for at := 0; ; at++ {
		api, hit := crashSending(t, at, simlog.Lose, 100)
		if !hit {
			break
		}
		requests[api]++
		if api < simlog.APIProduce {
			continue // it changes nothing, whether it arrives or not
		}
		for _, fate := range []simlog.Fate{simlog.Lose, simlog.LoseReply, simlog.Delay} {
			crashSending(t, at, fate, 0)
			crashSending(t, at, fate, 100)
		}
	}
	t.Logf("crashes by request: %v", requests)
	for _, api := range []simlog.API{simlog.APIProduce, simlog.APIInitProducerID,
		simlog.APIAddPartitions, simlog.APIEndTxn, simlog.APIFetch, simlog.APIListOffsets} {
		if requests[api] == 0 {
			t.Errorf("no crash fell on a request %s", api)
		}
	}
}

// crashSending crashes at one request of the script. A delayed request arrives when the next
// process has claimed the output, which is the worst moment.
func crashSending(t *testing.T, at int, fate simlog.Fate, kept int) (api simlog.API, hit bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		defer s.end()
		n := 0
		s.intervene = func(o *owner, r *simlog.Request) simlog.Fate {
			if n++; n-1 != at {
				if hit && r.API == simlog.APIListOffsets && len(s.broker.InFlight()) > 0 {
					s.broker.Arrive(0)
				}
				return simlog.Deliver
			}
			api, hit = r.API, true
			o.disk.crashNow(kept)
			return fate
		}
		if _, err := s.play(); err != nil {
			t.Fatalf("crash at request %d, %s, fate %d, %d%% kept:\n%v", at, api, fate, kept, err)
		}
	})
	return api, hit
}
