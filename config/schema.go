package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"go.yaml.in/yaml/v3"

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

// readSchema reads and parses a schema. id is that of the registry, where it is from there.
func (c *Config) readSchema(s schemaSource) (schema *schemas.Schema, id uint32, err error) {
	if err := s.check(); err != nil {
		return nil, 0, err
	}
	found := registry.Registered{}
	if s.Subject != "" {
		found, err = c.fetchSchema(s)
	} else {
		found.Text, err = c.readText(s.File)
	}
	if err != nil {
		return nil, 0, err
	}
	schema, err = schemas.Parse(s.String(), found.Text)
	return schema, found.ID, err
}

// readWriter reads and parses a schema that data is written in.
func (c *Config) readWriter(path string) (*schemas.WriterSchema, error) {
	text, err := c.readText(path)
	if err != nil {
		return nil, err
	}
	return schemas.ParseWriter(path, text)
}

// readText reads a schema file.
func (c *Config) readText(path string) ([]byte, error) {
	if c.schemas != nil {
		return fs.ReadFile(c.schemas, c.resolve(path))
	}
	return os.ReadFile(c.resolve(path))
}
