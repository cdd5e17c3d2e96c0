package config

import (
	"context"
	"errors"
	"time"

	"selfsame/pipeline"
	"selfsame/registry"
)

// errOffline says that the registry is not asked.
var errOffline = errors.New("the schema registry is not asked")

// fetchSchema asks the registry. When that was in vain once because the registry is away, it is not
// asked for the other datasets.
func (c *Config) fetchSchema(s schemaSource) (found registry.Registered, err error) {
	switch {
	case c.offline:
		return found, errOffline
	case c.file.Registry.URL == "":
		return found, errors.New("registry.url is missing: where is the schema registry?")
	case c.away != nil:
		return found, c.away
	}
	client, err := registry.New(c.RegistryConfig(), pipeline.Sleep)
	if err != nil {
		return found, err
	}
	defer client.Close()
	found, err = client.Find(context.Background(), s.Subject, s.version())
	if errors.Is(err, registry.ErrUnreachable) || errors.Is(err, registry.ErrUnauthorized) {
		c.away = err
	}
	return found, err
}

// checkRegistry looks at the registry's settings, and whether there are any where they are needed.
func (c *Config) checkRegistry(p *problems) {
	f := c.file.Registry
	c.registryPassword = c.readSecret(p, f.Password, "registry", "password")
	c.registryToken = c.readSecret(p, f.Token, "registry", "token")
	each(p, []string{"registry"}, c.RegistryConfig().Validate())
	if f.URL != "" {
		return
	}
	for name, ds := range c.file.Datasets {
		if ds.Format == "registry" {
			p.add([]string{"datasets", name, "format"}, "registry needs registry.url")
		}
	}
	for name, e := range c.file.Entities {
		for policy, one := range e.Policies {
			if one.Format == "registry" {
				p.add([]string{"entities", name, "policies", policy, "format"},
					"registry needs registry.url")
			}
		}
	}
}

// RegistryConfig returns how to reach the schema registry; its URL is empty where there is none.
func (c *Config) RegistryConfig() registry.Config {
	f, cfg := c.file.Registry, registry.Default()
	cfg.URL, cfg.Username = f.URL, f.Username
	cfg.Password, cfg.Token = c.registryPassword, c.registryToken
	cfg.CAFile, cfg.CertFile = c.optional(f.CAFile), c.optional(f.CertFile)
	cfg.KeyFile = c.optional(f.KeyFile)
	cfg.RequestTimeout = time.Duration(f.RequestTimeout)
	return cfg
}

// RegistersSchemas reports whether schemas of the output are registered, rather than only looked
// up.
func (c *Config) RegistersSchemas() bool { return c.file.Registry.AutoRegister }
