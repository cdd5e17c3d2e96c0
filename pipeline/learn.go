package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errRegistry says that reading waits for the schema registry.
var errRegistry = errors.New("reading needs a schema")

// Bounds of how a reader asks for a schema that the registry does not know.
const (
	minSchemaPause = 100 * time.Millisecond
	maxSchemaPause = time.Second
	schemaAgain    = time.Minute // after records in it were rejected
)

// learn sees to it that the schemas of framed records are known before they are decoded. While the
// registry cannot be asked, it waits: nothing is rejected for that. An id that the registry does
// not know is asked for again for a while, since registries are copied, and records can be faster.
// It reports false when reading has to end for now.
func (r *reader) learn(ctx context.Context, records []Record) bool {
	missing := r.writers.missing(r.p.decoder, records, time.Now().UnixNano())
	var since time.Time // the registry has answered, but does not know all of them
	pause := minSchemaPause
	for len(missing) > 0 {
		left, err := r.ask(ctx, missing)
		missing = left
		switch {
		case err != nil:
			r.holdUp(ctx, fmt.Errorf("%w: %w", errRegistry, err))
			since = time.Time{}
		case len(left) == 0:
		case since.IsZero():
			since = time.Now()
		case time.Since(since) >= r.p.Options.UnknownSchemaRetry:
			r.giveUp(left)
			missing = nil
		default:
			_ = Sleep(ctx, pause) // the loop asks ctx
			pause = min(2*pause, maxSchemaPause)
		}
		if ctx.Err() != nil || !r.p.Shard.board.reads(r.tp.Topic, r.in.Generation) {
			return false
		}
		if err == nil {
			r.goesOn()
		}
	}
	return true
}

// ask asks for schemas. It returns the ids that the registry does not know, or where it cannot be
// asked, those that are left, with the reason.
func (r *reader) ask(ctx context.Context, ids []uint32) (left []uint32, err error) {
	if r.p.Registry == nil {
		return ids, errors.New("none is configured")
	}
	for i, id := range ids {
		text, err := r.p.Registry.SchemaText(ctx, id)
		switch {
		case errors.Is(err, ErrUnknownSchema):
			left = append(left, id)
			continue
		case err != nil && !errors.Is(err, ErrUnusableSchema):
			return append(left, ids[i:]...), err
		}
		if err := r.writers.know(id, text, err); err != nil {
			r.p.Log.Warn("a schema of the registry is of no use; records in it are rejected",
				"partition", r.tp.String(), "id", id, "error", err)
		}
	}
	return left, nil
}

// giveUp has the records of unknown ids rejected.
func (r *reader) giveUp(ids []uint32) {
	for _, id := range ids {
		r.p.Log.Warn("the schema registry does not know a schema; records in it are rejected",
			"partition", r.tp.String(), "id", id)
		_ = r.writers.know(id, nil, ErrUnknownSchema) // which it is
		r.writers.known[id].again = time.Now().Add(schemaAgain).UnixNano()
	}
}
