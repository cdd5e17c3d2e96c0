package store

// Encoding and decoding of the rows of control records, jobs and timers, side by side.

func encodeOrders(e *encoder, row *Orders) {
	for _, order := range [2]*Order{&row.Together, &row.Apart} {
		e.stamp(order.Stamp)
		e.flag(order.On)
	}
}

func (d *dictionary) decodeOrders(src []byte) (*Orders, error) {
	r := d.decode(src)
	row := &Orders{}
	for _, order := range [2]*Order{&row.Together, &row.Apart} {
		order.Stamp, order.On = r.stamp(), r.flag()
	}
	return row, r.done()
}

func encodeApplied(e *encoder, row *Applied) {
	e.text(row.Op)
	e.text(row.Class)
	e.position(row.Cause)
	e.int(row.Time)
	e.removed(&row.Removed)
	e.text(row.Job)
	if len(row.Parts) == 0 {
		return
	}
	e.grow()
	e.count(len(row.Parts))
	for i := range row.Parts {
		e.text(row.Parts[i].Class)
		e.removed(&row.Parts[i].Removed)
	}
}

func (e *encoder) removed(r *Removed) {
	for _, n := range [...]uint64{r.Fragments, r.Events, r.Links, r.Days} {
		e.uint(n)
	}
}

func (d *decoder) removed() Removed {
	return Removed{Fragments: d.uint(), Events: d.uint(), Links: d.uint(), Days: d.uint()}
}

func (d *dictionary) decodeApplied(src []byte) (*Applied, error) {
	r, parted := d.decodeUpTo(rowVersionGrown, src)
	row := &Applied{Op: r.text(), Class: r.text(), Cause: r.position(), Time: r.int()}
	row.Removed = r.removed()
	row.Job = r.text()
	if parted {
		for range r.count() {
			row.Parts = append(row.Parts, AppliedPart{Class: r.text(), Removed: r.removed()})
		}
	}
	return row, r.done()
}

func encodeJob(e *encoder, row *Job) {
	e.text(row.Kind)
	e.bytes(row.Args)
	e.bytes(row.Cursor)
	e.uint(row.Done)
	e.uint(row.Total)
	e.byte(byte(row.State))
	if row.Cause.Topic == "" {
		e.grow() // no record has caused it
	} else {
		e.position(row.Cause)
	}
	e.int(row.Created)
	e.int(row.Finished)
}

func (d *dictionary) decodeJob(src []byte) (*Job, error) {
	r, uncaused := d.decodeUpTo(rowVersionGrown, src)
	row := &Job{Kind: r.text(), Args: r.bytes(), Cursor: r.bytes(), Done: r.uint(), Total: r.uint()}
	row.State = JobState(r.byte())
	if !uncaused {
		row.Cause = r.position()
	}
	row.Created, row.Finished = r.int(), r.int()
	return row, r.done()
}
