package registry

import (
	"container/list"
	"sync"
)

// cache keeps the texts of schemas by id, those used last. An id stands for one schema for ever.
type cache struct {
	limit int // bytes of texts
	mu    struct {
		sync.Mutex
		texts map[uint32]*list.Element // of cached
		order *list.List               // used last in front
		bytes int
	}
}

type cached struct {
	id   uint32
	text []byte
}

func newCache(limit int) *cache {
	c := &cache{limit: limit}
	c.mu.texts, c.mu.order = map[uint32]*list.Element{}, list.New()
	return c
}

// get returns a text that nobody changes, nil where there is none.
func (c *cache) get(id uint32) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.mu.texts[id]
	if e == nil {
		return nil
	}
	c.mu.order.MoveToFront(e)
	return e.Value.(cached).text
}

func (c *cache) put(id uint32, text []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.texts[id] != nil || len(text) > c.limit {
		return
	}
	c.mu.texts[id] = c.mu.order.PushFront(cached{id, text})
	c.mu.bytes += len(text)
	for c.mu.bytes > c.limit {
		last := c.mu.order.Remove(c.mu.order.Back()).(cached)
		delete(c.mu.texts, last.id)
		c.mu.bytes -= len(last.text)
	}
}
