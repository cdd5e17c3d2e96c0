package store

import (
	"encoding/json"
	"errors"

	"selfsame/profile"
)

func (c *checker) profileRow(key, value []byte) {
	if len(key) != 1+2+2+len(profile.ID{}) {
		c.problem("profile", "key", "does not decode")
		return
	}
	class, id, err := c.cutClassID(append(append([]byte{}, key[1:3]...), key[5:]...))
	n, _, numberErr := cutNumber(key[3:])
	policy, nameErr := c.dict.name(n)
	if err = errors.Join(err, numberErr, nameErr); err != nil {
		c.problem("profile", "key", "does not decode: %v", err)
		return
	}
	row, err := c.dict.decodeProfile(value)
	if err != nil {
		c.problem("profile", id.String(), "%v", err)
		return
	}
	if row.Dead || c.ending[class+"\x00"+policy] {
		return
	}
	if !row.Identity.IsZero() {
		person, err := c.Identity(class, row.Identity)
		c.note(err)
		if person == nil {
			c.problem("profile", id.String(), "is alive but its identity is not known")
		}
		return
	}
	cluster, err := c.Cluster(class, id)
	c.note(err)
	if cluster == nil {
		c.problem("profile", id.String(), "is alive but has no cluster")
	}
}

// findEnding finds the policies whose profiles a running job has still to go through: it ends those
// that have lost their cluster since the policy has changed. The job names the policy in its
// arguments.
func (c *checker) findEnding() error {
	return c.scan([]byte{spaceJob}, func(key, value []byte) error {
		row, err := c.dict.decodeJob(value)
		if err != nil || row.State != JobRunning || row.Kind != "policy" {
			return nil // a row that does not decode is reported where it lies
		}
		var args struct{ Class, Policy string }
		if json.Unmarshal(row.Args, &args) == nil {
			c.ending[args.Class+"\x00"+args.Policy] = true
		}
		return nil
	})
}
