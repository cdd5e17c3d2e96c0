package pipeline

import (
	"slices"
	"strconv"

	"selfsame/identity"
	"selfsame/profile"
)

// claimsOf collects the identities that a value carries, but for those at the paths left out.
func claimsOf(ds *Dataset, value profile.Value, leftOut []profile.Path) []identity.Claim {
	claims := make([]identity.Claim, 0, len(ds.Identities))
	for _, field := range ds.Identities {
		if slices.Contains(leftOut, field.Path) {
			continue
		}
		at := value.At(field.Path)
		if at.Kind() != profile.KindArray {
			claims = appendClaim(claims, field, at)
			continue
		}
		for i := range at.Len() {
			claims = appendClaim(claims, field, at.Item(i))
		}
	}
	if ds.IdentityMap != "" {
		claims = appendMapClaims(claims, ds, value.At(ds.IdentityMap))
	}
	return claims
}

// appendMapClaims reads a map from namespaces to lists of identities. Where the dataset declares a
// field as the primary identity, the flags of the map count for nothing.
func appendMapClaims(claims []identity.Claim, ds *Dataset, spaces profile.Value) []identity.Claim {
	if spaces.Kind() != profile.KindObject {
		return claims
	}
	declared := slices.ContainsFunc(ds.Identities, func(f IdentityField) bool { return f.Primary })
	for i := range spaces.Len() {
		list := spaces.Item(i)
		if list.Kind() != profile.KindArray {
			continue // an explicit null
		}
		for j := range list.Len() {
			item := list.Item(j)
			claims = appendClaim(claims, IdentityField{Namespace: spaces.Name(i),
				Primary: !declared && item.Field("primary").AsBool()}, item.Field("id"))
		}
	}
	return claims
}

func claimsPrimary(claims []identity.Claim) bool {
	return slices.ContainsFunc(claims, func(c identity.Claim) bool { return c.Primary })
}

func appendClaim(claims []identity.Claim, f IdentityField, v profile.Value) []identity.Claim {
	text, ok := identityText(v)
	if !ok {
		return claims
	}
	return append(claims, identity.Claim{Namespace: f.Namespace, Value: text, Primary: f.Primary})
}

// IdentityText gives the text of a value that can be an identity or a key; nil where it cannot.
func IdentityText(v profile.Value) []byte {
	if text, ok := identityText(v); ok {
		return []byte(text)
	}
	return nil
}

// identityText gives the text of a value that can be an identity or an event id.
func identityText(v profile.Value) (string, bool) {
	switch v.Kind() {
	case profile.KindString:
		return v.AsText(), true
	case profile.KindInt:
		return strconv.FormatInt(v.AsInt(), 10), true
	}
	return "", false
}
