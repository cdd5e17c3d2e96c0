package store

import (
	"fmt"

	"selfsame/profile"
)

// Clusters calls fn for each cluster of a class, in order of id.
func (r *Reader) Clusters(class string, fn func(profile.ID, *Cluster) error) error {
	prefix, err := r.dict.clusterKey(nil, class, profile.ID{})
	if err != nil {
		return fmt.Errorf("reading clusters: %w", err)
	}
	prefix = prefix[:len(prefix)-len(profile.ID{})]
	return r.scan(prefix, func(key, value []byte) error {
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
