package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"selfsame/schemas"
)

// errRegistry says that reading waits for the schema registry.
var errRegistry = errors.New("reading needs a schema")

// Bounds of how a reader asks for a schema that the registry does not know.
const (
	minSchemaPause = 100 * time.Millisecond
	maxSchemaPause = time.Second
	schemaAgain    = time.Minute // after records in it were rejected
	maxRefused     = 1000        // ids that a reader remembers as unknown
)

// learn sees to it that the decoder knows the schemas of framed records before it meets them. While
// the registry cannot be asked, it waits: nothing is rejected for that. An id that the registry
// does not know is asked for again for a while, since registries are copied, and records can be
// faster.
// It reports false when reading has to end for now.
func (r *reader) learn(ctx context.Context, records []Record) bool {
	missing := r.missing(records)
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

// missing lists the schemas to be asked for, each once. Ids that no registry gives are left out:
// they are positive.
func (r *reader) missing(records []Record) []uint32 {
	var ids []uint32
	now := time.Now()
	for i := range records {
		for _, id := range r.p.decoder.Unlearned(&records[i]) {
			if id == 0 || id > math.MaxInt32 || slices.Contains(ids, id) ||
				now.Before(r.refused[id]) {
				continue
			}
			ids = append(ids, id)
		}
	}
	return ids
}

// ask asks for schemas. It returns the ids that the registry does not know, or where it cannot be
// asked, those that are left, with the reason.
func (r *reader) ask(ctx context.Context, ids []uint32) (left []uint32, err error) {
	if r.p.Registry == nil {
		return ids, errors.New("no schema registry is configured")
	}
	for i, id := range ids {
		var w *schemas.WriterSchema
		text, err := r.p.Registry.SchemaText(ctx, id)
		if err == nil {
			w, err = schemas.ParseWriter(fmt.Sprintf("schema id %d", id), text)
		}
		var unfit *schemas.SchemaError
		switch {
		case err == nil:
			r.p.decoder.Learn(id, w)
		case errors.Is(err, ErrUnknownSchema):
			left = append(left, id)
		case errors.Is(err, ErrUnusableSchema), errors.As(err, &unfit):
			r.p.Log.Warn("a schema of the registry is of no use; records in it are rejected",
				"partition", r.tp.String(), "id", id, "error", err)
			r.refuse(id)
		default:
			return append(left, ids[i:]...), err
		}
	}
	return left, nil
}

// giveUp has the records of unknown ids rejected.
func (r *reader) giveUp(ids []uint32) {
	for _, id := range ids {
		r.p.Log.Warn("the schema registry does not know a schema; records in it are rejected",
			"partition", r.tp.String(), "id", id)
		r.refuse(id)
	}
}

// refuse does without a schema for a while.
func (r *reader) refuse(id uint32) {
	if len(r.refused) >= maxRefused {
		clear(r.refused)
	}
	r.refused[id] = time.Now().Add(schemaAgain)
}
