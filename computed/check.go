package computed

import "fmt"

// CheckRow reports whether a stored row has the form of one, as far as that can be told without
// the attribute that it belongs to.
func CheckRow(key, value []byte) error {
	if len(key) == 0 || len(value) == 0 {
		return errRow
	}
	switch key[0] {
	case spaceIndex, spaceDay:
		return nil
	case spaceSummary:
		if _, err := readSummary(value); err != nil {
			return fmt.Errorf("its summary: %w", err)
		}
		return nil
	}
	return fmt.Errorf("%w: unknown kind %d", errRow, key[0])
}
