package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"selfsame/profile"
	"selfsame/store"
)

// retainArgs are the arguments of a look at every identity of a class.
type retainArgs struct {
	Class string `json:"class"`
}

// retentions tells the retentions of the configuration.
func (m *Model) retentions() ([]byte, error) {
	all := map[string]int64{}
	for _, ds := range m.Datasets {
		if ds.Retention > 0 {
			all["datasets."+ds.Name] = int64(ds.Retention)
		}
	}
	for _, e := range m.Entities {
		if e.PseudonymousRetention > 0 {
			all["entities."+e.Name] = int64(e.PseudonymousRetention)
		}
	}
	return json.Marshal(all)
}

// loadRetentions has every identity looked at again where retentions have changed: what was stored
// before waits for other times, or for none.
func (sh *Shard) loadRetentions() error {
	now, err := sh.model.retentions()
	if err != nil {
		return fmt.Errorf("comparing retentions: %w", err)
	}
	before, err := sh.state.reader.Retentions()
	if err != nil || bytes.Equal(before, now) {
		return err
	}
	sh.newRetentions = now
	if sh.store.Empty() || before == nil && string(now) == "{}" {
		return nil
	}
	for _, e := range sh.model.Entities {
		args, err := json.Marshal(retainArgs{e.Name})
		if err != nil {
			return fmt.Errorf("comparing retentions: %w", err)
		}
		job := &store.Job{ID: retentionName + "/" + e.Name, Kind: jobRetain, Args: args,
			State: store.JobRunning, Cause: profile.Position{Topic: retentionName}}
		sh.jobs = slices.DeleteFunc(sh.jobs, func(other *store.Job) bool {
			return other.ID == job.ID // it had looked under the retentions of before
		})
		sh.jobs, sh.touchedJobs = append(sh.jobs, job), append(sh.touchedJobs, job)
	}
	return nil
}

// stepRetain sets the timers of the next identities: due at once, they find out what to wait for.
func (sh *Shard) stepRetain(job *store.Job, args retainArgs, limit int) (done bool, err error) {
	entity := sh.model.Entity(args.Class)
	if entity == nil {
		return true, nil
	}
	visits, place := 0, []byte(nil)
	err = sh.state.reader.Walk(args.Class, job.Cursor, func(key []byte, item *store.Item) error {
		if visits == limit*visitsPerUnit {
			return store.ErrStop
		}
		visits++
		place = append(place[:0], key...)
		if item.Kind != store.ItemIdentity {
			return nil
		}
		p, err := sh.state.person(args.Class, item.Identity)
		if err != nil || !p.known {
			return err
		}
		job.Done++
		if slices.ContainsFunc(p.row.Events, sh.expires) {
			sh.arm(p, timerExpire, &p.row.Expiry, 1)
		}
		if entity.PseudonymousRetention > 0 && sh.pseudonymous(args.Class, item.Identity) {
			sh.arm(p, timerIdle, &p.row.Idle, 1)
		}
		return nil
	})
	job.Cursor, job.Total = place, job.Done
	return visits == 0, err
}

// expires reports whether events of a dataset have a retention.
func (sh *Shard) expires(dataset string) bool {
	ds := sh.model.Dataset(dataset)
	return ds != nil && ds.Retention > 0
}

// writeRetentions puts what the commit has changed into b.
func (sh *Shard) writeRetentions(b *store.Batch) {
	if sh.newRetentions != nil {
		b.SetRetentions(sh.newRetentions)
		sh.newRetentions = nil
	}
}
