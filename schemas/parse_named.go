package schemas

import (
	"strings"
)

// declare reads the name of a record, enum or fixed; inner is the place with its namespace.
func (p *parser) declare(n *jsonNode, at place) (full string, inner place, err error) {
	name := n.member("name")
	if name == nil || name.kind != '"' {
		return "", at, p.fail(n, at, "%s needs a name", n.member("type").text)
	}
	namespace := at.namespace
	if given := n.member("namespace"); given != nil && given.kind == '"' {
		namespace = given.text
	}
	full = fullName(name.text, namespace)
	for part := range strings.SplitSeq(full, ".") {
		if !validName(part) {
			return "", at, p.fail(name, at, "%q is not a valid name", full)
		}
	}
	if _, primitive := primitive(full); primitive || full == "null" {
		return "", at, p.fail(name, at, "%q is the name of a primitive type", full)
	}
	if p.named[full] != nil || p.open[full] != nil {
		return "", at, p.fail(name, at, "%s is defined twice", full)
	}
	inner = place{path: at.path}
	if dot := strings.LastIndexByte(full, '.'); dot >= 0 {
		inner.namespace = full[:dot]
	}
	return full, inner, nil
}

func (p *parser) parseRecord(n *jsonNode, at place) (*Type, error) {
	full, inner, err := p.declare(n, at)
	if err != nil {
		return nil, err
	}
	fields := n.member("fields")
	if fields == nil || fields.kind != '[' {
		return nil, p.fail(n, at, `record %s needs "fields"`, full)
	}
	t := &Type{Kind: KindRecord, Name: full, Aliases: n.member("aliases").strings()}
	p.open[full] = t
	seen := map[string]bool{}
	for _, item := range fields.items {
		f, err := p.parseField(item, inner)
		if err != nil {
			return nil, err
		}
		if seen[f.Name] {
			return nil, p.fail(item, inner.below(f.Name), "the field is defined twice")
		}
		seen[f.Name] = true
		t.Fields = append(t.Fields, f)
	}
	delete(p.open, full)
	t.seal()
	p.named[full] = t
	return t, nil
}

func (p *parser) parseField(n *jsonNode, at place) (*Field, error) {
	name := n.member("name")
	if name == nil || name.kind != '"' || !validName(name.text) {
		return nil, p.fail(n, at, "a field needs a valid name")
	}
	at = at.below(name.text)
	typ := n.member("type")
	if typ == nil {
		return nil, p.fail(n, at, "the field needs a type")
	}
	t, err := p.parseType(typ, at)
	if err != nil {
		return nil, err
	}
	f := &Field{Name: name.text, Type: t, HasDefault: n.member("default") != nil,
		Line: name.line}
	f.Aliases, f.fallback = n.member("aliases").strings(), t.fallback(n.member("default"))
	if doc := n.member("doc"); doc != nil {
		f.Doc = doc.text
	}
	if p.general {
		return f, nil // what is ours to mark is marked in the dataset's schema
	}
	if f.Deprecated, err = p.parseFlag(n, "deprecated", at); err != nil {
		return nil, err
	}
	f.identity, err = p.parseIdentity(n.member("identity"), at)
	return f, err
}

func (p *parser) parseIdentity(n *jsonNode, at place) (*identity, error) {
	if n == nil {
		return nil, nil
	}
	if n.kind != '{' {
		return nil, p.fail(n, at, `identity must be an object such as {"namespace": "email"}`)
	}
	for _, name := range n.names {
		if name != "namespace" && name != "primary" {
			return nil, p.fail(n, at, "identity has no property %q", name)
		}
	}
	namespace := n.member("namespace")
	if namespace == nil || namespace.kind != '"' || strings.TrimSpace(namespace.text) == "" {
		return nil, p.fail(n, at, "identity needs a namespace")
	}
	primary, err := p.parseFlag(n, "primary", at)
	return &identity{namespace: namespace.text, primary: primary, line: n.line}, err
}

func (p *parser) parseFlag(n *jsonNode, name string, at place) (bool, error) {
	flag := n.member(name)
	if flag == nil {
		return false, nil
	}
	if flag.kind != 't' && flag.kind != 'f' {
		return false, p.fail(flag, at, "%s must be true or false", name)
	}
	return flag.kind == 't', nil
}

func (p *parser) parseEnum(n *jsonNode, at place) (*Type, error) {
	full, _, err := p.declare(n, at)
	if err != nil {
		return nil, err
	}
	t := &Type{Kind: KindEnum, Name: full, Symbols: n.member("symbols").strings(),
		Aliases: n.member("aliases").strings()}
	if len(t.Symbols) == 0 {
		return nil, p.fail(n, at, "enum %s needs symbols", full)
	}
	seen := map[string]bool{}
	for _, symbol := range t.Symbols {
		if !validName(symbol) || seen[symbol] {
			return nil, p.fail(n, at, "enum %s: symbol %q is invalid or stands twice", full, symbol)
		}
		seen[symbol] = true
	}
	if symbol := n.member("default"); symbol != nil && !p.general {
		if t.Default = symbol.text; !seen[t.Default] {
			return nil, p.fail(symbol, at, "enum %s: its default is not among its symbols", full)
		}
	}
	t.seal()
	p.named[full] = t
	return t, nil
}

func (p *parser) parseFixed(n *jsonNode, at place) (*Type, error) {
	full, _, err := p.declare(n, at)
	if err != nil {
		return nil, err
	}
	size, ok := n.member("size").integer()
	if !ok || size < 1 {
		return nil, p.fail(n, at, "fixed %s needs a size of at least 1", full)
	}
	t, err := p.finish(n, &Type{Kind: KindFixed, Name: full, Size: size,
		Aliases: n.member("aliases").strings()}, at)
	if err == nil {
		p.named[full] = t
	}
	return t, err
}

// validName reports whether s is an Avro name: [A-Za-z_][A-Za-z0-9_]*.
func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
