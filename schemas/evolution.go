package schemas

import "errors"

// CheckEvolution reports what a new union takes away from the one that the store was written with,
// or retypes, joined, as [EvolutionError]s. Additions and promotions (int to long, float to double,
// more symbols, items that become nullable; integers to floating point where a dataset says
// promote: lossy) are fine.
func CheckEvolution(old, next *Union) error {
	return Refused(DiffUnions(old, next))
}

// Refused reports the changes that are not additive, joined, as [EvolutionError]s; nil where all
// are.
func Refused(changes []Change) error {
	var faults []error
	for _, c := range changes {
		if !c.Additive {
			faults = append(faults, &EvolutionError{Path: c.Path, Was: c.Was, Is: c.Is})
		}
	}
	return errors.Join(faults...)
}
