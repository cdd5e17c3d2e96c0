package identity

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"selfsame/profile"
)

// ProfileID names a profile. It is a keyed hash of the root identity of a cluster, and does not
// reveal it to those who lack the key.
type ProfileID [16]byte

// NewProfileID returns the id of the profile of a class whose root is the given identity: the first
// 128 bits of HMAC-SHA256 over class, namespace and value, each after its length as 8 bytes, big
// endian. These ids are on disk and in topics: the computation never changes. The key must pass
// [ValidateKey].
func NewProfileID(key []byte, class string, root profile.Identity) ProfileID {
	mac := hmac.New(sha256.New, key)
	var text []byte
	for _, part := range []string{class, root.Namespace, root.Value} {
		text = binary.BigEndian.AppendUint64(text, uint64(len(part)))
		text = append(text, part...)
	}
	mac.Write(text)
	return ProfileID(mac.Sum(nil)[:len(ProfileID{})])
}

// String gives 32 lower-case hexadecimal digits.
func (id ProfileID) String() string { return hex.EncodeToString(id[:]) }

// ParseProfileID is the inverse of [ProfileID.String].
func ParseProfileID(text string) (ProfileID, error) {
	var id ProfileID
	if len(text) != hex.EncodedLen(len(id)) {
		return ProfileID{}, errors.New("a profile id has 32 hexadecimal digits")
	}
	if _, err := hex.Decode(id[:], []byte(text)); err != nil {
		return ProfileID{}, errors.New("a profile id has 32 hexadecimal digits")
	}
	return id, nil
}

// MinKeyBytes is the least length of the key of profile ids.
const MinKeyBytes = 16

// KeyError says that a key of profile ids is too short.
type KeyError struct {
	Length int // in bytes
}

// Error implements error.
func (e *KeyError) Error() string {
	return fmt.Sprintf("the profile id key has %d bytes, at least %d are needed",
		e.Length, MinKeyBytes)
}

// ValidateKey returns a *[KeyError] where key is too short to hide identities behind.
func ValidateKey(key []byte) error {
	if len(key) < MinKeyBytes {
		return &KeyError{len(key)}
	}
	return nil
}

// Member is an identity of a cluster, with the record time at which it was first seen.
type Member struct {
	ID        profile.Identity
	FirstSeen int64
}

// Root returns the identity that gives a cluster its profile id: of the strongest namespace, among
// equals the one first seen, then the smallest value. The zero Identity where there are no members.
func (r *Rules) Root(members []Member) profile.Identity {
	if len(members) == 0 {
		return profile.Identity{}
	}
	return slices.MinFunc(members, func(a, b Member) int {
		return cmp.Or(
			cmp.Compare(r.Rank(a.ID.Namespace), r.Rank(b.ID.Namespace)),
			cmp.Compare(a.FirstSeen, b.FirstSeen),
			cmp.Compare(a.ID.Value, b.ID.Value),
			cmp.Compare(a.ID.Namespace, b.ID.Namespace), // undeclared namespaces share a rank
		)
	}).ID
}

// Fingerprint stands for an identity where its value must not be: a keyed hash that no profile id
// ever equals but by chance. It is on disk and in topics: the computation never changes.
func Fingerprint(key []byte, class string, id profile.Identity) [16]byte {
	return NewProfileID(key, "\x00fingerprint\x00"+class, id)
}
