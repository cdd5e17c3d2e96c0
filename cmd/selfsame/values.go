package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"selfsame/config"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/registry"
	"selfsame/schemas"
)

// topicValues makes the values of a topic readable: those of a profile topic in Avro become JSON.
type topicValues struct {
	format   pipeline.Format
	own      *schemas.Schema            // of pipeline.FormatAvro
	registry *registry.Client           // of pipeline.FormatRegistry
	byID     map[uint32]*schemas.Schema // that have been asked for
}

// openValues prepares to read a topic.
func openValues(cfg *config.Config, topic string) (*topicValues, error) {
	model, err := cfg.Model()
	if err != nil {
		return nil, err
	}
	client, err := openRegistry(cfg)
	if err != nil {
		return nil, err
	}
	return newTopicValues(model, topic, client)
}

func newTopicValues(model *pipeline.Model, topic string, client *registry.Client) (
	*topicValues, error) {
	v := &topicValues{registry: client, byID: map[uint32]*schemas.Schema{}}
	for _, e := range model.Entities {
		for i := range e.Policies {
			if e.Policies[i].Topic != topic || e.Policies[i].Format == pipeline.FormatJSON {
				continue
			}
			schema, err := model.ProfileSchema(e)
			if err != nil {
				return nil, err
			}
			v.format, v.own = e.Policies[i].Format, schema.Schema()
		}
	}
	return v, nil
}

// text renders a value. One that cannot be read is named by its size and what is wrong.
func (v *topicValues) text(ctx context.Context, value []byte) string {
	if v.format == pipeline.FormatJSON {
		return string(value)
	}
	schema, body, err := v.schemaOf(ctx, value)
	var decoded profile.Value
	if err == nil {
		decoded, err = schema.DecodeAvro(body)
	}
	if err != nil {
		return fmt.Sprintf("(%d bytes: %v)", len(value), err)
	}
	return string(profile.AppendJSON(nil, decoded))
}

func (v *topicValues) schemaOf(ctx context.Context, value []byte) (
	*schemas.Schema, []byte, error) {
	if v.format == pipeline.FormatAvro {
		return v.own, value, nil
	}
	if len(value) < 5 || value[0] != 0 {
		return nil, nil, errors.New("it names no schema")
	}
	id, body := binary.BigEndian.Uint32(value[1:]), value[5:]
	if schema := v.byID[id]; schema != nil {
		return schema, body, nil
	}
	text, err := v.registry.SchemaText(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	schema, err := schemas.Parse(fmt.Sprintf("schema id %d", id), text)
	if err == nil {
		v.byID[id] = schema
	}
	return schema, body, err
}
