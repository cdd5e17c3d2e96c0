package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"

	"selfsame/pipeline"
)

// SpecFile is a file of its own that holds definitions to be tried. It knows where each of them is.
type SpecFile struct{ at *lines }

// Explain tells by file and line what is wrong with the definitions.
func (f *SpecFile) Explain(errs []pipeline.SpecError) error {
	p := &problems{at: f.at}
	for _, one := range errs {
		p.add(one.Key, "%s", one.Problem)
	}
	return p.err()
}

// readSpecFile reads such a file into a struct or map. want says what there is to be in it.
func readSpecFile(path, want string, into any) (*SpecFile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a definition: %w", err)
	}
	f := &SpecFile{at: &lines{name: filepath.Base(path)}}
	p := &problems{at: f.at}
	var document yaml.Node
	if yaml.Unmarshal(text, &document) == nil && len(document.Content) == 1 {
		f.at.root = document.Content[0]
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		if line, whole := f.at.ofConfiguration(); whole {
			p.list = append(p.list, problem{line: line,
				text: "this is of a whole configuration: want " + want})
			return nil, p.err()
		}
		p.explain(err)
		return nil, p.err()
	}
	var more yaml.Node
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		p.list = append(p.list, problem{line: max(1, more.Line),
			text: "a second document: want one"})
	}
	return f, p.err()
}

// ofConfiguration finds a key that only a configuration has at its head, or a class of one.
func (l *lines) ofConfiguration() (line int, found bool) {
	if l.root == nil || l.root.Kind != yaml.MappingNode {
		return 0, false
	}
	heads := []string{"kafka", "entities", "datasets", "computed", "policies"}
	for i := 0; i < len(l.root.Content); i += 2 {
		if key := l.root.Content[i]; slices.Contains(heads, key.Value) {
			return key.Line, true
		}
	}
	return 0, false
}
