package config

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"selfsame/identity"
)

// buildRules makes the rules of an entity class, whose path is given; nil where they are wrong.
func buildRules(p *problems, path []string, f entity) *identity.Rules {
	b := &rulesBuilder{p: p, path: path}
	var namespaces []identity.Namespace
	for i, n := range f.Namespaces {
		namespaces = append(namespaces, b.namespace(i, n))
	}
	rules, err := identity.NewRules(namespaces, b.size(f.MaxIdentities))
	b.report(namespaces, err)
	return rules
}

// rulesBuilder turns the namespaces of the file into those of a class.
type rulesBuilder struct {
	p    *problems
	path []string // of the class
}

func (b *rulesBuilder) wrong(at []string, format string, args ...any) {
	b.p.add(slices.Concat(b.path, at), format, args...)
}

// size reads how many identities a cluster may hold; 0 is the default.
func (b *rulesBuilder) size(n *int) int {
	switch {
	case n == nil:
		return 0
	case *n < 1 || *n > identity.LimitMaxIdentities:
		b.wrong([]string{"max_identities"}, "must be 1 to %d; leave it out for %d",
			identity.LimitMaxIdentities, identity.DefaultMaxIdentities)
		return 0
	}
	return *n
}

func (b *rulesBuilder) namespace(i int, f namespace) identity.Namespace {
	at := func(key ...string) []string {
		return append([]string{"namespaces", strconv.Itoa(i)}, key...)
	}
	n := identity.Namespace{Name: f.Name, Unique: f.Unique, Normalize: f.Normalize,
		Region: f.Region, Blocked: f.Blocked, BlockedPatterns: f.BlockedPatterns,
		NoDefaultBlocked: f.DefaultBlocked != nil && !*f.DefaultBlocked,
		HubDegree:        int(f.HubDegree), HubExempt: f.HubExempt}
	var err error
	if n.Type, err = identity.ParseType(f.Type); err != nil {
		b.wrong(at("type"), "%v", err)
		n.Type = identity.Phone // of all types the one with the fewest objections of its own
	}
	if f.Limit != nil && *f.Limit < 1 {
		b.wrong(at("limit"), "must be at least 1; leave it out for any number")
	} else if f.Limit != nil {
		n.Limit = *f.Limit
	}
	words := []string{"newest", "none"}
	contested := cmp.Or(f.Contested, words[0])
	if !slices.Contains(words, contested) {
		b.wrong(at("contested"), "%q is not one of %v%s", f.Contested, words,
			didYouMean(f.Contested, words))
	}
	n.DropContested = contested == words[1]
	for j, pattern := range f.BlockedPatterns {
		if blocksAll(pattern) {
			b.wrong(at("blocked_patterns", strconv.Itoa(j)), "%q blocks every value: name those "+
				"to ignore, or leave the namespace out of the datasets' identities", pattern)
		}
	}
	return n
}

// blocksAll reports whether a pattern matches values that have nothing in common.
func blocksAll(pattern string) bool {
	whole, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
	if err != nil {
		return false // reported with the namespace
	}
	var printable strings.Builder
	for r := '!'; r <= '~'; r++ {
		printable.WriteRune(r)
	}
	for _, value := range []string{"x", "7", "ann@example.org", "00 é", printable.String()} {
		if !whole.MatchString(value) {
			return false
		}
	}
	return true
}

// report puts what is wrong with a namespace where it stands.
func (b *rulesBuilder) report(namespaces []identity.Namespace, err error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return
	}
	for _, one := range joined.Unwrap() {
		i := len(namespaces) - 1
		for ; i >= 0; i-- { // of two with one name the later is the one too many
			if strings.HasPrefix(one.Error(), fmt.Sprintf("namespace %q: ", namespaces[i].Name)) {
				break
			}
		}
		if i < 0 {
			each(b.p, append(b.path, "namespaces"), one)
			continue
		}
		each(b.p, append(b.path, "namespaces", strconv.Itoa(i)), errors.Unwrap(one))
	}
}
