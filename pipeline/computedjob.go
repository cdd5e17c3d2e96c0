package pipeline

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"selfsame/store"
)

// jobBackfill builds the states of computed attributes that are new or defined otherwise, has
// profiles show them, and takes away what is left of those that are gone.
const jobBackfill = "backfill"

// backfillArgs are the arguments of a backfill.
type backfillArgs struct {
	Class string `json:"class"`
}

// The kinds of ComputedChange.
const (
	ComputedNew     = "new"
	ComputedChanged = "changed"
	ComputedGone    = "gone"
)

// ComputedChange is what became of a computed attribute.
type ComputedChange struct {
	Class, Name string
	Kind        string
	Job         string // that brings states and profiles up to date; "" in a store that is empty
}

// AdoptComputed compares the model's computed attributes with those that the store remembers. For
// each class in which one differs it starts a job, and the store remembers the definitions. Until
// the job is done, profiles show an attribute as it was defined before, where it was. Call it
// before a shard is made; now is the time in nanoseconds since the epoch.
func AdoptComputed(m *Model, s *store.Store, now int64) ([]ComputedChange, error) {
	a := &computedAdoption{store: s, now: now}
	for _, e := range m.Entities {
		if err := a.adopt(e); err != nil {
			return nil, err
		}
	}
	if len(a.rows) == 0 {
		return nil, nil
	}
	return a.changes, s.SetComputedClasses(a.rows, a.jobs)
}

// computedAdoption is one run of AdoptComputed.
type computedAdoption struct {
	store   *store.Store
	now     int64
	rows    []*store.ComputedClass
	jobs    []*store.Job
	changes []ComputedChange
}

func (a *computedAdoption) adopt(e *Entity) error {
	row, err := a.store.Reader().ComputedClass(e.Name)
	if err != nil {
		return err
	}
	if row == nil {
		row = &store.ComputedClass{Class: e.Name, Next: 1}
	}
	before := len(a.changes)
	if err := a.add(e, row); err != nil {
		return err
	}
	a.remove(e, row)
	if a.store.Empty() { // there is nothing to go on with meanwhile, and nothing to clear
		row.Attributes = slices.DeleteFunc(row.Attributes, func(old store.ComputedAttribute) bool {
			return e.computed(old.Name, old.Fingerprint) == nil || old.Until != store.NotYet
		})
	}
	if len(a.changes) == before {
		return nil
	}
	a.rows = append(a.rows, row)
	if a.store.Empty() {
		return nil
	}
	return a.start(row, a.changes[before:])
}

// computed returns the configured attribute of a name and fingerprint, nil where there is none.
func (e *Entity) computed(name, fingerprint string) *ComputedDefinition {
	for _, d := range e.Computed {
		if d.Name == name && d.Attribute.Fingerprint() == fingerprint {
			return d
		}
	}
	return nil
}

// add remembers definitions that the store does not have.
func (a *computedAdoption) add(e *Entity, row *store.ComputedClass) error {
	for _, d := range e.Computed {
		fingerprint := d.Attribute.Fingerprint()
		kind := ComputedNew
		known := slices.ContainsFunc(row.Attributes, func(old store.ComputedAttribute) bool {
			current := old.Name == d.Name && old.Until == store.NotYet
			if current {
				kind = ComputedChanged
			}
			return current && old.Fingerprint == fingerprint
		})
		if known {
			continue
		}
		text, err := d.text()
		if err != nil {
			return err
		}
		if row.Next == math.MaxUint16 {
			return fmt.Errorf("computed attributes of class %s were defined %d times: rebuild the "+
				"store from the input topics", e.Name, row.Next)
		}
		one := store.ComputedAttribute{Name: d.Name, Number: row.Next, Fingerprint: fingerprint,
			Definition: text, From: store.NotYet, Until: store.NotYet, Since: a.now}
		if a.store.Empty() {
			one.From, one.Ready = 0, a.now
		}
		row.Next++
		row.Attributes = append(row.Attributes, one)
		a.changes = append(a.changes, ComputedChange{Class: e.Name, Name: d.Name, Kind: kind})
	}
	return nil
}

// remove ends what is not defined any more. What another definition of its name replaces goes on
// until that is ready.
func (a *computedAdoption) remove(e *Entity, row *store.ComputedClass) {
	for i := range row.Attributes {
		old := &row.Attributes[i]
		at := slices.IndexFunc(e.Computed, func(d *ComputedDefinition) bool {
			return d.Name == old.Name
		})
		switch {
		case old.Until != store.NotYet:
		case at >= 0 && e.Computed[at].Attribute.Fingerprint() == old.Fingerprint:
		case old.From == store.NotYet: // it was never shown
			old.Until = 0
			a.gone(e.Name, old.Name)
		case at < 0:
			old.Until = a.store.NextVersion()
			a.gone(e.Name, old.Name)
		}
	}
}

func (a *computedAdoption) gone(class, name string) {
	a.changes = append(a.changes, ComputedChange{Class: class, Name: name, Kind: ComputedGone})
}

// start begins the job of a class. The number of the next attribute tells it from earlier ones.
func (a *computedAdoption) start(row *store.ComputedClass, changes []ComputedChange) error {
	raw, err := json.Marshal(backfillArgs{Class: row.Class})
	if err != nil {
		return fmt.Errorf("starting a backfill: %w", err)
	}
	total, err := a.total(row)
	if err != nil {
		return err
	}
	row.Job = "backfill-" + row.Class + "-" + strconv.Itoa(int(row.Next)) + "-" +
		strconv.FormatUint(a.store.NextVersion(), 10)
	a.jobs = append(a.jobs, &store.Job{ID: row.Job, Kind: jobBackfill, Args: raw,
		State: store.JobRunning, Created: a.now, Total: total})
	for i := range changes {
		changes[i].Job = row.Job
	}
	return nil
}

// total is how many identities and profiles a backfill will go through, 0 where that is not known:
// the profiles, and the identities for each of the other phases that has something to do.
func (a *computedAdoption) total(row *store.ComputedClass) (uint64, error) {
	totals, err := a.store.Reader().GraphTotals(row.Class)
	if err != nil || totals == nil {
		return 0, err
	}
	n := totals.Clusters()
	if slices.ContainsFunc(row.Attributes, waits) {
		n += totals.Identities()
	}
	goes := func(a store.ComputedAttribute) bool {
		return a.Until != store.NotYet || replaced(row, &a)
	}
	if slices.ContainsFunc(row.Attributes, goes) {
		n += totals.Identities()
	}
	return uint64(n), nil
}

// replaced reports whether an attribute is shown until another one of its name is built.
func replaced(row *store.ComputedClass, a *store.ComputedAttribute) bool {
	return a.From != store.NotYet && a.Until == store.NotYet &&
		slices.ContainsFunc(row.Attributes, func(other store.ComputedAttribute) bool {
			return other.Name == a.Name && waits(other)
		})
}

// waits reports whether the states of an attribute are still to be built.
func waits(a store.ComputedAttribute) bool {
	return a.From == store.NotYet && a.Until == store.NotYet
}

// The phases of a backfill: the first byte of its cursor. What follows says where it goes on.
const (
	backfillBuild = 0 // states of all identities
	backfillShow  = 1 // profiles
	backfillClear = 2 // rows of what is gone, of all identities
)

// backfillPhases tell of the phases what ComputedProgress does.
var backfillPhases = [...]string{backfillBuild: ComputedPhaseBuild,
	backfillShow: ComputedPhaseShow, backfillClear: ComputedPhaseClear}

// backfillPhase returns the phase that a backfill is in, and where in it.
func backfillPhase(job *store.Job) (phase byte, at []byte) {
	if len(job.Cursor) == 0 {
		return backfillBuild, nil
	}
	return job.Cursor[0], job.Cursor[1:]
}

// backfillEvents is how many events one step of a backfill looks at, for each of its units.
const backfillEvents = 10

func (sh *Shard) stepBackfill(job *store.Job, args backfillArgs, limit int) (done bool, err error) {
	w := sh.state.computed
	c := w.classes[args.Class]
	if c == nil || c.row.Job != job.ID || sh.model.Entity(args.Class) == nil {
		return true, nil // another one has taken its place
	}
	phase, at := backfillPhase(job)
	var next []byte
	switch phase {
	case backfillBuild:
		next, err = sh.backfillBuild(job, c, at, limit)
	case backfillShow:
		next, err = sh.backfillShow(job, c, at, limit)
	default:
		next, err = sh.backfillClear(job, c, at, limit)
	}
	if err != nil {
		return false, err
	}
	if next != nil {
		job.Cursor = append([]byte{phase}, next...)
		return false, nil
	}
	switch phase {
	case backfillBuild:
		sh.showBuilt(c)
	case backfillClear:
		c.row.Job = ""
		c.row.Attributes = slices.DeleteFunc(c.row.Attributes,
			func(a store.ComputedAttribute) bool { return a.Until != store.NotYet })
		w.touch(c)
		return true, nil
	}
	job.Cursor = []byte{phase + 1}
	return false, nil
}

// backfillBuild moves the states that are not shown yet to now, identity by identity.
func (sh *Shard) backfillBuild(job *store.Job, c *computedClass, at []byte, limit int) (
	next []byte, err error) {
	var building []*tracked
	for i := range c.row.Attributes {
		if a := &c.row.Attributes[i]; waits(*a) {
			if t := sh.state.computed.catalog.attribute(c.row.Class, a); t != nil {
				building = append(building, t)
			}
		}
	}
	if len(building) == 0 {
		return nil, nil
	}
	ids, next, err := sh.state.reader.IdentitiesFrom(c.row.Class, at, limit)
	if err != nil {
		return nil, err
	}
	if totals := sh.state.totals.rows[c.row.Class]; totals != nil && job.Total == 0 {
		job.Total = uint64(totals.Identities() + totals.Clusters())
	}
	until := sh.state.computed.looked + limit*backfillEvents
	for _, id := range ids {
		for _, t := range building {
			done, err := sh.build(personKey{c.row.Class, id.Identity}, t, until)
			if err != nil {
				return nil, err
			}
			if !done {
				return id.Cursor, nil
			}
		}
		job.Done++
	}
	return next, nil
}

// build moves one state towards now while there are events left to look at.
func (sh *Shard) build(key personKey, t *tracked, until int) (done bool, err error) {
	s := sh.state
	cp, err := s.computedPerson(key)
	if err != nil {
		return false, err
	}
	if cp.find(t.number) == nil {
		p, err := s.person(key.class, key.id)
		if err != nil || !t.hears(p.row.Events) {
			return err == nil, err
		}
	}
	one, err := s.open(cp, t)
	if err != nil || one.Ready(s.computed.now) {
		return err == nil, err
	}
	if left := until - s.computed.looked; left > 0 {
		return s.move(cp, one, left)
	}
	return false, nil
}

// showBuilt has profiles show what has been built, from this commit on, in place of what it
// replaces.
func (sh *Shard) showBuilt(c *computedClass) {
	w := sh.state.computed
	for i := range c.row.Attributes {
		a := &c.row.Attributes[i]
		if !waits(*a) {
			continue
		}
		for j := range c.row.Attributes {
			old := &c.row.Attributes[j]
			if old.Name == a.Name && old.From != store.NotYet && old.Until == store.NotYet {
				old.Until = w.version
			}
		}
		a.From, a.Ready = w.version, w.now
	}
	w.touch(c)
}

// backfillShow settles the next profiles.
func (sh *Shard) backfillShow(job *store.Job, c *computedClass, at []byte, limit int) (
	next []byte, err error) {
	clusters, next, err := sh.nextClusters(c.row.Class, at, limit)
	if err != nil {
		return nil, err
	}
	for _, one := range clusters {
		why := cause{job.Cause, math.MinInt64, ControlName}
		if err := sh.remerge(clusterKey{c.row.Class, one.id}, why, false); err != nil {
			return nil, err
		}
		job.Done++
	}
	job.Total = max(job.Total, job.Done)
	return next, nil
}

// backfillClear takes away the rows of attributes that are gone, identity by identity.
func (sh *Shard) backfillClear(job *store.Job, c *computedClass, at []byte, limit int) (
	next []byte, err error) {
	stays := func(number uint16) bool {
		return slices.ContainsFunc(c.row.Attributes, func(a store.ComputedAttribute) bool {
			return a.Number == number && a.Until == store.NotYet
		})
	}
	if !slices.ContainsFunc(c.row.Attributes, func(a store.ComputedAttribute) bool {
		return a.Until != store.NotYet
	}) {
		return nil, nil
	}
	ids, next, err := sh.state.reader.IdentitiesFrom(c.row.Class, at, limit)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		cp, err := sh.state.computedPerson(personKey{c.row.Class, id.Identity})
		if err != nil {
			return nil, err
		}
		for _, one := range slices.Clone(cp.states) {
			if stays(one.number) {
				continue
			}
			if err := sh.dropState(cp, one.number); err != nil {
				return nil, err
			}
		}
	}
	job.Done += uint64(len(ids))
	job.Total = max(job.Total, job.Done)
	return next, nil
}
