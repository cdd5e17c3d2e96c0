package pipeline

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"selfsame/computed"
)

// ComputedSpec is a computed attribute as people write it. A key that is there is not empty.
type ComputedSpec struct {
	Dataset     string   `json:"dataset,omitempty" yaml:"dataset"`
	Datasets    []string `json:"datasets,omitempty" yaml:"datasets"`
	Function    string   `json:"function" yaml:"function"`
	Value       *string  `json:"value,omitempty" yaml:"value"`
	Filter      *string  `json:"filter,omitempty" yaml:"filter"`
	Window      string   `json:"window" yaml:"window"`
	Zone        *string  `json:"zone,omitempty" yaml:"zone"`
	WeekStart   *string  `json:"week_start,omitempty" yaml:"week_start"`
	N           *int     `json:"n,omitempty" yaml:"n"`
	MaxDistinct *int     `json:"max_distinct,omitempty" yaml:"max_distinct"`
}

// CompileComputed makes the computed attribute that a spec describes, and everything that is wrong
// with the spec. class is the model's, see [Model.ComputedClass].
func CompileComputed(name string, spec ComputedSpec, class *computed.Class) (*ComputedDefinition,
	[]SpecError) {
	def := computed.Definition{Name: name, Datasets: spec.Datasets,
		Function: computed.Function(spec.Function), Window: spec.Window}
	var errs []SpecError
	wrong := func(key, problem string) {
		errs = append(errs, SpecError{Key: []string{key}, Problem: problem})
	}
	for _, one := range []struct {
		key  string
		from *string
		to   *string
	}{{"value", spec.Value, &def.Value}, {"filter", spec.Filter, &def.Filter},
		{"zone", spec.Zone, &def.Zone}, {"week_start", spec.WeekStart, &def.WeekStart}} {
		if one.from == nil {
			continue
		}
		if *one.to = *one.from; strings.TrimSpace(*one.from) == "" {
			wrong(one.key, "is empty: leave the key out, or say something")
		}
	}
	switch {
	case spec.Dataset != "" && spec.Datasets != nil:
		wrong("datasets", "want dataset or datasets, not both")
	case spec.Dataset != "":
		def.Datasets = []string{spec.Dataset}
	}
	if spec.N != nil {
		if def.N = *spec.N; def.N == 0 {
			wrong("n", fmt.Sprintf("want 1 to %d", computed.MaxListed))
		}
	}
	if spec.MaxDistinct != nil {
		if def.MaxDistinct = *spec.MaxDistinct; def.MaxDistinct == 0 {
			wrong("max_distinct", fmt.Sprintf("want 1 to %d", computed.MaxMaxDistinct))
		}
	}
	compiled, err := DefineComputed(def, class)
	for _, one := range definitionErrors(err) {
		if spec.Dataset != "" && one.Key == "datasets" {
			one.Key = "dataset"
		}
		seen := func(e SpecError) bool { return e.Key[0] == one.Key }
		if !slices.ContainsFunc(errs, seen) {
			wrong(one.Key, one.Place()+one.Reason)
		}
	}
	return compiled, errs
}

// definitionErrors takes joined errors apart.
func definitionErrors(err error) []*computed.DefinitionError {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*computed.DefinitionError
		for _, one := range joined.Unwrap() {
			all = append(all, definitionErrors(one)...)
		}
		return all
	}
	var one *computed.DefinitionError
	if errors.As(err, &one) {
		copied := *one
		return []*computed.DefinitionError{&copied}
	}
	return nil
}
