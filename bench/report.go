package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// names of the contenders, by letter.
var names = map[string]string{"a": "a passthrough", "b": "b floor", "c": "c pipeline"}

// printMachine says where the figures are from.
func printMachine(w io.Writer) {
	fmt.Fprintf(w, "%s, %s/%s, %d processors, %s, %s\n", runtime.Version(), runtime.GOOS,
		runtime.GOARCH, runtime.NumCPU(), procValue("/proc/cpuinfo", "model name"),
		procValue("/proc/meminfo", "MemTotal"))
}

// procValue reads the first "name : value" of a file of the kernel, "?" where there is none.
func procValue(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "?"
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "?"
}

// print writes the outcome as Markdown.
func (s *series) print(w io.Writer) {
	fmt.Fprintf(w, "\n### %s, %s\n\n", s.cluster.name, s.format)
	fmt.Fprintf(w, "%d records of %d people, %d bytes each; %d rounds, medians (least to most)\n\n",
		s.filled.records, s.people, s.filled.bytes/max(1, s.filled.records), len(s.rounds))
	fmt.Fprintln(w, "| contender | events/s | CPU µs/event | allocated bytes/event | "+
		"resident MiB | at most |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|")
	for _, contender := range strings.Split(s.contenders, "") {
		s.printContender(w, contender)
	}
	fmt.Fprintln(w)
	s.printRatio(w, "c", "b")
	s.printRatio(w, "c", "a")
	s.printRatio(w, "b", "a")
	if profiles := median(s.each("c", profilesOf)); profiles > 0 {
		disk := median(s.each("c", func(f *figures) float64 { return float64(f.Disk) }))
		fmt.Fprintf(w, "- profiles: %.0f, %.0f bytes on disk each\n", profiles, disk/profiles)
	}
	if d := s.delay; d.matched > 0 {
		fmt.Fprintf(w, "- produce to merged record at %.0f events/s: p50 %s, p99 %s, worst %s "+
			"(%d merged records)\n", d.rate, milli(d.p50), milli(d.p99), milli(d.worst), d.matched)
	}
}

func profilesOf(f *figures) float64 { return float64(f.Profiles) }

func (s *series) printContender(w io.Writer, contender string) {
	mib := func(n int64) float64 { return float64(n) / (1 << 20) }
	allocated := s.each(contender, func(f *figures) float64 {
		return float64(f.Allocated) / float64(f.Events)
	})
	now := s.each(contender, func(f *figures) float64 { return mib(f.RSS) })
	peak := s.each(contender, func(f *figures) float64 { return mib(f.PeakRSS) })
	cpu := s.each(contender, func(f *figures) float64 { return 1e6 * f.CPU / float64(f.Events) })
	fmt.Fprintf(w, "| %s | %s | %.1f | %.0f | %.0f | %.0f |\n", names[contender],
		spread(s.speeds(contender), "%.0f"), median(cpu), median(allocated), median(now),
		slices.Max(peak))
}

// printRatio compares two contenders round by round.
func (s *series) printRatio(w io.Writer, of, to string) {
	var ratios []float64
	for _, round := range s.rounds {
		over, ok := round[of]
		under, too := round[to]
		if ok && too {
			ratios = append(ratios, over.perSecond()/under.perSecond())
		}
	}
	if len(ratios) > 0 {
		fmt.Fprintf(w, "- %s/%s: %s\n", of, to, spread(ratios, "%.2f"))
	}
}

// spread gives the median and the extremes.
func spread(values []float64, format string) string {
	middle := median(values)
	if len(values) < 2 {
		return fmt.Sprintf(format, middle)
	}
	return fmt.Sprintf(format+" ("+format+" to "+format+")", middle,
		values[0], values[len(values)-1])
}

func milli(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// print writes how long unrelated records took in each phase, as Markdown.
func (t *turmoil) print(w io.Writer) {
	fmt.Fprintf(w, "\n### Trouble: %s, %s\n\n", t.cluster.name, t.format)
	fmt.Fprintf(w, "%.0f records of unrelated people per second throughout; %d cookies onto one "+
		"person, a kiosk seen by %d people, %d merges of two people with %d identities and %d "+
		"events each\n\n", t.rate, t.trouble.cookies, t.trouble.visitors, t.trouble.pairs,
		identitiesMax, t.trouble.events)
	fmt.Fprintln(w, "| phase | other records/s | unrelated: merged records | p50 | p99 | worst | "+
		"p99 / quiet | CPU | mean commit | links decided |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|")
	base := t.quietP99()
	for i := range t.phases {
		p := &t.phases[i]
		d := delaysBetween(t.seen, p.begin, p.end)
		from, to := t.got.Marks[i], t.got.Marks[i+1]
		commit := milli(time.Duration(1e9 * (to.CommitSeconds - from.CommitSeconds) /
			float64(max(1, to.Commits-from.Commits))))
		fmt.Fprintf(w, "| %s | %.0f | %d | %s | %s | %s | %.2f | %.0f %% | %s | %d |\n", p.name,
			p.rate(), d.matched, milli(d.p50), milli(d.p99), milli(d.worst),
			float64(d.p99)/base, 100*(to.CPU-from.CPU)/(p.end-p.begin).Seconds(), commit,
			to.LinksDecided-from.LinksDecided)
	}
	last := t.got.Marks[len(t.got.Marks)-1]
	fmt.Fprintf(w, "\n- quiet p99, the median of its phases: %s\n", milli(time.Duration(base)))
	fmt.Fprintf(w, "- %d records: %d accepted, %d duplicate, %d superseded, %d rejected\n",
		last.Consumed, last.Accepted, last.Duplicate, last.Superseded, last.Rejected)
	fmt.Fprintf(w, "- %d hubs found, %d links turned away by hubs, %d links left out\n",
		last.HubsFound, last.BeyondHubs, last.LinksLeftOut)
	fmt.Fprintf(w, "- check of the whole store: %d problems\n", t.got.Problems)
}

// quietP99 is the median of the p99 of the quiet phases, in nanoseconds.
func (t *turmoil) quietP99() float64 {
	var all []float64
	for i := range t.phases {
		if p := &t.phases[i]; p.name == quiet {
			all = append(all, float64(delaysBetween(t.seen, p.begin, p.end).p99))
		}
	}
	return median(all)
}
