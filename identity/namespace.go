package identity

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/nyaruka/phonenumbers"
)

// Namespace declares one kind of identifier. The position in the list given to [NewRules] is its
// priority.
type Namespace struct {
	Name string // letters, digits, "_", "-" and ".", at most 64
	Type Type

	// Unique allows one identity of this namespace per cluster, and one value per record.
	Unique bool
	// Limit allows that many identities per cluster. 0 is none; 1 and Unique are the same thing.
	Limit int

	// Normalize names normalisers that run after the one of the type, in this order: "lower",
	// "upper", "digits" (keeps 0-9 only), "strip_spaces", "strip_leading_zeros" (the last zero
	// stays), "strip_plus_tag" (a+b@c becomes a@c).
	Normalize []string
	// Region is the default region of a phone namespace, as ISO 3166 alpha-2 ("DE"). With it values
	// become E.164; without it they stay as they are.
	Region string

	// Blocked values are ignored as identities, whatever their case, as are the default ones
	// (see [Rules.Normalize]).
	Blocked []string
	// BlockedPatterns are RE2 expressions that block the values they match from end to end.
	BlockedPatterns []string
	// HubDegree is the number of different neighbours, of its own or a stronger namespace, above
	// which an identity is a hub and stops linking. 0 is the default of the type, [HubsOff] none.
	HubDegree int
	// HubExempt are values that are never hubs.
	HubExempt []string
	// DropContested lets an identity that two values of one stronger unique namespace claim, by
	// links of its own, belong to neither. Else the newest claim wins.
	DropContested bool

	// NoDefaultBlocked leaves the default blocked values out. An empty value stays blocked.
	NoDefaultBlocked bool
}

// Type says what kind of thing an identity of a namespace names.
type Type uint8

// The types of namespaces. The zero Type is none.
const (
	Cookie      Type = iota + 1 // a browser
	Device                      // a device
	CrossDevice                 // a person: a login, a customer number
	Email                       // an e-mail address, lower-cased
	Phone                       // a phone number, E.164 where the namespace has a region
	NonPerson                   // a thing; it holds data but never links
)

var typeNames = [...]string{
	Cookie: "cookie", Device: "device", CrossDevice: "cross_device",
	Email: "email", Phone: "phone", NonPerson: "non_person",
}

// String gives the name that configuration uses.
func (t Type) String() string {
	if t == 0 || int(t) >= len(typeNames) {
		return fmt.Sprintf("type(%d)", uint8(t))
	}
	return typeNames[t]
}

// ParseType is the inverse of [Type.String].
func ParseType(name string) (Type, error) {
	for t := Cookie; t <= NonPerson; t++ {
		if typeNames[t] == name {
			return t, nil
		}
	}
	return 0, fmt.Errorf("unknown identity type %q", name)
}

var namespaceName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// validate reports everything that is wrong with n on its own.
func (n *Namespace) validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !namespaceName.MatchString(n.Name) {
		wrong("the name must be 1 to 64 letters, digits, '_', '-' or '.'")
	}
	if n.Type == 0 || n.Type > NonPerson {
		wrong("the type is missing or unknown")
	}
	if n.Limit < 0 {
		wrong("limit %d is negative", n.Limit)
	}
	if n.Unique && n.Limit > 1 {
		wrong("unique contradicts limit %d", n.Limit)
	}
	if n.Type == NonPerson && (n.Unique || n.Limit > 0) {
		wrong("non_person identities never link: unique and limit do not apply")
	}
	for _, name := range n.Normalize {
		if normalizers[name] == nil {
			wrong("unknown normaliser %q", name)
		}
	}
	for _, pattern := range n.BlockedPatterns {
		if _, err := regexp.Compile(pattern); err != nil {
			wrong("blocked pattern: %w", err)
		}
	}
	errs = append(errs, n.validateRegion(), n.validateHubs())
	return errors.Join(errs...)
}

func (n *Namespace) validateRegion() error {
	switch {
	case n.Region == "":
		return nil
	case n.Type != Phone:
		return errors.New("a region applies to type phone only")
	case !phonenumbers.GetSupportedRegions()[n.Region]:
		return fmt.Errorf("unknown region %q", n.Region)
	case len(n.Normalize) > 0:
		return errors.New("a phone with a region becomes E.164: no further normalisers apply")
	}
	return nil
}
