package sim

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

var (
	seedFlag   = flag.Uint64("sim.seed", 0, "the first seed; a random one where 0")
	runsFlag   = flag.Int("sim.n", 300, "how many seeds")
	worldFlag  = flag.String("sim.world", "drawn", "what there is; by default as a seed says")
	faultsFlag = flag.String("sim.faults", "drawn", "what may go wrong; by default as a seed says")
	repeatFlag = flag.Bool("sim.repeats", false, "output may repeat: at least once")
	shrinkFlag = flag.Bool("sim.noshrink", false, "leave a failing run as it is")
	traceFlag  = flag.Bool("sim.trace", false, "show what happens")
)

// run makes a run in a bubble, so that the engine's background work comes to rest between steps.
func run(t *testing.T, c Config) (report Report, err error) {
	synctest.Test(t, func(t *testing.T) {
		c.Settle = synctest.Wait
		report, err = Run(c)
	})
	return report, err
}

// TestSimulation runs seeds, each a different life of the shard.
func TestSimulation(t *testing.T) {
	seed, runs := *seedFlag, *runsFlag
	if seed == 0 {
		seed = rand.Uint64N(1 << 32)
	}
	var sum Report
	for i := range runs {
		c := Config{Seed: seed + uint64(i), World: worldOf(t, seed+uint64(i)),
			Faults: faultsOf(t, seed+uint64(i)), AtLeastOnce: *repeatFlag,
			StepLimit: stepLimitOf(seed + uint64(i))}
		report, err := run(t, c)
		if *traceFlag {
			t.Log(strings.Join(report.Trace, "\n"))
		}
		if err != nil {
			t.Fatal(explain(t, c, err))
		}
		sum.Records, sum.Output = sum.Records+report.Records, sum.Output+report.Output
		sum.Crashes += report.Crashes
	}
	t.Logf("seeds %d to %d: %d records in, %d out, %d crashes",
		seed, seed+uint64(runs)-1, sum.Records, sum.Output, sum.Crashes)
}

// worldOf draws the world of a run. Where output may repeat nobody is shut out, and what the audit
// topic told when a store was opened need not be all.
func worldOf(t *testing.T, seed uint64) World {
	switch {
	case *worldFlag == "drawn" && *repeatFlag:
		return Plain
	case *worldFlag == "drawn":
		return World(rand.New(rand.NewPCG(seed, 5)).IntN(len(worldNames)))
	}
	w, err := ParseWorld(*worldFlag)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// stepLimitOf draws how much one step removes: mostly little, so that the rest goes in the
// background.
func stepLimitOf(seed uint64) int {
	return []int{0, 1, 2, 3, 5}[rand.New(rand.NewPCG(seed, 6)).IntN(5)]
}

// faultsOf draws the faults of a run: fewer kinds make each of them, and what only holds without
// some of them, count for more. A log that has lost what it acknowledged voids the guarantee
// between two owners, so that these do not come together.
func faultsOf(t *testing.T, seed uint64) (f Faults) {
	if *faultsFlag != "drawn" {
		f, err := ParseFaults(*faultsFlag)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	rnd := rand.New(rand.NewPCG(seed, 4))
	for i := range faultNames {
		if rnd.IntN(3) > 0 {
			f |= 1 << i
		}
	}
	if rnd.IntN(2) == 0 {
		return f &^ Unclean
	}
	return f &^ Takeover
}

// explain makes a failing run as small as is cheap, and says how to repeat it.
func explain(t *testing.T, c Config, err error) string {
	for i := range faultNames {
		if *shrinkFlag {
			break
		}
		less := c
		less.Faults &^= 1 << i
		if _, lessErr := run(t, less); less.Faults != c.Faults && lessErr != nil {
			c, err = less, lessErr
		}
	}
	return fmt.Sprintf("seed %d of the %s world with %q:\n%v\n"+
		"again: make sim SEED=%d N=1 WORLD=%s FAULTS=%s TRACE=1",
		c.Seed, c.World, c.Faults, err, c.Seed, c.World, c.Faults)
}

// regressions are seeds that have found something, and what that was. Whoever changes what a seed
// means looks for another one that finds it: make mutants helps.
var regressions = []struct {
	found string
	Config
}{
	{"a twin of the store published under versions that the original gave out again",
		Config{Seed: 215, Faults: Takeover | Network | Late | Elect | Clean | Clock}},
	{"a log looked whole again by the markers of a claim",
		Config{Seed: 8, Faults: Restart | Network | Markers | Elect | Clean | Clock | Aborts |
			Unclean}},
	{"a process ended between its claim and the repair of a log",
		Config{Seed: 884, Faults: Crash | Restart | Network | Late | Markers | Elect | Clock |
			Unclean}},
	{"a process ended between the landing of a batch and a look at its offset",
		Config{Seed: 2961950428, Faults: Crash | Markers | Aborts | Unclean}},
	{"a log had grown past its floor again when the process that would have noticed ended",
		Config{Seed: 1247924322, Faults: Crash | Network | Late | Markers | Elect | Clock |
			Aborts | Unclean}},
	{"the original had passed over an end for a later entry that its twin does not have",
		Config{Seed: 2629192653, Faults: Restart | Takeover | Network | Late | Aborts}},
	{"a deletion of a dataset passed over what its own commit had consumed before it",
		Config{Seed: 7, World: Governed, Faults: Network}},
	{"a lost life had passed over an assignment, and its tail told only how far it had read",
		Config{Seed: 9059, World: Governed, Faults: Crash | Restart | Takeover | Late | Markers |
			Clock}},
	{"an earlier erasure moved the time at which somebody was first seen",
		Config{Seed: 2084, World: Governed, Faults: Elect}},
	{"somebody's first event, ahead of the clock, did not count when its time came",
		Config{Seed: 231, World: Counted, Faults: Crash | Late | Clean | Aborts}},
	{"an attribute was missing from a profile that was published once its old definition was gone",
		Config{Seed: 3, World: Counted, Faults: Crash | Restart | Takeover | Network | Late |
			Markers | Elect | Clock | Aborts}},
	{"who left a profile while the job showed it anew was left as it was",
		Config{Seed: 31, World: Counted, Faults: Restart | Network | Late | Markers | Elect |
			Clean | Aborts | Unclean}},
	{"a profile that was published again was written from definitions that it was not decided by",
		Config{Seed: 57, World: Counted, Faults: Restart | Network | Late | Clean | Clock |
			Unclean}},
	{"what was published late counted an event that had come when its window was over",
		Config{Seed: 1420, World: Counted, Faults: Network | Late | Elect | Clock | Unclean}},
	{"an erasure that had been lifted came into force again while publishing was held",
		Config{Seed: 80, World: Governed, Faults: Crash | Restart | Takeover | Network |
			Markers}},
	{"a value stayed outside its profile that was no longer blocked before its links were removed",
		Config{Seed: 70395, World: Governed, Faults: Restart | Clean | Aborts, StepLimit: 1}},
}

func TestRegressions(t *testing.T) {
	for _, r := range regressions {
		if _, err := run(t, r.Config); err != nil {
			t.Errorf("%s: %s", r.found, explain(t, r.Config, err))
		}
	}
}

// TestRepeatable: the same seed gives the same run, step by step.
func TestRepeatable(t *testing.T) {
	for seed := range uint64(5) {
		c := Config{Seed: 100 + seed, Faults: AllFaults &^ Unclean}
		first, firstErr := run(t, c)
		second, secondErr := run(t, c)
		same := slices.Equal(first.Trace, second.Trace)
		if !same || fmt.Sprint(firstErr) != fmt.Sprint(secondErr) {
			for i := range min(len(first.Trace), len(second.Trace)) {
				if first.Trace[i] != second.Trace[i] {
					t.Fatalf("seed %d, step %d: %q, then %q", c.Seed, i, first.Trace[i],
						second.Trace[i])
				}
			}
			t.Fatalf("seed %d: %d steps and %v, then %d and %v", c.Seed, len(first.Trace), firstErr,
				len(second.Trace), secondErr)
		}
	}
}
