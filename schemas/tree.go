package schemas

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonNode is a JSON value with its line, for messages about schemas.
type jsonNode struct {
	kind  jsontext.Kind
	text  string // of a string, a number or a literal
	names []string
	items []*jsonNode // alongside names in an object
	line  int
}

// treeReader builds nodes from the text of a schema.
type treeReader struct {
	file string
	text []byte
	dec  *jsontext.Decoder
	line int // at offset
	seen int // offset
}

func parseTree(file string, text []byte) (*jsonNode, error) {
	r := &treeReader{file: file, text: text, line: 1}
	r.dec = jsontext.NewDecoder(bytes.NewReader(text))
	n, err := r.read()
	if err == nil {
		if _, err = r.dec.ReadToken(); err == io.EOF {
			return n, nil
		}
		if err == nil {
			err = errors.New("text after the schema")
		}
	}
	offset := int(r.dec.InputOffset())
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		offset, err = int(syntax.ByteOffset), syntax.Err
	}
	return nil, &SchemaError{File: file, Line: r.lineAt(offset), Reason: "not JSON: " + err.Error()}
}

func (r *treeReader) read() (*jsonNode, error) {
	token, err := r.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	n := &jsonNode{kind: token.Kind(), line: r.lineAt(int(r.dec.InputOffset()))}
	switch n.kind {
	case '{', '[':
		return n, r.readItems(n)
	}
	n.text = token.String()
	return n, nil
}

func (r *treeReader) readItems(n *jsonNode) error {
	for {
		switch r.dec.PeekKind() {
		case '}', ']':
			_, err := r.dec.ReadToken()
			return err
		}
		if n.kind == '{' {
			name, err := r.dec.ReadToken()
			if err != nil {
				return err
			}
			n.names = append(n.names, name.String())
		}
		item, err := r.read()
		if err != nil {
			return err
		}
		n.items = append(n.items, item)
	}
}

// lineAt counts on from where it was last asked; offsets only grow.
func (r *treeReader) lineAt(offset int) int {
	offset = max(r.seen, min(offset, len(r.text)))
	r.line += bytes.Count(r.text[r.seen:offset], []byte{'\n'})
	r.seen = offset
	return r.line
}

// member returns the named member of an object, nil where there is none.
func (n *jsonNode) member(name string) *jsonNode {
	if n == nil {
		return nil
	}
	for i := range n.names {
		if n.names[i] == name {
			return n.items[i]
		}
	}
	return nil
}

// integer reads a whole number that fits an int32.
func (n *jsonNode) integer() (value int, ok bool) {
	if n == nil || n.kind != '0' {
		return 0, false
	}
	parsed, err := strconv.ParseInt(n.text, 10, 32)
	return int(parsed), err == nil
}

// strings reads an array of strings; what is none is passed over as "".
func (n *jsonNode) strings() []string {
	if n == nil || n.kind != '[' {
		return nil
	}
	texts := make([]string, len(n.items))
	for i, item := range n.items {
		if item.kind == '"' {
			texts[i] = item.text
		}
	}
	return texts
}

// isNull reports whether the node names the null type, as "null" or {"type": "null"}.
func (n *jsonNode) isNull() bool {
	if n.kind == '{' {
		typ := n.member("type")
		return typ != nil && typ.kind == '"' && typ.text == "null"
	}
	return n.kind == '"' && n.text == "null"
}
