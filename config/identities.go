package config

import (
	"slices"

	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/schemas"
)

// identityMapName is the field that is an identity map without being configured as one, if it has
// the form.
const identityMapName = "identityMap"

// identityMap finds the map of identities: the one configured, else the usual one of the schema.
func (b *datasetBuilder) identityMap() {
	path := profile.Path("").Child(identityMapName)
	if b.f.IdentityMap != "" {
		path = b.source(profile.ParsePath(b.f.IdentityMap))
	}
	t, ok := b.ds.Schema.Lookup(path)
	fits := ok && isIdentityMap(t)
	switch {
	case fits:
		b.ds.IdentityMap = path
	case b.f.IdentityMap == "":
	case !ok:
		b.wrong("identity_map", "path %q is not in %s%s", b.f.IdentityMap, b.f.Schema,
			didYouMean(b.f.IdentityMap, b.topFields()))
	default:
		b.wrong("identity_map", "path %q is %s; wanted a map of array of record with a string "+
			"field id and, at will, a boolean field primary", b.f.IdentityMap, t)
	}
}

func isIdentityMap(t *schemas.Type) bool {
	if t.Kind != schemas.KindMap || t.Items.Kind != schemas.KindArray {
		return false
	}
	item := t.Items.Items
	id, primary := item.Field("id"), item.Field("primary")
	return id != nil && isText(id.Type.ValueKind()) &&
		(primary == nil || primary.Type.Kind == schemas.KindBoolean)
}

// identities reads the configured identity fields, and those marked in the schema that the
// configuration does not mention.
func (b *datasetBuilder) identities() {
	entity := b.m.Entity(b.f.Entity)
	if entity == nil {
		b.wrong("entity", "there is no entity class %q", b.f.Entity)
		return
	}
	for _, f := range b.f.Identities {
		b.ds.Identities = append(b.ds.Identities, pipeline.IdentityField{
			Path: b.field("identities", f.Path, "string, int, long, or an array of these",
				isText), Namespace: f.Namespace, Primary: f.Primary})
	}
	chosen := slices.ContainsFunc(b.ds.Identities, func(f pipeline.IdentityField) bool {
		return f.Primary
	})
	for _, mark := range b.ds.Schema.Marks() {
		mark.Primary = mark.Primary && !chosen // the configuration's wins
		if !slices.ContainsFunc(b.ds.Identities, func(f pipeline.IdentityField) bool {
			return f.Path == mark.Path
		}) {
			b.ds.Identities = append(b.ds.Identities, pipeline.IdentityField(mark))
		}
	}
	primaries := 0
	for _, f := range b.ds.Identities {
		if f.Primary {
			primaries++
		}
		if entity.Rules == nil {
			continue
		}
		if _, ok := entity.Rules.Namespace(f.Namespace); !ok {
			b.wrong("identities", "entity %s has no namespace %q%s", entity.Name, f.Namespace,
				didYouMean(f.Namespace, entity.Rules.Names()))
		}
	}
	b.checkPrimaries(primaries)
}

func (b *datasetBuilder) checkPrimaries(primaries int) {
	mapped := b.ds.IdentityMap != ""
	switch {
	case len(b.ds.Identities) == 0 && !mapped:
		b.wrong("identities", "at least one identity field is needed")
	case b.ds.Class == pipeline.ClassRecord && primaries != 1 && (!mapped || primaries > 1):
		b.wrong("identities", "a record dataset has exactly one primary identity; here are %d",
			primaries)
	case primaries == 0 && b.ds.Tombstones == pipeline.TombstonesDelete:
		b.wrong("tombstones", "delete needs a primary identity among identities: the key")
	}
}
