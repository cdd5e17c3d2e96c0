package store

import (
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// Policy is a merge policy as it was when its profiles were last decided, or are about to be.
type Policy struct {
	Class   string
	Name    string
	Topic   string
	Merge   []byte // how it merges, in a canonical text
	Alone   bool   // each identity has a profile of its own
	Leaving bool   // gone from the configuration: its profiles are being ended
}

// metaPolicy begins the names of the meta rows that hold the policies, by class and name.
const metaPolicy = "policy/"

func policyKey(class, name string) []byte {
	return metaKey(metaPolicy + class + "\x00" + name)
}

// Policies calls fn for every remembered policy, in order of class and name, until fn fails.
func (r *Reader) Policies(fn func(*Policy) error) error {
	prefix := metaKey(metaPolicy)
	return r.scan(prefix, func(key, value []byte) error {
		p, err := r.dict.decodePolicy(string(key[len(prefix):]), value)
		if err != nil {
			return fmt.Errorf("reading merge policies: %w", err)
		}
		return fn(p)
	})
}

// SetPolicies remembers and forgets policies, and starts the jobs that this asks for: all or
// nothing, durably. It is no commit: call it before the first one, with what the configuration
// says.
func (s *Store) SetPolicies(set, forget []Policy, jobs []*Job) error {
	b := s.db.NewBatch()
	defer b.Close()
	var err error
	put := func(key []byte, encode func(e *encoder)) {
		e := s.dict.encode()
		encode(e)
		row, encodeErr := e.done()
		if err == nil {
			err = encodeErr
		}
		if err == nil {
			err = b.Set(key, row, nil)
		}
	}
	for i := range set {
		put(policyKey(set[i].Class, set[i].Name), func(e *encoder) { e.policy(&set[i]) })
	}
	for _, job := range jobs {
		put(jobKey(job.ID), func(e *encoder) { encodeJob(e, job) })
	}
	for i := range forget {
		if err == nil {
			err = b.Delete(policyKey(forget[i].Class, forget[i].Name), nil)
		}
	}
	if err == nil {
		err = b.Commit(pebble.Sync)
	}
	if err != nil {
		return fmt.Errorf("writing merge policies: %w", err)
	}
	return nil
}

func (e *encoder) policy(p *Policy) {
	e.text(p.Topic)
	e.bytes(p.Merge)
	e.flag(p.Alone)
	e.flag(p.Leaving)
}

func (d *dictionary) decodePolicy(key string, src []byte) (*Policy, error) {
	r := d.decode(src)
	p := &Policy{Topic: r.text(), Merge: r.bytes(), Alone: r.flag(), Leaving: r.flag()}
	var ok bool
	if p.Class, p.Name, ok = strings.Cut(key, "\x00"); !ok {
		r.fail(errKey)
	}
	return p, r.done()
}
