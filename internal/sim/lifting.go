package sim

import "slices"

// lift takes back what keeps data of a profile away, or of whom it had taken it back before. What
// was deleted does not come back by itself.
func (o *oracle) lift(c *control, entry *audited) {
	members := o.members(c.ids[0])
	op := o.as(c)
	if op == nil {
		for _, id := range members {
			hash := hashOf(id)
			if _, erased := o.erased[hash]; erased {
				entry.hashes = append(entry.hashes, hash)
			} else {
				entry.ids = append(entry.ids, id)
			}
			o.liftOne(c, id)
		}
		return
	}
	entry.ids, entry.hashes = op.ids, op.hashes
	for _, id := range append(members, op.ids...) {
		hash := hashOf(id)
		listed := slices.Contains(op.ids, id) || slices.Contains(op.hashes, hash)
		if listed && !o.force[hash] {
			o.liftOne(c, id)
		}
	}
	for _, hash := range op.hashes {
		if !o.force[hash] {
			delete(o.erased, hash)
		}
	}
}

// liftOne takes back what keeps data of an identity away.
func (o *oracle) liftOne(c *control, id who) {
	if e, erased := o.erased[hashOf(id)]; erased {
		delete(o.erased, hashOf(id))
		if delete(o.parted, id); o.unlinked[id] <= e.time {
			delete(o.unlinked, id)
		}
	}
	delete(o.floor, id)
	delete(o.below, id)
	o.ranges[id] = slices.DeleteFunc(o.ranges[id], func(r eventRange) bool {
		return r.by < c.at.offset // what is told of a later one stays
	})
}
