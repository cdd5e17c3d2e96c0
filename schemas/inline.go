package schemas

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Inline makes one self-contained schema of a text that names types of other schemas, as schemas in
// a registry may: each such type is written out where it is first used. references come in any
// order; file is the name for messages. Errors are [SchemaError]s.
func Inline(file string, text []byte, references [][]byte) ([]byte, error) {
	in := &inliner{foreign: map[string]definition{}, written: map[string]bool{}}
	for _, reference := range references {
		tree, err := parseTree(file, reference)
		if err != nil {
			return nil, err
		}
		in.collect(tree, "")
	}
	tree, err := parseTree(file, text)
	if err != nil {
		return nil, err
	}
	in.own(tree, "")
	in.writeType(tree, "", true)
	if len(in.out) > maxInlined {
		return nil, &SchemaError{File: file,
			Reason: fmt.Sprintf("with its references it has more than %d bytes", maxInlined)}
	}
	return in.out, nil
}

// maxInlined bounds the text of a schema with its references, in bytes.
const maxInlined = 8 << 20

// inliner writes the tree of a schema out again.
type inliner struct {
	foreign map[string]definition // named types of the references, by full name
	written map[string]bool       // those that stand in out, or that the text defines itself
	out     []byte
}

// definition is a named type of a reference.
type definition struct {
	node      *jsonNode
	namespace string // where it stands
}

// typeMembers are the members of a type that hold types.
var typeMembers = [...]string{"type", "items", "values"}

// each calls visit for the types directly below a type, with the namespace they stand in.
func (n *jsonNode) each(namespace string, visit func(*jsonNode, string)) {
	if n.kind == '[' {
		for _, branch := range n.items {
			visit(branch, namespace)
		}
		return
	}
	if _, inner, named := n.declared(namespace); named {
		namespace = inner
	}
	for _, name := range typeMembers {
		if below := n.member(name); below != nil {
			visit(below, namespace)
		}
	}
	if fields := n.member("fields"); fields != nil {
		for _, f := range fields.items {
			if typ := f.member("type"); typ != nil {
				visit(typ, namespace)
			}
		}
	}
}

// declared gives the full name that a definition declares, and the namespace within it.
func (n *jsonNode) declared(namespace string) (full, inner string, ok bool) {
	name, typ := n.member("name"), n.member("type")
	if name == nil || typ == nil || typ.kind != '"' {
		return "", "", false
	}
	switch typ.text {
	case "record", "enum", "fixed":
	default:
		return "", "", false
	}
	if given := n.member("namespace"); given != nil {
		namespace = given.text
	}
	full = fullName(name.text, namespace)
	return full, full[:max(0, strings.LastIndexByte(full, '.'))], true
}

// collect notes the named types of a reference.
func (in *inliner) collect(n *jsonNode, namespace string) {
	if full, _, ok := n.declared(namespace); ok {
		if _, twice := in.foreign[full]; !twice {
			in.foreign[full] = definition{n, namespace}
		}
	}
	n.each(namespace, in.collect)
}

// own notes what the text defines itself: that goes before a reference of the same name.
func (in *inliner) own(n *jsonNode, namespace string) {
	if full, _, ok := n.declared(namespace); ok {
		in.written[full] = true
	}
	n.each(namespace, in.own)
}

// writeType writes a type; mine says that it is of the text itself.
func (in *inliner) writeType(n *jsonNode, namespace string, mine bool) {
	switch n.kind {
	case '"':
		in.writeName(n.text, namespace)
	case '[':
		in.writeList(n.items, func(branch *jsonNode) { in.writeType(branch, namespace, mine) })
	case '{':
		in.writeObject(n, namespace, mine)
	default:
		in.writeOther(n)
	}
}

// writeName writes a name, or the type that it stands for where that is foreign and not there yet.
func (in *inliner) writeName(name, namespace string) {
	if _, ok := primitive(name); ok || name == "null" {
		in.quote(name)
		return
	}
	for _, full := range []string{fullName(name, namespace), name} {
		if in.written[full] {
			in.quote(full)
			return
		}
		if d, ok := in.foreign[full]; ok {
			in.writeType(d.node, d.namespace, false)
			return
		}
	}
	in.quote(name)
}

func (in *inliner) writeObject(n *jsonNode, namespace string, mine bool) {
	full, inner, named := n.declared(namespace)
	if named && !mine && in.written[full] {
		in.quote(full)
		return
	}
	if named {
		in.written[full] = true
		in.writeNamed(n, full, inner, mine)
		return
	}
	in.writeMembers(n, func(name string, item *jsonNode) {
		if name == "type" || name == "items" || name == "values" {
			in.writeType(item, namespace, mine)
			return
		}
		in.writeOther(item)
	})
}

// writeNamed writes a definition under its full name, so that it means the same wherever it stands.
func (in *inliner) writeNamed(n *jsonNode, full, inner string, mine bool) {
	in.writeMembers(n, func(name string, item *jsonNode) {
		switch name {
		case "name":
			in.quote(full[len(inner):][min(len(inner), 1):])
		case "namespace":
			in.quote(inner)
		case "fields":
			in.writeList(item.items, func(f *jsonNode) { in.writeField(f, inner, mine) })
		default:
			in.writeOther(item)
		}
	})
	if n.member("namespace") == nil {
		in.out = append(in.out[:len(in.out)-1], `,"namespace":`...)
		in.quote(inner)
		in.out = append(in.out, '}')
	}
}

func (in *inliner) writeField(f *jsonNode, namespace string, mine bool) {
	in.writeMembers(f, func(name string, item *jsonNode) {
		if name == "type" {
			in.writeType(item, namespace, mine)
			return
		}
		in.writeOther(item)
	})
}

func (in *inliner) writeMembers(n *jsonNode, write func(name string, item *jsonNode)) {
	in.out = append(in.out, '{')
	for i, item := range n.items {
		if i > 0 {
			in.out = append(in.out, ',')
		}
		in.quote(n.names[i])
		in.out = append(in.out, ':')
		write(n.names[i], item)
	}
	in.out = append(in.out, '}')
}

func (in *inliner) writeList(items []*jsonNode, write func(*jsonNode)) {
	in.out = append(in.out, '[')
	for i, item := range items {
		if i > 0 {
			in.out = append(in.out, ',')
		}
		write(item)
	}
	in.out = append(in.out, ']')
}

// writeOther writes what is no type as it was: defaults, documentation, properties.
func (in *inliner) writeOther(n *jsonNode) {
	switch n.kind {
	case '{':
		in.writeMembers(n, func(_ string, item *jsonNode) { in.writeOther(item) })
	case '[':
		in.writeList(n.items, in.writeOther)
	case '"':
		in.quote(n.text)
	default:
		in.out = append(in.out, n.text...)
	}
}

func (in *inliner) quote(text string) {
	var err error
	if in.out, err = jsontext.AppendQuote(in.out, text); err != nil {
		panic(err) // invariant: the text was read from valid JSON
	}
}
