package computed

import (
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"selfsame/profile"
)

// rootName is what CEL calls the type of an event; records in it are called after their path.
const rootName = "Event"

// provider tells CEL about the records of the union schema.
type provider struct {
	types.Provider
	records map[string]*Type // by the name of the type
	names   map[*Type]string
}

func newProvider(root *Type) (*provider, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, fmt.Errorf("preparing the types of filters: %w", err)
	}
	p := &provider{registry, map[string]*Type{}, map[*Type]string{}}
	p.gather(rootName, root)
	return p, nil
}

func (p *provider) gather(name string, t *Type) {
	switch {
	case t.Items != nil:
		p.gather(name+"._", t.Items)
	case t.record():
		p.records[name], p.names[t] = t, name
		for _, f := range t.Fields {
			p.gather(name+"."+f.Name, f.Type)
		}
	}
}

// FindStructType implements types.Provider.
func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if p.records[name] == nil {
		return p.Provider.FindStructType(name)
	}
	return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
}

// FindStructFieldNames implements types.Provider.
func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	t := p.records[name]
	if t == nil {
		return p.Provider.FindStructFieldNames(name)
	}
	names := make([]string, len(t.Fields))
	for i, f := range t.Fields {
		names[i] = f.Name
	}
	return names, true
}

// FindStructFieldType implements types.Provider.
func (p *provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	t := p.records[name]
	if t == nil {
		return p.Provider.FindStructFieldType(name, field)
	}
	found := t.field(field)
	if found == nil {
		return nil, false
	}
	return &types.FieldType{Type: p.celType(found)}, true
}

// NewValue implements types.Provider. Filters read events, they make none.
func (p *provider) NewValue(name string, fields map[string]ref.Val) ref.Val {
	if p.records[name] == nil {
		return p.Provider.NewValue(name, fields)
	}
	return types.NewErr("a filter cannot make a record")
}

// celType is the type that filters see.
func (p *provider) celType(t *Type) *types.Type {
	switch t.Kind {
	case profile.KindBool:
		return cel.BoolType
	case profile.KindInt:
		return cel.IntType
	case profile.KindFloat, profile.KindDecimal:
		return cel.DoubleType
	case profile.KindBytes:
		return cel.BytesType
	case profile.KindTimeMillis, profile.KindTimeMicros:
		return cel.DurationType
	case profile.KindDate, profile.KindTimestampMillis, profile.KindTimestampMicros,
		profile.KindTimestampNanos, profile.KindLocalMillis, profile.KindLocalMicros,
		profile.KindLocalNanos:
		return cel.TimestampType
	case profile.KindArray:
		return cel.ListType(p.celType(t.Items))
	case profile.KindObject:
		if t.Items != nil {
			return cel.MapType(cel.StringType, p.celType(t.Items))
		}
		return types.NewObjectType(p.names[t])
	}
	return cel.StringType
}
