package pipeline

// cache keeps decoded rows between commits, bounded: two generations, of which the older is dropped
// when the younger is full. What is used moves to the younger. Dirty rows are written by the commit
// that made them dirty, so that dropping never loses anything.
type cache[K comparable, V any] struct {
	young, old map[K]*V
	limit      int // rows per generation
}

func newCache[K comparable, V any](limit int) cache[K, V] {
	return cache[K, V]{young: map[K]*V{}, old: map[K]*V{}, limit: limit}
}

// get returns the row of k, nil where it is not held.
func (c *cache[K, V]) get(k K) *V {
	if v, ok := c.young[k]; ok {
		return v
	}
	v, ok := c.old[k]
	if ok {
		c.young[k] = v
		delete(c.old, k)
	}
	return v
}

func (c *cache[K, V]) put(k K, v *V) { c.young[k] = v }

// turn starts a new generation when the younger is full. Call it between commits only.
func (c *cache[K, V]) turn() {
	if len(c.young) > c.limit {
		c.old = c.young
		c.young = make(map[K]*V, c.limit/2)
	}
}
