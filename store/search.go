package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"selfsame/profile"
)

// Trace is where the value of an identity was found.
type Trace struct {
	Identity profile.Identity
	// Rows counts the rows that hold the value, by their key space: identity, link, fragment, and
	// so on.
	Rows map[string]int
	// Files counts the log files of the engine that hold it: they are not read any more, and are
	// overwritten as the store goes on.
	Files int
}

// Compact rewrites the store, so that nothing that was overwritten or deleted is left in its
// tables. It may run beside commits.
func (s *Store) Compact(ctx context.Context) error {
	if err := s.db.Flush(); err != nil {
		return fmt.Errorf("compacting the store: %w", err)
	}
	if err := s.db.Compact(ctx, []byte{0}, []byte{0xff}, false); err != nil {
		return fmt.Errorf("compacting the store: %w", err)
	}
	return nil
}

// Search looks for the values of identities in every key and value of the latest committed state,
// as profile.Needle finds them.
func (s *Store) Search(ctx context.Context, ids []profile.Identity) ([]Trace, error) {
	traces := make([]Trace, len(ids))
	wanted := make([]profile.Needle, len(ids))
	for i, id := range ids {
		traces[i] = Trace{Identity: id, Rows: map[string]int{}}
		wanted[i] = s.dict.needle(id)
	}
	snap := s.Snapshot()
	defer snap.Close()
	var lower []byte
	n := 0
	err := snap.scan(nil, func(key, value []byte) error {
		lower = profile.AppendLower(append(profile.AppendLower(lower[:0], key), 0, 0xff), value)
		for i := range wanted {
			if wanted[i].In(lower) {
				traces[i].Rows[nameOfSpace(key)]++
			}
		}
		if n++; n%1000 == 0 {
			return ctx.Err()
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("searching the store: %w", err)
	}
	return traces, s.searchLogs(ids, traces)
}

// needle is the value of an identity in the forms in which rows hold it.
func (d *dictionary) needle(id profile.Identity) profile.Needle {
	escaped := appendText(nil, id.Value)
	if !profile.Short(id.Value) {
		return profile.NewNeedle(id.Value, escaped[:len(escaped)-2])
	}
	text := append(binary.AppendUvarint(nil, uint64(len(id.Value))), id.Value...)
	forms := [][]byte{append([]byte{byte(profile.KindString)}, text...)}
	if n, err := d.number(id.Namespace); err == nil {
		forms = append(forms, append(appendNumber(nil, n), escaped...),
			append(binary.AppendUvarint(nil, uint64(n)), text...))
	}
	return profile.NewNeedle(id.Value, forms...)
}

// nameOfSpace names the key space of a row, and of an identity's rows their kind.
func nameOfSpace(key []byte) string {
	if key[0] != spaceData {
		names := map[byte]string{spaceEventID: "event id", spaceCluster: "cluster",
			spaceProfile: "profile", spaceOutbox: "outbox", spaceFloor: "floor",
			spacePosition: "position", spaceInput: "input", spaceMeta: "meta", spaceName: "name",
			spaceBlocked: "blocked value", spaceCut: "cut", spaceErased: "erased identity",
			spaceApplied: "control record", spaceJob: "job", spaceTimer: "timer",
			spaceHub: "hub", spaceTotals: "graph totals"}
		return names[key[0]]
	}
	_, rest, err := cutNumber(key[1:])
	if err == nil {
		_, rest, err = cutNumber(rest)
	}
	if err == nil {
		_, rest, err = cutText(rest)
	}
	if err != nil || len(rest) == 0 {
		return "data"
	}
	names := map[byte]string{rowIdentity: "identity", rowLink: "link", rowFragment: "fragment",
		rowEvent: "event", rowOrders: "orders", rowSaid: "current links", rowFloors: "floors",
		rowComputed: "computed attribute"}
	return names[rest[0]]
}

// searchLogs looks into the log files that lie in the directory.
func (s *Store) searchLogs(ids []profile.Identity, traces []Trace) error {
	names, err := s.options.FS.List(s.dir)
	if err != nil {
		return fmt.Errorf("searching the store's log files: %w", err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".log") {
			continue
		}
		text, err := s.readLog(name)
		if err != nil {
			return fmt.Errorf("searching log file %s: %w", name, err)
		}
		for i, id := range ids {
			if !profile.Short(id.Value) && profile.NewNeedle(id.Value).In(text) {
				traces[i].Files++
			}
		}
	}
	return nil
}

func (s *Store) readLog(name string) ([]byte, error) {
	file, err := s.options.FS.Open(s.options.FS.PathJoin(s.dir, name))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	raw, err := io.ReadAll(file)
	return profile.AppendLower(nil, raw), err
}
