package profile

import (
	"encoding/hex"
	"fmt"
)

// ID is the id of a merged profile: 128 bits of a keyed hash of its root identity. It reveals
// nothing of the identity without the key.
type ID [16]byte

// IsZero reports whether id names no profile.
func (id ID) IsZero() bool { return id == ID{} }

// String gives 32 lower-case hexadecimal digits, the form used in topics and in the API.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID reads what [ID.String] gives.
func ParseID(text string) (ID, error) {
	var id ID
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(id) {
		return id, fmt.Errorf("parsing profile id: want 32 hexadecimal digits, got %q", text)
	}
	copy(id[:], raw)
	return id, nil
}
