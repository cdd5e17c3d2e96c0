package store

import (
	"fmt"

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
