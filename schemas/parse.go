package schemas

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/linkedin/goavro/v2"
)

// parser turns the JSON tree of a schema into types.
type parser struct {
	file    string
	general bool             // reads a writer's schema: anything that Avro allows
	named   map[string]*Type // by full name, complete
	open    map[string]*Type // records whose fields are being read: a reference back is a recursion
}

// place is where in the record the parser is.
type place struct {
	path      string
	namespace string // that names without a dot belong to
}

func (at place) below(segment string) place {
	at.path = joinPath(at.path, segment)
	return at
}

func (p *parser) fail(n *jsonNode, at place, format string, args ...any) error {
	fault := &SchemaError{File: p.file, Path: at.path, Reason: fmt.Sprintf(format, args...)}
	if n != nil {
		fault.Line = n.line
	}
	return fault
}

func (p *parser) parseType(n *jsonNode, at place) (*Type, error) {
	t, err := p.parseForm(n, at)
	switch {
	case err != nil:
		return nil, err
	case t.depth > maxDepth:
		return nil, p.fail(n, at, "nested more than %d levels deep", maxDepth)
	case t.places > maxPlaces:
		return nil, p.fail(n, at, "more than %d fields", maxPlaces)
	}
	return t, nil
}

func (p *parser) parseForm(n *jsonNode, at place) (*Type, error) {
	switch n.kind {
	case '"':
		return p.parseName(n, n.text, at)
	case '[':
		return p.parseUnion(n, at)
	case '{':
		return p.parseObject(n, at)
	}
	return nil, p.fail(n, at, "a type must be a name, an object or a union")
}

func (p *parser) parseObject(n *jsonNode, at place) (*Type, error) {
	typ := n.member("type")
	if typ == nil {
		return nil, p.fail(n, at, `a type needs a "type"`)
	}
	if typ.kind != '"' {
		return p.parseType(typ, at)
	}
	switch typ.text {
	case "record":
		return p.parseRecord(n, at)
	case "enum":
		return p.parseEnum(n, at)
	case "fixed":
		return p.parseFixed(n, at)
	case "array":
		return p.parseItems(n, "items", KindArray, at.below("[]"))
	case "map":
		return p.parseItems(n, "values", KindMap, at.below("*"))
	}
	kind, ok := primitive(typ.text)
	if !ok {
		return p.parseName(typ, typ.text, at)
	}
	return p.finish(n, &Type{Kind: kind}, at)
}

// parseName resolves a primitive type or a reference to a named one.
func (p *parser) parseName(n *jsonNode, name string, at place) (*Type, error) {
	if kind, ok := primitive(name); ok {
		return p.finish(nil, &Type{Kind: kind}, at)
	}
	if name == "null" && p.general {
		return p.finish(nil, &Type{Kind: KindNull}, at)
	}
	if name == "null" {
		return nil, p.fail(n, at, "a place that is always null holds no data")
	}
	for _, full := range []string{fullName(name, at.namespace), name} {
		if t := p.open[full]; t != nil {
			if p.general {
				return t, nil
			}
			return nil, p.fail(n, at,
				"record %s contains itself; recursive types are not supported", full)
		}
		if t, ok := p.named[full]; ok {
			return t, nil
		}
	}
	return nil, p.fail(n, at, "unknown type %q", name)
}

func (p *parser) parseUnion(n *jsonNode, at place) (*Type, error) {
	if p.general {
		return p.parseBranches(n, at)
	}
	var value *jsonNode
	form, nulls := unionSingle, 0
	for i, branch := range n.items {
		switch {
		case branch.isNull():
			nulls++
			form = unionNullFirst
			if i > 0 {
				form = unionNullLast
			}
		case value != nil:
			return nil, p.fail(branch, at, "a union of several types is not supported; "+
				"model them as separate fields, each a union with null")
		default:
			value = branch
		}
	}
	switch {
	case value == nil:
		return nil, p.fail(n, at, "a union needs a type besides null")
	case nulls > 1:
		return nil, p.fail(n, at, "null stands twice in a union")
	case value.kind == '[':
		return nil, p.fail(value, at, "a union directly inside a union")
	}
	t, err := p.parseType(value, at)
	if err != nil {
		return nil, err
	}
	if t.union != unionNone {
		return nil, p.fail(value, at, "a union directly inside a union")
	}
	return t.inUnion(form), nil
}

// parseBranches reads a union of a writer's schema, of any branches.
func (p *parser) parseBranches(n *jsonNode, at place) (*Type, error) {
	t := &Type{Kind: KindUnion}
	seen := map[string]bool{}
	for _, item := range n.items {
		branch, err := p.parseType(item, at)
		if err != nil {
			return nil, err
		}
		name := cmp.Or(branch.Name, branch.Kind.String())
		if branch.Kind == KindUnion || seen[name] {
			return nil, p.fail(item, at, "%s stands twice in a union, or is one itself", name)
		}
		seen[name] = true
		t.Branches = append(t.Branches, branch)
	}
	t.seal() // of no branch it is a type without values, which Avro allows
	return t, nil
}

func (p *parser) parseItems(n *jsonNode, member string, kind Kind, at place) (*Type, error) {
	items := n.member(member)
	if items == nil {
		return nil, p.fail(n, at, "%s needs %q", kind, member)
	}
	t, err := p.parseType(items, at)
	if err != nil {
		return nil, err
	}
	return p.finish(nil, &Type{Kind: kind, Items: t}, at)
}

// finish applies the logical type that n may carry, and seals the type.
func (p *parser) finish(n *jsonNode, t *Type, at place) (*Type, error) {
	if n != nil {
		logical := n.member("logicalType")
		if logical != nil && logical.kind == '"' && applies(logical.text, t.Kind, t.Size) {
			t.Logical = logical.text
		}
	}
	if t.Logical == logicalDecimal {
		err := p.parseDecimal(n, t, at)
		if err != nil && !p.general {
			return nil, err
		}
		if err != nil { // Avro asks readers to pass over logical types that are not right
			t.Logical, t.Precision, t.Scale = "", 0, 0
		}
	}
	t.seal()
	return t, nil
}

func (p *parser) parseDecimal(n *jsonNode, t *Type, at place) error {
	precision, ok := n.member("precision").integer()
	if !ok || precision < 1 || precision > maxPrecision {
		return p.fail(n, at, "a decimal needs a precision between 1 and %d", maxPrecision)
	}
	scale, ok := n.member("scale").integer()
	if n.member("scale") != nil && (!ok || scale < 0 || scale > precision) {
		return p.fail(n, at, "the scale of a decimal must be between 0 and its precision")
	}
	if t.Kind == KindFixed && precision > maxDigits(t.Size) {
		return p.fail(n, at, "%d bytes hold %d digits, not %d",
			t.Size, maxDigits(t.Size), precision)
	}
	t.Precision, t.Scale = precision, scale
	return nil
}

func fullName(name, namespace string) string {
	if namespace == "" || strings.Contains(name, ".") {
		return name
	}
	return namespace + "." + name
}

// secondOpinion asks goavro whether it accepts the schema. Some valid forms make it panic (two
// decimals, the second without scale); then it is asked about the canonical form, which has no
// logical types.
func secondOpinion(text []byte, root *Type) (err error) {
	defer func() {
		if recover() != nil {
			_, err = goavro.NewCodec(string(canonicalForm(root)))
		}
	}()
	if _, err = goavro.NewCodec(string(text)); err != nil {
		return fmt.Errorf("goavro does not accept it: %w", err)
	}
	return nil
}
