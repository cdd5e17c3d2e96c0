package pipeline

import (
	"fmt"
	"strconv"

	"selfsame/profile"
	"selfsame/schemas"
	"selfsame/store"
)

// values writes the values of a policy's topic. What a value says of the profile, its content, is
// rendered when the profile is settled; id and version are put before it when it is published.
type values struct {
	entity *Entity
	policy *PolicyTopic
	avro   *schemas.ProfileSchema // nil: JSON

	catalog *catalog
	types   map[string]string // of the computed attributes in avro
}

// ProfileSchema returns the Avro schema of a class's profiles: what its topics' values have in
// [FormatAvro] and [FormatRegistry].
func (m *Model) ProfileSchema(e *Entity) (*schemas.ProfileSchema, error) {
	union, err := m.Union(e.Name, ClassRecord)
	if err != nil {
		return nil, err
	}
	var fields []schemas.ComputedField
	for _, d := range e.Computed {
		fields = append(fields, schemas.ComputedField{Name: d.Name,
			Type: appendAvroType(nil, d.Name, d.Attribute.Output())})
	}
	return schemas.NewProfileSchema(e.Name, union, fields)
}

// newValues prepares the topics of all policies, by class and name.
func newValues(m *Model) (map[policyKey]*values, error) {
	all := map[policyKey]*values{}
	for _, e := range m.Entities {
		for i := range e.Policies {
			v, err := m.newValues(e, &e.Policies[i])
			if err != nil {
				return nil, err
			}
			all[policyKey{e.Name, v.policy.Name}] = v
		}
	}
	return all, nil
}

func (m *Model) newValues(e *Entity, policy *PolicyTopic) (*values, error) {
	v := &values{entity: e, policy: policy, types: e.computedTypes()}
	if policy.Format == FormatJSON {
		return v, nil
	}
	var err error
	v.avro, err = m.ProfileSchema(e)
	return v, err
}

// computedTypes are the types of an entity class's computed attributes, by name.
func (e *Entity) computedTypes() map[string]string {
	types := map[string]string{}
	for _, d := range e.Computed {
		types[d.Name] = d.Attribute.Output().String()
	}
	return types
}

// policyKey names a merge policy of a class.
type policyKey struct{ class, policy string }

func policyOf(ref store.ProfileRef) policyKey { return policyKey{ref.Class, ref.Policy} }

// merge merges a profile and renders its content. text is the content in JSON, whatever the format:
// what "no change" compares, so that neither another format nor a wider schema is a change.
func (v *values) merge(g *Gathered) (text, content []byte, err error) {
	merged := visible(v.entity, v.policy, v.policy.Merge(g.Sources))
	text = contentOf(v.entity, g, merged)
	if v.avro == nil {
		return text, text, nil
	}
	a := Answer{Entity: v.entity, Data: g, Merged: merged}
	content, err = v.avro.EncodeContent(a.record(v.types))
	if err != nil {
		err = fmt.Errorf("encoding a profile for topic %s: the state holds what no dataset's "+
			"schema has: %w", v.policy.Topic, err)
	}
	return text, content, err
}

// value is the value of an output record.
func (v *values) value(ref store.ProfileRef, version uint64, content []byte) []byte {
	if v.avro == nil {
		return profileValue(ref, version, content)
	}
	b := make([]byte, 0, 128+len(content))
	if v.policy.Format == FormatRegistry {
		b = append(b, registryFrameOf(v.policy.SchemaID)...)
	}
	b = v.avro.AppendHead(b, &schemas.ProfileRecord{ID: ref.ID.String(), Class: ref.Class,
		Policy: ref.Policy, Version: version})
	return append(b, content...)
}

// marker is the value that stands in for a profile of size bytes, too large for its topic.
func (v *values) marker(ref store.ProfileRef, version uint64, size int) []byte {
	if v.avro == nil {
		content := strconv.AppendInt([]byte(`"oversize":`), int64(size), 10)
		return profileValue(ref, version, content)
	}
	content, err := v.avro.EncodeContent(&schemas.ProfileRecord{
		Attributes: profile.Object(nil, nil), Oversize: uint64(size)})
	if err != nil {
		panic(err) // invariant: every attribute of a union may be absent
	}
	return v.value(ref, version, content)
}

// stored merges a profile from a committed state and renders its content. row is what was decided
// about it. nil: there is no such profile since the policy stitches otherwise, and what is there
// instead will be decided by the job that the change has started.
func (v *values) stored(r *store.Reader, id profile.ID, row *store.Profile) ([]byte, error) {
	members := []profile.Identity{row.Identity}
	if row.Identity.IsZero() {
		cluster, err := r.Cluster(v.entity.Name, id)
		if err != nil {
			return nil, err
		}
		if cluster == nil && v.policy.Stitching == profile.StitchNone {
			return nil, nil
		}
		if cluster == nil {
			return nil, fmt.Errorf("profile %s has no cluster", id)
		}
		members = cluster.Members
	}
	view, err := v.catalog.view(r, v.entity.Name, row.Version, row.Now)
	if err != nil {
		return nil, err
	}
	g, err := gather(storedRows{r, view}, v.entity.Name, members)
	if err != nil {
		return nil, err
	}
	_, content, err := v.merge(g.under(&v.policy.Policy))
	return content, err
}
