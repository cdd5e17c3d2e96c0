package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"selfsame/config"
	"selfsame/pipeline"
	"selfsame/registry"
)

// openRegistry returns the client of the schema registry, nil where none is configured.
func openRegistry(cfg *config.Config) (*registry.Client, error) {
	rc := cfg.RegistryConfig()
	if rc.URL == "" {
		return nil, nil
	}
	return registry.New(rc, pipeline.Sleep)
}

// outputSchemas gives every policy whose values name their schema the id of it, and registers the
// schema where that is allowed.
type outputSchemas struct {
	client   *registry.Client
	register bool
	log      *slog.Logger
}

func (o *outputSchemas) settle(ctx context.Context, model *pipeline.Model) error {
	for _, e := range model.Entities {
		for i := range e.Policies {
			policy := &e.Policies[i]
			if policy.Format != pipeline.FormatRegistry {
				continue
			}
			schema, err := model.ProfileSchema(e)
			if err != nil {
				return err
			}
			subject := registry.ValueSubject(policy.Topic)
			if policy.SchemaID, err = o.id(ctx, subject, schema.Avro()); err != nil {
				return err
			}
			o.log.Info("the schema of an output topic is registered", "topic", policy.Topic,
				"subject", subject, "id", policy.SchemaID)
		}
	}
	return nil
}

// id looks a schema up, or registers it.
func (o *outputSchemas) id(ctx context.Context, subject string, text []byte) (uint32, error) {
	if !o.register {
		id, err := o.client.Lookup(ctx, subject, text)
		if errors.Is(err, registry.ErrNotFound) {
			err = fmt.Errorf("%w: register the schema yourself, or allow the daemon to with "+
				"registry.auto_register; the schema is\n%s", err, text)
		}
		return id, err
	}
	id, err := o.client.Register(ctx, subject, text)
	if errors.Is(err, registry.ErrIncompatible) {
		err = fmt.Errorf("%w\nto go on: take back the change of the datasets' schemas, or set the "+
			"compatibility of subject %s to one that allows it, or name a new output topic", err,
			subject)
	}
	return id, err
}
