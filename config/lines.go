package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// lines knows where each key of the file is.
type lines struct {
	name string // of the file
	root *yaml.Node
}

// problem is one thing that is wrong, and where.
type problem struct {
	line int
	text string
}

// problems collects everything that is wrong with a file.
type problems struct {
	at   *lines
	list []problem
}

// add notes what is wrong with the value at a key path.
func (p *problems) add(path []string, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(path) > 0 {
		text = strings.Join(path, ".") + ": " + text
	}
	p.list = append(p.list, problem{line: p.at.line(path), text: text})
}

// err returns all problems in order of line, nil where there is none.
func (p *problems) err() error {
	slices.SortStableFunc(p.list, func(a, b problem) int { return a.line - b.line })
	var errs []error
	for _, one := range p.list {
		errs = append(errs, fmt.Errorf("%s:%d: %s", p.at.name, one.line, one.text))
	}
	return errors.Join(errs...)
}

// find returns the deepest node along path that exists.
func (l *lines) find(path []string) *yaml.Node {
	n := l.root
	for _, key := range path {
		next := child(n, key)
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

func (l *lines) line(path []string) int {
	if n := l.find(path); n != nil && n.Line > 0 {
		return n.Line
	}
	return 1
}

// keys lists the keys of the mapping at path, in the order of the file.
func (l *lines) keys(path ...string) []string {
	var keys []string
	n := l.find(path)
	for i := 0; n != nil && n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		keys = append(keys, n.Content[i].Value)
	}
	return keys
}

// child finds a key of a mapping or an index of a sequence.
func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind == yaml.SequenceNode {
		if i, err := strconv.Atoi(key); err == nil && i < len(n.Content) {
			return n.Content[i]
		}
		return nil
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

var (
	unknownKey = regexp.MustCompile(`^line (\d+): field (\S+) not found in type config\.(\w+)$`)
	otherError = regexp.MustCompile(`^line (\d+): (.*)$`)
)

// explain turns the YAML library's error into ours.
func (p *problems) explain(err error) {
	var typeError *yaml.TypeError
	if !errors.As(err, &typeError) {
		p.list = append(p.list, splitLine(strings.TrimPrefix(err.Error(), "yaml: ")))
		return
	}
	for _, text := range typeError.Errors {
		if m := unknownKey.FindStringSubmatch(text); m != nil {
			line, _ := strconv.Atoi(m[1]) // the expression matched digits
			p.list = append(p.list, problem{line, fmt.Sprintf("unknown key %q%s", m[2],
				didYouMean(m[2], knownKeys(m[3])))})
			continue
		}
		p.list = append(p.list, splitLine(text))
	}
}

func splitLine(text string) problem {
	if m := otherError.FindStringSubmatch(text); m != nil {
		line, _ := strconv.Atoi(m[1]) // the expression matched digits
		return problem{line, m[2]}
	}
	return problem{1, text}
}

// didYouMean suggests the candidate nearest to word, where one is near.
func didYouMean(word string, candidates []string) string {
	best, distance := "", 3
	for _, c := range candidates {
		if d := editDistance(word, c); d < distance && d < len(word) {
			best, distance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
