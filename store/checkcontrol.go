package store

import "bytes"

// controlRow checks a row of a control record, a job or a timer.
func (c *checker) controlRow(key, value []byte) {
	var err error
	space := "control record"
	switch key[0] {
	case spaceApplied:
		c.sum.Control++
		_, err = c.dict.decodeApplied(value)
	case spaceJob:
		space = "job"
		c.sum.Jobs++
		_, err = c.dict.decodeJob(value)
	case spaceTimer:
		space = "timer"
		c.sum.Timers++
		_, err = c.dict.cutTimer(key[1:])
	}
	if err != nil {
		c.problem(space, "key", "does not decode: %v", err)
	}
}

// ordersRow checks a row of orders, which must be the same from both ends.
func (c *checker) ordersRow(tail, value []byte) {
	o := &c.current
	where := safe(o.class, o.id)
	o.orders++
	other, rest, err := c.dict.cutIdentity(tail)
	if err != nil || len(rest) > 0 {
		c.problem("orders", where, "its key does not decode")
		return
	}
	if _, err := c.dict.decodeOrders(value); err != nil {
		c.problem("orders", where, "%v", err)
	}
	back, err := c.dict.ordersKey(o.class, other, o.id)
	c.note(err)
	found, err := get(c.src, back)
	c.note(err)
	if !bytes.Equal(found, value) {
		c.problem("orders", where, "are not the same from the other end")
	}
	if other.Compare(o.id) > 0 {
		c.sum.Orders++
	}
}
