package store

import (
	"errors"
	"fmt"
	"slices"

	"selfsame/profile"
)

// Clusters calls fn for each cluster of a class, in order of id.
func (r *Reader) Clusters(class string, fn func(profile.ID, *Cluster) error) error {
	return r.ClustersFrom(class, profile.ID{}, fn)
}

// ClustersFrom calls fn for each cluster of a class whose id is at least first, in order of id.
func (r *Reader) ClustersFrom(class string, first profile.ID,
	fn func(profile.ID, *Cluster) error) error {
	from, err := r.dict.clusterKey(nil, class, first)
	if err != nil {
		return fmt.Errorf("reading clusters: %w", err)
	}
	prefix := from[:len(from)-len(profile.ID{})]
	return r.scanFrom(from, prefix, func(key, value []byte) error {
		var id profile.ID
		if copy(id[:], key[len(prefix):]) != len(id) {
			return fmt.Errorf("reading clusters: %w", errKey)
		}
		row, err := r.dict.decodeCluster(value)
		if err != nil {
			return fmt.Errorf("reading clusters: %w", err)
		}
		return fn(id, row)
	})
}

// IdentityAt is an identity, and where a walk through all of them goes on with it.
type IdentityAt struct {
	Identity profile.Identity
	Cursor   []byte
}

// IdentitiesFrom lists up to limit identities of a class, in order of their keys, from a cursor on;
// nil is the beginning. next is where to go on, nil at the end.
func (r *Reader) IdentitiesFrom(class string, cursor []byte, limit int) (ids []IdentityAt,
	next []byte, err error) {
	number, err := r.dict.number(class)
	if err != nil {
		return nil, nil, fmt.Errorf("reading identities: %w", err)
	}
	prefix := appendNumber([]byte{spaceData}, number)
	it, err := r.src.NewIter(prefixBounds(prefix))
	if err != nil {
		return nil, nil, fmt.Errorf("reading identities: %w", err)
	}
	seek := append(slices.Clip(prefix), cursor...)
	for it.SeekGE(seek) && err == nil {
		at := IdentityAt{}
		tail, rest := it.Key()[len(prefix):], []byte(nil)
		if at.Identity, rest, err = r.dict.cutIdentity(tail); err != nil {
			break
		}
		at.Cursor = append([]byte{}, tail[:len(tail)-len(rest)]...)
		if len(ids) == limit {
			next = at.Cursor
			break
		}
		ids = append(ids, at)
		seek = prefixEnd(append(slices.Clip(prefix), at.Cursor...))
	}
	if err = errors.Join(err, it.Close()); err != nil {
		err = fmt.Errorf("reading identities: %w", err)
	}
	return ids, next, err
}
