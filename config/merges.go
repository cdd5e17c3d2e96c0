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
	text, err := os.ReadFile(path)
	if err != nil {
		return pipeline.MergeSpec{}, fmt.Errorf("reading a merge policy: %w", err)
	}
	p := &problems{at: &lines{name: filepath.Base(path)}}
	var f mergeFile
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		p.explain(err)
		return pipeline.MergeSpec{}, p.err()
	}
	var more yaml.Node
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		p.list = append(p.list, problem{line: max(1, more.Line),
			text: "a second document: a policy is one"})
	}
	whole := policy{Stitching: f.Stitching, Strategy: f.Strategy, Precedence: f.Precedence,
		Overrides: f.Overrides}
	return whole.spec(), p.err()
}

// mergeFile mirrors the file of a merge policy.
type mergeFile struct {
	Stitching  string              `yaml:"stitching"`
	Strategy   string              `yaml:"strategy"`
	Precedence []string            `yaml:"precedence"`
	Overrides  map[string]override `yaml:"overrides"`
}
