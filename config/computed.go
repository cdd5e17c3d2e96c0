package config

import (
	"slices"

	"selfsame/pipeline"
)

// compileComputed checks the computed attributes against the events of their classes, unless it is
// not clear which these are.
func (c *Config) compileComputed(p *problems, m *pipeline.Model) {
	for _, e := range m.Entities {
		path := []string{"entities", e.Name, "computed"}
		specs := c.file.Entities[e.Name].Computed
		if len(specs) == 0 || p.any(blursEvents) || c.schemasAway(m, e.Name) {
			continue
		}
		class, err := m.ComputedClass(e.Name)
		if err != nil {
			continue // compose has told it
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

// blursEvents reports whether what is wrong at a path can say what the events of a class are.
func blursEvents(path []string) bool {
	return len(path) > 0 && path[0] == "datasets" &&
		(len(path) < 3 || slices.Contains([]string{"entity", "class"}, path[2]))
}

// schemasAway reports whether a schema of the class's events is in a registry that is not asked.
func (c *Config) schemasAway(m *pipeline.Model, entity string) bool {
	return slices.ContainsFunc(m.Datasets, func(ds *pipeline.Dataset) bool {
		return ds.Entity == entity && ds.Class == pipeline.ClassEvent && ds.Schema == nil
	})
}

// LoadComputedSpecs reads computed attributes of a file of their own: definitions by name, as
// entities.*.computed has them.
func LoadComputedSpecs(path string) (map[string]pipeline.ComputedSpec, *SpecFile, error) {
	var read map[string]computedFile
	file, err := readSpecFile(path, "definitions by name, as in entities.*.computed", &read)
	if err != nil {
		return nil, nil, err
	}
	specs := map[string]pipeline.ComputedSpec{}
	for name, one := range read {
		specs[name] = pipeline.ComputedSpec(one)
	}
	if len(specs) == 0 {
		return nil, nil, file.Explain([]pipeline.SpecError{{Problem: "want a definition"}})
	}
	return specs, file, nil
}
