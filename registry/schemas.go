package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"selfsame/pipeline"
	"selfsame/schemas"
)

// Latest is the version that a subject has now.
const Latest = "latest"

// document is a schema as the registry tells it.
type document struct {
	ID         uint32      `json:"id"`
	Version    int         `json:"version"`
	Schema     string      `json:"schema"`
	Type       string      `json:"schemaType"`
	References []reference `json:"references"`
}

// reference names a schema that another one uses.
type reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// Registered is a schema under a subject.
type Registered struct {
	ID      uint32
	Version int
	Text    []byte // self-contained
}

// SchemaText implements pipeline.SchemaRegistry.
func (c *Client) SchemaText(ctx context.Context, id uint32) ([]byte, error) {
	if text := c.cache.get(id); text != nil {
		return text, nil
	}
	var d document
	var text []byte
	err := c.call(ctx, http.MethodGet, "/schemas/ids/"+strconv.FormatUint(uint64(id), 10), nil, &d)
	if err == nil {
		text, err = c.resolve(ctx, &d)
	}
	var unfit *schemas.SchemaError
	switch {
	case errors.Is(err, ErrNotFound): // the schema, or one that it refers to
		err = fmt.Errorf("%w: %w", pipeline.ErrUnknownSchema, err)
	case errors.Is(err, ErrNotAvro), errors.As(err, &unfit):
		err = fmt.Errorf("%w: %w", pipeline.ErrUnusableSchema, err)
	}
	if err != nil {
		return nil, fmt.Errorf("asking the schema registry for id %d: %w", id, err)
	}
	c.cache.put(id, text)
	return text, nil
}

// Find returns a version of a subject: a number, or [Latest].
func (c *Client) Find(ctx context.Context, subject, version string) (Registered, error) {
	d, err := c.version(ctx, subject, version)
	var text []byte
	if err == nil {
		text, err = c.resolve(ctx, &d)
	}
	if err != nil {
		return Registered{}, fmt.Errorf("asking the schema registry for subject %s, version %s: %w",
			subject, version, err)
	}
	return Registered{ID: d.ID, Version: d.Version, Text: text}, nil
}

func (c *Client) version(ctx context.Context, subject, version string) (d document, err error) {
	path := "/subjects/" + url.PathEscape(subject) + "/versions/" + url.PathEscape(version)
	return d, c.call(ctx, http.MethodGet, path, nil, &d)
}

// maxReferences bounds the schemas that one schema refers to, directly or not.
const maxReferences = 1000

// resolve makes one text of a schema and all that it refers to.
func (c *Client) resolve(ctx context.Context, d *document) ([]byte, error) {
	if d.Type != "" && d.Type != "AVRO" {
		return nil, fmt.Errorf("%w: it is %.20q", ErrNotAvro, d.Type)
	}
	if len(d.References) == 0 {
		return []byte(d.Schema), nil
	}
	var texts [][]byte
	seen := map[reference]bool{}
	for open := d.References; len(open) > 0; {
		next := open[0]
		open = open[1:]
		next.Name = "" // the types that the text declares count
		if seen[next] {
			continue
		}
		if seen[next] = true; len(seen) > maxReferences {
			return nil, fmt.Errorf("%w: it refers to more than %d schemas", ErrRefused,
				maxReferences)
		}
		below, err := c.version(ctx, next.Subject, strconv.Itoa(next.Version))
		if err != nil {
			return nil, fmt.Errorf("following its reference to subject %s, version %d: %w",
				next.Subject, next.Version, err)
		}
		texts = append(texts, []byte(below.Schema))
		open = append(open, below.References...)
	}
	return schemas.Inline("schema of the registry", []byte(d.Schema), texts)
}
