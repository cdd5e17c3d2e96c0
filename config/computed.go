package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"

	"selfsame/pipeline"
)

// compileComputed checks the computed attributes against the events of their classes.
func (c *Config) compileComputed(p *problems, m *pipeline.Model) {
	for _, e := range m.Entities {
		path := []string{"entities", e.Name, "computed"}
		specs := c.file.Entities[e.Name].Computed
		if len(specs) == 0 || len(p.list) > 0 || c.schemasAway(m, e.Name) {
			continue
		}
		class, err := m.ComputedClass(e.Name)
		if err != nil {
			p.add(path, "%v", err)
			continue
		}
		for _, name := range c.lines.keys(path...) {
			spec := pipeline.ComputedSpec(specs[name])
			compiled, errs := pipeline.CompileComputed(name, spec, class)
			for _, one := range errs {
				p.add(slices.Concat(path, []string{name}, one.Key), "%s", one.Problem)
			}
			if len(errs) == 0 {
				e.Computed = append(e.Computed, compiled)
			}
		}
	}
}

// schemasAway reports whether a schema of the class's events is in a registry that is not asked.
func (c *Config) schemasAway(m *pipeline.Model, entity string) bool {
	return slices.ContainsFunc(m.Datasets, func(ds *pipeline.Dataset) bool {
		return ds.Entity == entity && ds.Class == pipeline.ClassEvent && ds.Schema == nil
	})
}

// LoadComputedSpecs reads computed attributes of a file of their own: definitions by name, as
// entities.*.computed has them.
func LoadComputedSpecs(path string) (map[string]pipeline.ComputedSpec, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading computed attributes: %w", err)
	}
	var specs map[string]pipeline.ComputedSpec
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&specs); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: a second document: want one", filepath.Base(path))
	}
	return specs, nil
}
