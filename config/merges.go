package config

import (
	"slices"

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
func LoadMergeSpec(path string) (pipeline.MergeSpec, *SpecFile, error) {
	var f mergeFile
	file, err := readSpecFile(path, "the keys of one policy: strategy, precedence, overrides, "+
		"stitching", &f)
	if err != nil {
		return pipeline.MergeSpec{}, nil, err
	}
	whole := policy{Stitching: f.Stitching, Strategy: f.Strategy, Precedence: f.Precedence,
		Overrides: f.Overrides}
	return whole.spec(), file, nil
}

// mergeFile mirrors the file of a merge policy.
type mergeFile struct {
	Stitching  string              `yaml:"stitching"`
	Strategy   string              `yaml:"strategy"`
	Precedence []string            `yaml:"precedence"`
	Overrides  map[string]override `yaml:"overrides"`
}
