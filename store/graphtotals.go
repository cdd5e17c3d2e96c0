package store

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"selfsame/profile"
)

// spaceTotals holds one row per class: GraphTotals.
const spaceTotals = 'g'

// clusterSizes are the classes of size that clusters are counted in, by their upper bounds; the
// last has none.
var clusterSizes = [...]struct {
	upTo  int
	label string
}{{1, "1"}, {2, "2"}, {5, "3-5"}, {10, "6-10"}, {20, "11-20"}, {50, "21-50"}, {0, "51+"}}

// ClusterSizes names the classes of size that clusters are counted in, the smallest first.
func ClusterSizes() []string {
	labels := make([]string, len(clusterSizes))
	for i := range clusterSizes {
		labels[i] = clusterSizes[i].label
	}
	return labels
}

// GraphTotals count the rows of the graph of one class. They are kept in the commit that changes
// what they count, so they are exact at every committed state.
type GraphTotals struct {
	Links int64                    // rows of links, also of those left out or voided
	Hubs  int64                    // identities that are hubs
	Sizes [len(clusterSizes)]int64 // clusters by size, as in ClusterSizes
	// Several counts the clusters that hold more than one identity of a namespace; sorted, without
	// zeroes.
	Several []NamespaceCount
}

// NamespaceCount is a number of clusters.
type NamespaceCount struct {
	Namespace string
	Clusters  int64
}

// Clusters is the number of clusters of all sizes.
func (t *GraphTotals) Clusters() int64 {
	var n int64
	for _, size := range t.Sizes {
		n += size
	}
	return n
}

// Identities is about how many identities there are in clusters of all sizes.
func (t *GraphTotals) Identities() int64 {
	var n int64
	for i, size := range clusterSizes {
		n += t.Sizes[i] * int64(max(size.upTo, 1))
	}
	return n
}

// AddCluster adds n clusters with these members, which are sorted; none are none.
func (t *GraphTotals) AddCluster(members []profile.Identity, n int64) {
	if len(members) == 0 {
		return
	}
	size := 0
	for size < len(clusterSizes)-1 && len(members) > clusterSizes[size].upTo {
		size++
	}
	t.Sizes[size] += n
	for i := range members {
		first := i == 0 || members[i-1].Namespace != members[i].Namespace
		second := i+1 < len(members) && members[i+1].Namespace == members[i].Namespace
		if first && second {
			t.addSeveral(members[i].Namespace, n)
		}
	}
}

func (t *GraphTotals) addSeveral(namespace string, n int64) {
	i, found := slices.BinarySearchFunc(t.Several, namespace,
		func(c NamespaceCount, name string) int { return cmp.Compare(c.Namespace, name) })
	if !found {
		t.Several = slices.Insert(t.Several, i, NamespaceCount{Namespace: namespace})
	}
	if t.Several[i].Clusters += n; t.Several[i].Clusters == 0 {
		t.Several = slices.Delete(t.Several, i, i+1)
	}
}

// Equal reports whether both count the same.
func (t *GraphTotals) Equal(other *GraphTotals) bool {
	return t.Links == other.Links && t.Hubs == other.Hubs && t.Sizes == other.Sizes &&
		slices.Equal(t.Several, other.Several)
}

// Clone returns a copy that shares nothing.
func (t *GraphTotals) Clone() GraphTotals {
	c := *t
	c.Several = slices.Clone(t.Several)
	return c
}

// SetGraphTotals writes the totals of a class.
func (b *Batch) SetGraphTotals(class string, t *GraphTotals) {
	key, err := b.store.dict.totalsKey(class)
	set(b, key, err, t, encodeTotals)
}

// GraphTotals reads the totals of a class.
func (r *Reader) GraphTotals(class string) (*GraphTotals, error) {
	key, err := r.dict.totalsKey(class)
	return read(r, "graph totals", key, err, r.dict.decodeTotals)
}

// CountGraph counts the rows of the graph of a class, one by one: for a store that was written
// before totals were kept.
func (r *Reader) CountGraph(class string) (*GraphTotals, error) {
	t := &GraphTotals{}
	if err := r.Hubs(class, func(profile.Identity) { t.Hubs++ }); err != nil {
		return nil, err
	}
	err := r.Clusters(class, func(_ profile.ID, c *Cluster) error {
		t.AddCluster(c.Members, 1)
		for _, id := range c.Members {
			err := r.EachNeighbour(class, id, func(n Neighbour) error {
				if n.Link != nil {
					t.Links++
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return t, err
}

func (d *dictionary) totalsKey(class string) ([]byte, error) {
	n, err := d.number(class)
	return appendNumber([]byte{spaceTotals}, n), err
}

func encodeTotals(e *encoder, t *GraphTotals) {
	e.int(t.Links)
	e.int(t.Hubs)
	e.count(len(t.Sizes))
	for _, n := range t.Sizes {
		e.int(n)
	}
	e.count(len(t.Several))
	for _, c := range t.Several {
		e.name(c.Namespace)
		e.int(c.Clusters)
	}
}

func (d *dictionary) decodeTotals(src []byte) (*GraphTotals, error) {
	r := d.decode(src)
	t := &GraphTotals{Links: r.int(), Hubs: r.int()}
	if n := r.count(); n != len(t.Sizes) {
		r.fail(fmt.Errorf("%w: %d classes of size", errCorrupt, n))
	}
	for i := range t.Sizes {
		t.Sizes[i] = r.int()
	}
	for range r.count() {
		t.Several = append(t.Several, NamespaceCount{Namespace: r.name(), Clusters: r.int()})
	}
	return t, r.done()
}

// totalsRow keeps the totals that a class is said to have, until all rows are counted.
func (c *checker) totalsRow(key, value []byte) {
	n, rest, err := cutNumber(key[1:])
	class, nameErr := c.dict.name(n)
	if err != nil || nameErr != nil || len(rest) > 0 {
		c.problem("graph totals", "key", "does not decode")
		return
	}
	row, err := c.dict.decodeTotals(value)
	if err != nil {
		c.problem("graph totals", class, "%v", err)
		return
	}
	c.said[class] = row
}

// counted returns what has been counted of a class so far.
func (c *checker) counted(class string) *GraphTotals {
	if c.found[class] == nil {
		c.found[class] = &GraphTotals{}
	}
	return c.found[class]
}

// compareTotals holds the totals to the rows. A class without totals was last written by a program
// that kept none.
func (c *checker) compareTotals() {
	for _, class := range slices.Sorted(maps.Keys(c.said)) {
		said, found := c.said[class], c.counted(class)
		if !said.Equal(found) {
			c.problem("graph totals", class, "say %v, there are %v", *said, *found)
		}
	}
}
