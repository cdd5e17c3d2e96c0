package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"selfsame/schemas"
)

// container sends the records of an Avro object container file. What comes before a fault is sent,
// and the fault says where to go on.
func (p *producer) container(ctx context.Context, name string, in io.Reader) error {
	c, err := schemas.NewContainerReader(name, in)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	r, err := schemas.NewResolution(c.Schema(), p.dataset.Schema)
	if err != nil {
		return fmt.Errorf("%s cannot be read as %s: %w", name, p.dataset.Schema.File(), err)
	}
	for {
		data, err := c.Next()
		if errors.Is(err, io.EOF) {
			return p.flush(ctx)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", name, err), p.flush(ctx))
		}
		if err := p.addResolved(ctx, r, data); err != nil {
			block, record := c.At()
			fault := &schemas.ContainerError{Block: block, Record: record, Err: err}
			return errors.Join(fmt.Errorf("%s: %w", name, fault), p.flush(ctx))
		}
	}
}

// addResolved adds a record that is written in another schema.
func (p *producer) addResolved(ctx context.Context, r *schemas.Resolution, data []byte) error {
	value, err := r.Decode(data)
	if err != nil {
		return err
	}
	encoded, err := p.dataset.EncodeValue(value, p.schemaID)
	if err != nil {
		return err
	}
	return p.push(ctx, value, encoded)
}
