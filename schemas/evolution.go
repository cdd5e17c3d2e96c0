package schemas

import "errors"

// CheckEvolution reports what a new union takes away from the one that the store was written with,
// or retypes, joined, as [EvolutionError]s. Additions and promotions (int to long, float to double,
// more symbols, items that become nullable; integers to floating point where a dataset says
// promote: lossy) are fine.
func CheckEvolution(old, next *Union) error {
	var faults []error
	for _, c := range DiffUnions(old, next) {
		if !c.Additive {
			faults = append(faults, &EvolutionError{Path: c.Path, Was: c.Was, Is: c.Is})
		}
	}
	return errors.Join(faults...)
}
