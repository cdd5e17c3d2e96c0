package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// task is what the process of a contender is told.
type task struct {
	Contender string // a, b or c
	Broker    string // host:port
	Format    string
	Input     string // what the names of the input topics begin with
	Run       string // what the names of the output topics begin with
	Dir       string // for state
	Prof      string // where profiles go; "": none
	Follow    bool   // go on until standard input ends; its lines say what begins
}

// figures are what it reports. Only the drain is measured, not the start of the process.
type figures struct {
	Events    int64
	Seconds   float64
	CPU       float64 // seconds of processor time, which other programs disturb less
	Allocated uint64  // bytes, all goroutines
	RSS       int64   // bytes resident at the end of the drain
	PeakRSS   int64   // bytes, greatest so far
	Profiles  int64   // c: merged profiles
	Disk      uint64  // c: bytes of the store after its log has been turned into tables
	Marks     []mark  // c that follows: at each line of standard input, and at the end
	Problems  int     // c that follows: what a check of the whole store found
}

// mark is what a pipeline that follows had counted when something began.
type mark struct {
	Name          string
	CPU           float64 // seconds
	Commits       uint64
	CommitSeconds float64
	Consumed      uint64 // the sum of the next four, where nothing is dropped
	Accepted      uint64
	Duplicate     uint64
	Superseded    uint64
	Rejected      uint64
	Positions     int64  // the sum of all input positions
	LinksDecided  uint64 // that graph decisions looked at
	LinksLeftOut  uint64
	HubsFound     uint64
	BeyondHubs    uint64
	DeadLetters   uint64
	JobsDone      uint64
}

func (f figures) perSecond() float64 { return float64(f.Events) / f.Seconds }

// contend is the process of a contender. It writes figures, as JSON, as its last line.
func contend(ctx context.Context, text string) error {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return fmt.Errorf("reading the task: %w", err)
	}
	run := map[string]func(context.Context, task) (figures, error){
		"a": passThrough, "b": keepFloor, "c": runPipeline,
	}[t.Contender]
	if run == nil {
		return fmt.Errorf("there is no contender %q", t.Contender)
	}
	got, err := run(ctx, t)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(got)
}

// measure runs a drain and takes its figures.
func measure(t task, drain func() (events int64, err error)) (f figures, err error) {
	stop, err := startProfile(t, "")
	if err != nil {
		return f, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, cpu := time.Now(), processorTime()
	f.Events, err = drain()
	f.Seconds = time.Since(start).Seconds()
	f.CPU = (processorTime() - cpu).Seconds()
	runtime.ReadMemStats(&after)
	f.Allocated = after.TotalAlloc - before.TotalAlloc
	err = errors.Join(err, stop())
	if err != nil {
		return f, err
	}
	f.RSS, f.PeakRSS, err = residentMemory()
	return f, err
}

// processorTime is what this process has used, in user and kernel mode.
func processorTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// startProfile profiles the CPU until stop, which writes what was allocated too.
func startProfile(t task, part string) (stop func() error, err error) {
	if t.Prof == "" {
		return func() error { return nil }, nil
	}
	name := filepath.Join(t.Prof, t.Run+part)
	cpu, err := os.Create(name + ".cpu.prof")
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, err
	}
	return func() error {
		pprof.StopCPUProfile()
		heap, err := os.Create(name + ".alloc.prof")
		if err != nil {
			return err
		}
		err = pprof.Lookup("allocs").WriteTo(heap, 0)
		return errors.Join(err, heap.Close(), cpu.Close())
	}, nil
}

// residentMemory reads the kernel's account of this process.
func residentMemory() (now, peak int64, err error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0, fmt.Errorf("reading the memory of the process: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kib, _ := strconv.ParseInt(fields[1], 10, 64) // 0 where it is no number
		switch fields[0] {
		case "VmRSS:":
			now = kib << 10
		case "VmHWM:":
			peak = kib << 10
		}
	}
	return now, peak, nil
}

// process is a contender's process as its parent sees it.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr bytes.Buffer
}

// spawn starts this program again as a contender.
func spawn(ctx context.Context, t task) (*process, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.CommandContext(ctx, self, "-contend", string(text))}
	p.cmd.Stderr = &p.stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.stdout = bufio.NewReader(out)
	return p, p.cmd.Start()
}

// awaitReady waits until a pipeline that follows reads, and has consumed what there is.
func (p *process) awaitReady() error {
	if line, err := p.stdout.ReadString('\n'); err != nil || strings.TrimSpace(line) != readyLine {
		_, err := p.finish()
		return fmt.Errorf("the pipeline did not start: %w", err)
	}
	return nil
}

// tell writes a line to the process.
func (p *process) tell(line string) error {
	_, err := io.WriteString(p.stdin, line+"\n")
	return err
}

// finish asks the process to end and returns its figures.
func (p *process) finish() (f figures, err error) {
	_ = p.stdin.Close() // it may have ended by itself
	text, err := io.ReadAll(p.stdout)
	if err = errors.Join(err, p.cmd.Wait()); err != nil {
		return f, fmt.Errorf("running a contender: %w\n%s", err, p.stderr.String())
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return f, fmt.Errorf("reading the figures of a contender: %w", err)
	}
	return f, nil
}
