package identity

import (
	"regexp"
	"strings"
)

// defaultBlocked are the placeholders that programs send where an identifier is missing, folded to
// lower case. Zeros are recognised by shape.
var defaultBlocked = []string{
	"null", "none", "nil", "undefined", "nan", "anonymous", "guest", "unknown", "invalid",
	"n/a", "-", "[object object]",
}

// blocklist tells values that are no identities: each would join all people who share it.
type blocklist struct {
	exact    map[string]struct{} // folded to lower case
	patterns []*regexp.Regexp
	zeros    bool // values of zeros and separators are blocked
}

// newBlocklist takes a validated namespace. What the user lists matches as written and as the
// namespace normalises it.
func newBlocklist(s *space) blocklist {
	b := blocklist{exact: map[string]struct{}{}, zeros: !s.NoDefaultBlocked}
	if !s.NoDefaultBlocked {
		for _, value := range defaultBlocked {
			b.exact[value] = struct{}{}
		}
	}
	for _, value := range s.Blocked {
		value = trim(value)
		b.exact[strings.ToLower(value)] = struct{}{}
		if normal, ok := s.normalize(value); ok {
			b.exact[strings.ToLower(normal)] = struct{}{}
		}
	}
	for _, pattern := range s.BlockedPatterns {
		b.patterns = append(b.patterns, regexp.MustCompile(`\A(?:`+pattern+`)\z`))
	}
	return b
}

func (b *blocklist) match(value string) bool {
	if value == "" || b.zeros && onlyZeros(value) {
		return true
	}
	if _, found := b.exact[strings.ToLower(value)]; found {
		return true
	}
	for _, pattern := range b.patterns {
		if pattern.MatchString(value) {
			return true
		}
	}
	return false
}

// onlyZeros reports whether value holds zeros and nothing else but separators, as 0, 000-000 or
// {00000000-0000-0000-0000-000000000000}.
func onlyZeros(value string) bool {
	return strings.Contains(value, "0") && strings.Trim(value, "0-+.:_(){} ") == ""
}
