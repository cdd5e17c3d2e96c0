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

// compileMerges completes the merge policies. They name datasets and paths of the union schemas, so
// it comes last.
func (c *Config) compileMerges(p *problems, m *pipeline.Model) {
	for _, e := range m.Entities {
		for i := range e.Policies {
			policy := &e.Policies[i]
			f := c.file.Entities[e.Name].Policies[policy.Name]
			compiled, errs := m.CompileMerge(e, policy.Name, f.spec())
			for _, err := range errs {
				at := []string{"entities", e.Name, "policies", policy.Name}
				p.add(slices.Concat(at, err.Key), "%s", err.Problem)
			}
			policy.Policy = compiled
		}
	}
}

func (f *policy) spec() pipeline.MergeSpec {
	spec := pipeline.MergeSpec{Stitching: f.Stitching, Strategy: f.Strategy,
		Precedence: f.Precedence, Overrides: map[string]pipeline.RuleSpec{}}
	for pattern, o := range f.Overrides {
		spec.Overrides[pattern] = pipeline.RuleSpec(o)
	}
	return spec
}

// LoadMergeSpec reads a merge policy of its own file: the keys of a policy that say how to merge.
func LoadMergeSpec(path string) (pipeline.MergeSpec, error) {
	var spec pipeline.MergeSpec
	text, err := os.ReadFile(path)
	if err != nil {
		return spec, fmt.Errorf("reading a merge policy: %w", err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&spec); err != nil && !errors.Is(err, io.EOF) {
		return spec, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return spec, fmt.Errorf("%s: a second document: a policy is one", filepath.Base(path))
	}
	return spec, nil
}
