package config

import (
	"cmp"
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
	path []string // that is wrong, or was meant; nil: not known
}

// problems collects everything that is wrong with a file.
type problems struct {
	at   *lines
	list []problem

	meant  map[string]bool // paths of keys that unknown ones were meant for: they are not missing
	broken map[int]bool    // lines that could not be read: what is missing there is not
}

// add notes what is wrong with the value at a key path.
func (p *problems) add(path []string, format string, args ...any) {
	text, line := fmt.Sprintf(format, args...), p.at.line(path)
	if p.meant[strings.Join(path, ".")] || p.broken[line] {
		return // it follows from what was told when the file was read
	}
	if len(path) > 0 {
		text = strings.Join(path, ".") + ": " + text
	}
	p.list = append(p.list, problem{line: line, text: text, path: path})
}

// any reports whether something is wrong at a path that want wants.
func (p *problems) any(want func(path []string) bool) bool {
	return slices.ContainsFunc(p.list, func(one problem) bool { return want(one.path) })
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

// locate finds the mapping that has a key at a line; nil where there is none. Of several the one
// that skip passes over so many others is it.
func (l *lines) locate(key string, line, skip int) (path []string, found bool) {
	var walk func(n *yaml.Node, at []string) bool
	walk = func(n *yaml.Node, at []string) bool {
		for i := 0; n != nil && n.Kind == yaml.SequenceNode && i < len(n.Content); i++ {
			if walk(n.Content[i], append(slices.Clip(at), strconv.Itoa(i))) {
				return true
			}
		}
		for i := 0; n != nil && n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			name := n.Content[i]
			if name.Value == key && name.Line == line {
				if skip--; skip < 0 {
					path, found = at, true
					return true
				}
			}
			if walk(n.Content[i+1], append(slices.Clip(at), name.Value)) {
				return true
			}
		}
		return false
	}
	walk(l.root, nil)
	return path, found
}

// around is what a line is about: the key that begins there, or else the last one before it that
// has not ended. Of several in one mapping it is that mapping.
func (l *lines) around(line int) (path []string) {
	for n := l.root; n != nil && n.Kind == yaml.MappingNode; {
		var next *yaml.Node
		here := 0
		for i := 0; i+1 < len(n.Content); i += 2 {
			switch key := n.Content[i]; {
			case key.Line == line:
				here++
				path = append(path, key.Value)
			case key.Line < line:
				next = n.Content[i+1]
			}
		}
		if here > 0 {
			if here > 1 {
				path = path[:len(path)-here]
			}
			return path
		}
		if next == nil {
			return path
		}
		path = append(path, keyOf(n, next))
		n = next
	}
	return path
}

// keyOf is the key of a value of a mapping.
func keyOf(n, value *yaml.Node) string {
	at := slices.Index(n.Content, value)
	return n.Content[at-1].Value
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

// explain turns the YAML library's error into ours. All but wrong types and unknown keys end the
// reading.
func (p *problems) explain(err error) (goesOn bool) {
	var typeError *yaml.TypeError
	if !errors.As(err, &typeError) {
		p.list = append(p.list, splitLine(strings.TrimPrefix(err.Error(), "yaml: ")))
		return false
	}
	seen := map[string]int{}
	for _, text := range typeError.Errors {
		if m := unknownKey.FindStringSubmatch(text); m != nil {
			line, _ := strconv.Atoi(m[1]) // the expression matched digits
			p.unknown(line, m[2], knownKeys(m[3]), seen)
			continue
		}
		one := splitLine(text)
		one.text = wantedType(one.text)
		if one.path = p.at.around(one.line); len(one.path) > 0 {
			one.text = strings.Join(one.path, ".") + ": " + one.text
		}
		p.list = append(p.list, one)
		if p.broken == nil {
			p.broken = map[int]bool{}
		}
		p.broken[one.line] = true
	}
	return true
}

// unknown notes an unknown key, and which one was meant. seen counts the keys of a name and line.
func (p *problems) unknown(line int, key string, known []string, seen map[string]int) {
	place := strconv.Itoa(line) + " " + key
	path, found := p.at.locate(key, line, seen[place])
	seen[place]++
	one := problem{line: line, text: fmt.Sprintf("unknown key %q%s", key, didYouMean(key, known))}
	if found {
		meant := cmp.Or(nearest(key, known), key)
		one.path = append(slices.Clip(path), meant)
		if len(path) > 0 {
			one.text = strings.Join(path, ".") + ": " + one.text
		}
		if p.meant == nil {
			p.meant = map[string]bool{}
		}
		p.meant[strings.Join(one.path, ".")] = true
	}
	p.list = append(p.list, one)
}

func splitLine(text string) problem {
	if m := otherError.FindStringSubmatch(text); m != nil {
		line, _ := strconv.Atoi(m[1]) // the expression matched digits
		return problem{line: line, text: m[2]}
	}
	return problem{line: 1, text: text}
}

// didYouMean suggests the candidate nearest to word, where one is near.
func didYouMean(word string, candidates []string) string {
	if best := nearest(word, candidates); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return ""
}

// nearest is the candidate nearest to word, "" where none is near.
func nearest(word string, candidates []string) string {
	best, distance := "", 3
	for _, c := range candidates {
		if d := editDistance(word, c); d < distance && d < len(word) {
			best, distance = c, d
		}
	}
	return best
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
