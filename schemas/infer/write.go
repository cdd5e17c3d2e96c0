package infer

import (
	"fmt"
	"strings"

	"selfsame/profile"
	"selfsame/schemas"
)

// writer writes a schema for people to go on with: one field a line.
type writer struct {
	types []candidateType
	names map[string]bool // of records
	text  []byte
}

func (w *writer) add(text string) { w.text = append(w.text, text...) }

func (w *writer) quote(text string) { w.text = profile.AppendString(w.text, text) }

func (w *writer) line(indent int) {
	w.add("\n" + strings.Repeat("  ", indent))
}

// record writes a record that is called name, or like it where the name is taken.
func (w *writer) record(n *node, name string, indent int) {
	unique := name
	for i := 2; w.names[unique]; i++ {
		unique = fmt.Sprint(name, "_", i)
	}
	w.names[unique] = true
	w.add(`{"type": "record", "name": `)
	w.quote(unique)
	w.add(`, "fields": [`)
	for i, f := range n.fields {
		if i > 0 {
			w.add(",")
		}
		w.line(indent + 1)
		w.field(f, unique, indent+1)
	}
	w.line(indent)
	w.add("]}")
}

func (w *writer) field(f field, record string, indent int) {
	w.add(`{"name": `)
	w.quote(f.name)
	w.add(`, "type": ["null", `)
	w.value(f.typ, record+"_"+f.name, indent)
	w.add(`], "default": null`)
	if f.doc != "" {
		w.add(`, "doc": `)
		w.quote(f.doc)
	}
	w.add("}")
}

// value writes the type of a place; a record there is called name.
func (w *writer) value(n *node, name string, indent int) {
	switch n.form {
	case formScalar:
		w.add(w.types[n.scalar].avro)
	case formRecord:
		w.record(n, schemas.MakeName(name), indent)
	case formArray:
		w.add(`{"type": "array", "items": `)
		w.items(n.items, name, indent)
		w.add("}")
	case formMap:
		w.add(`{"type": "map", "values": `)
		w.items(n.items, name, indent)
		w.add("}")
	}
}

func (w *writer) items(n *node, name string, indent int) {
	if !n.nullable {
		w.value(n, name, indent)
		return
	}
	w.add(`["null", `)
	w.value(n, name, indent)
	w.add("]")
}
