package pipeline

import (
	"sync"

	"selfsame/store"
)

// rendered holds the content of profiles between the commit that changed them and their publishing,
// so that the common case merges once. It is only a shortcut: what it does not hold, or holds in
// another version than the publisher's snapshot, is merged again from the snapshot.
type rendered struct {
	mu struct {
		sync.Mutex
		contents map[store.ProfileRef]renderedContent
		bytes    int
	}
	limit int // bytes held at the most
}

type renderedContent struct {
	version uint64
	content []byte
}

func newRendered(limit int) *rendered {
	r := &rendered{limit: limit}
	r.mu.contents = map[store.ProfileRef]renderedContent{}
	return r
}

// put holds a content unless that exceeds the limit.
func (r *rendered) put(ref store.ProfileRef, version uint64, content []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old, ok := r.mu.contents[ref]; ok {
		r.mu.bytes -= len(old.content)
		delete(r.mu.contents, ref)
	}
	if r.mu.bytes+len(content) > r.limit {
		return
	}
	r.mu.bytes += len(content)
	r.mu.contents[ref] = renderedContent{version, content}
}

// take returns the content of that version and forgets it; nil where it is not held.
func (r *rendered) take(ref store.ProfileRef, version uint64) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	held, ok := r.mu.contents[ref]
	if !ok || held.version > version {
		return nil
	}
	delete(r.mu.contents, ref)
	r.mu.bytes -= len(held.content)
	if held.version != version {
		return nil
	}
	return held.content
}
