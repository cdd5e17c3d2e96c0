package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"selfsame/pipeline"
	"selfsame/registry"
	"selfsame/schemas"
)

// schemaSource is where a dataset's schema comes from: a file, by its name alone or as
// {file: PATH}, or a subject of the schema registry.
type schemaSource struct {
	File    string `yaml:"file"`
	Subject string `yaml:"subject"`
	Version string `yaml:"version"`
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (s *schemaSource) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		s.File = n.Value
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: want a file, or {subject: NAME, version: N}", n.Line)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch key := n.Content[i].Value; key {
		case "file":
			s.File = n.Content[i+1].Value
		case "subject":
			s.Subject = n.Content[i+1].Value
		case "version":
			s.Version = n.Content[i+1].Value
		default:
			return fmt.Errorf("line %d: unknown key %q: want subject and version, or file",
				n.Line, key)
		}
	}
	return nil
}

// String names the source for messages.
func (s schemaSource) String() string {
	if s.Subject == "" {
		return s.File
	}
	return fmt.Sprintf("subject %s, version %s", s.Subject, s.version())
}

func (s schemaSource) version() string {
	if s.Version == "" {
		return registry.Latest
	}
	return s.Version
}

func (s schemaSource) check() error {
	switch {
	case s.File == "" && s.Subject == "":
		return errors.New("schema is missing: name an Avro schema file, or a subject of the " +
			"schema registry")
	case s.File != "" && s.Subject+s.Version != "":
		return errors.New("a schema is in a file or in the registry, not both")
	}
	if n, err := strconv.Atoi(s.Version); s.Version != "" && s.Version != registry.Latest &&
		(err != nil || n < 1) {
		return fmt.Errorf("version %q is not %s or a number from 1 on", s.Version, registry.Latest)
	}
	return nil
}

// errOffline says that the registry is not asked.
var errOffline = errors.New("the schema registry is not asked")

// readSchema reads and parses a schema.
func (c *Config) readSchema(s schemaSource) (*schemas.Schema, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	var text []byte
	var err error
	switch {
	case s.Subject != "":
		text, err = c.fetchSchema(s)
	case c.schemas != nil:
		text, err = fs.ReadFile(c.schemas, c.resolve(s.File))
	default:
		text, err = os.ReadFile(c.resolve(s.File))
	}
	if err != nil {
		return nil, err
	}
	return schemas.Parse(s.String(), text)
}

// fetchSchema asks the registry. When that was in vain once because the registry is away, it is not
// asked for the other datasets.
func (c *Config) fetchSchema(s schemaSource) ([]byte, error) {
	switch {
	case c.offline:
		return nil, errOffline
	case c.file.Registry.URL == "":
		return nil, errors.New("registry.url is missing: where is the schema registry?")
	case c.away != nil:
		return nil, c.away
	}
	client, err := registry.New(c.RegistryConfig(), pipeline.Sleep)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	found, err := client.Find(context.Background(), s.Subject, s.version())
	if errors.Is(err, registry.ErrUnreachable) || errors.Is(err, registry.ErrUnauthorized) {
		c.away = err
	}
	return found.Text, err
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
