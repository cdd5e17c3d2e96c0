package pipeline_test

import (
	"bytes"
	"errors"
	"testing"

	"selfsame/pipeline"
)

// TestExportUndecided: an export under a policy where each identity has its own profile is refused
// while some of them have not been decided, and complete once it is not.
func TestExportUndecided(t *testing.T) {
	w := newAdopting(t, 21, without("each"))
	defer func() { w.close() }()
	all := testModel(t)
	addPolicies(t)(all)
	export := func(incomplete bool) (int, error) {
		x, err := pipeline.NewLookup(w.model, w.store).Export(pipeline.ExportQuery{
			Class: "profile", Policy: "each", Incomplete: incomplete})
		if err != nil {
			return 0, err
		}
		var out bytes.Buffer
		n, err := x.Stream(t.Context(), &out)
		w.must(err)
		return n, nil
	}
	refused := func(job, what string) {
		t.Helper()
		var undecided *pipeline.UndecidedError
		if _, err := export(false); !errors.As(err, &undecided) || undecided.Job != job {
			t.Errorf("%s: %v", what, err)
		}
	}
	w.log.CreateTopic("each", 2)
	w.model.Entity("profile").Policies = all.Entity("profile").Policies
	refused("", "before the daemon has started with it")
	w.must(w.restart(func(*pipeline.Entity) {}))
	refused(w.changes[0].Job, "at the start of the job")
	w.must(w.shard.Apply(nil, w.now.UnixNano()))
	few, err := export(true)
	w.must(err)
	w.tellWork()
	n, err := export(false)
	w.must(err)
	if want := len(w.final("each")); n != want || n <= 10 || few > n {
		t.Errorf("%d profiles, %d before, want %d", n, few, want)
	}
}
