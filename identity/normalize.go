package identity

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"

	"selfsame/profile"
)

// Normalize turns a raw value into an identity. In this order:
//
//  1. Text that is not UTF-8 is refused with *[InvalidError], as is an undeclared namespace.
//  2. The value is trimmed: white space, control characters, and the invisible marks that come
//     along when text is copied (byte order mark, zero-width and direction marks).
//  3. The type's normaliser runs: e-mail is lower-cased; a phone with a region becomes E.164, an
//     extension being kept as ";ext=". Then those that the namespace names.
//  4. blocked is true where the trimmed or the normalised value is a blocked one: the identity is
//     to be ignored and counted. Blocked by default, whatever the case: empty, null, none, nil,
//     undefined, nan, anonymous, guest, unknown, invalid, n/a, -, [object Object], and zeros
//     (alone or with separators, as in a UUID). A phone that has a region but cannot be a number
//     there is blocked too: as an identity it would join everybody who typed the same nonsense.
//  5. What is longer than [MaxValueBytes] is refused with *[InvalidError].
func (r *Rules) Normalize(
	namespace, raw string,
) (id profile.Identity, blocked bool, err error) {
	s := r.byName[namespace]
	if s == nil {
		return profile.Identity{}, false, undeclared(namespace)
	}
	if !utf8.ValidString(raw) {
		return profile.Identity{}, false, &InvalidError{namespace, "not valid UTF-8"}
	}
	trimmed := trim(raw)
	value, ok := s.normalize(trimmed)
	if !ok || s.blocked.match(trimmed) || s.blocked.match(value) {
		return profile.Identity{}, true, nil
	}
	if len(value) > MaxValueBytes {
		reason := fmt.Sprintf("longer than %d bytes", MaxValueBytes)
		return profile.Identity{}, false, &InvalidError{namespace, reason}
	}
	return profile.Identity{Namespace: namespace, Value: value}, false, nil
}

// Blocks reports whether the value of an identity, normalised, is blocked.
func (r *Rules) Blocks(id profile.Identity) bool {
	s := r.byName[id.Namespace]
	return s != nil && s.blocked.match(id.Value)
}

// normalizePasses bounds how often the normalisers run. Together they settle after one or two
// rounds: each changes the case or shortens the value.
const normalizePasses = 8

// normalize returns ok = false where value cannot be a value of the namespace.
func (s *space) normalize(value string) (normal string, ok bool) {
	if s.Type == Phone && s.Region != "" {
		return e164(value, s.Region)
	}
	for range normalizePasses {
		before := value
		for _, change := range s.change {
			value = change(value)
		}
		value = trim(value)
		if value == before {
			break
		}
	}
	return value, true
}

// normalizers are what [Namespace.Normalize] can name. Each is idempotent.
var normalizers = map[string]func(string) string{
	"lower":               strings.ToLower,
	"upper":               strings.ToUpper,
	"digits":              keepDigits,
	"strip_spaces":        stripSpaces,
	"strip_leading_zeros": stripLeadingZeros,
	"strip_plus_tag":      stripPlusTag,
}

// changes lists the normalisers of a namespace, that of its type first.
func changes(n *Namespace) []func(string) string {
	var list []func(string) string
	if n.Type == Email {
		list = append(list, strings.ToLower)
	}
	for _, name := range n.Normalize {
		list = append(list, normalizers[name])
	}
	return list
}

// trim removes what cannot be seen from both ends.
func trim(s string) string { return strings.TrimFunc(s, invisible) }

func invisible(c rune) bool {
	switch {
	case c == '\uFEFF', c >= '\u200B' && c <= '\u200F', c >= '\u202A' && c <= '\u202E',
		c >= '\u2060' && c <= '\u2069':
		return true
	}
	return unicode.IsSpace(c) || unicode.IsControl(c)
}

// e164 asks for a possible number (its length fits), not for an assigned one: numbering plans
// change, and an identity must not change with them. What never settles, such as a row of zeros
// that loses one each time, is no number.
func e164(value, region string) (number string, ok bool) {
	for range normalizePasses {
		parsed, err := phonenumbers.Parse(value, region)
		if err != nil || !phonenumbers.IsPossibleNumber(parsed) {
			return "", false
		}
		number = phonenumbers.Format(parsed, phonenumbers.E164)
		if extension := parsed.GetExtension(); extension != "" {
			number += ";ext=" + extension
		}
		if number == value {
			return number, true
		}
		value = number
	}
	return "", false
}

func keepDigits(s string) string {
	return strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return -1
		}
		return c
	}, s)
}

func stripSpaces(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) {
			return -1
		}
		return c
	}, s)
}

func stripLeadingZeros(s string) string {
	stripped := strings.TrimLeft(s, "0")
	if stripped == "" && s != "" {
		return "0"
	}
	return stripped
}

func stripPlusTag(s string) string {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return s
	}
	plus := strings.IndexByte(s[:at], '+')
	if plus <= 0 {
		return s
	}
	return s[:plus] + s[at:]
}
