package pipeline

import (
	"maps"
	"slices"

	"selfsame/profile"
	"selfsame/store"
)

// graphTotals are the totals of the graph of every class, the commit under way included. They
// change where rows of clusters and links are written, and nowhere else.
type graphTotals struct {
	rows  map[string]*store.GraphTotals // by class
	dirty map[string]bool               // classes whose row must be written
}

// loadTotals reads the totals. A store that was written before there were any is counted, once.
func (sh *Shard) loadTotals() error {
	t := graphTotals{rows: map[string]*store.GraphTotals{}, dirty: map[string]bool{}}
	for _, entity := range sh.model.Entities {
		row, err := sh.state.reader.GraphTotals(entity.Name)
		if err == nil && row == nil {
			row, err = sh.state.reader.CountGraph(entity.Name)
			t.dirty[entity.Name] = true
		}
		if err != nil {
			return err
		}
		t.rows[entity.Name] = row
	}
	sh.state.totals = t
	sh.stats.graph(&t)
	return nil
}

// replace counts a cluster whose members change; none: there is no row of it.
func (t *graphTotals) replace(class string, before, after []profile.Identity) {
	row := t.rows[class]
	row.AddCluster(before, -1)
	row.AddCluster(after, 1)
	t.dirty[class] = true
}

// link counts n more rows of links.
func (t *graphTotals) link(class string, n int64) {
	t.rows[class].Links += n
	t.dirty[class] = true
}

// hub counts an identity that is listed as a hub, or not any more.
func (t *graphTotals) hub(class string, on bool) {
	if on {
		t.rows[class].Hubs++
	} else {
		t.rows[class].Hubs--
	}
	t.dirty[class] = true
}

// write puts what has changed into b.
func (t *graphTotals) write(b *store.Batch) {
	for _, class := range slices.Sorted(maps.Keys(t.dirty)) {
		b.SetGraphTotals(class, t.rows[class])
	}
	clear(t.dirty)
}
