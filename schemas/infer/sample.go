package infer

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// Sample is what the records of a sample look like.
type Sample struct {
	prober  *prober
	root    *shape
	records int
	dec     *jsontext.Decoder
}

// NewSample returns a sample without records.
func NewSample() (*Sample, error) {
	p, err := newProber()
	if err != nil {
		return nil, err
	}
	return &Sample{prober: p, root: newShape(), dec: &jsontext.Decoder{}}, nil
}

// Records is how many records were added.
func (s *Sample) Records() int { return s.records }

// What is wrong with a line.
var (
	errNotJSON   = errors.New("not JSON, or a key stands twice")
	errNotObject = errors.New("not a JSON object")
)

// Add takes note of one record, a JSON object. After an error the sample must not be used.
func (s *Sample) Add(record []byte) error {
	s.dec.Reset(bytes.NewReader(record))
	if kind := s.dec.PeekKind(); kind != '{' {
		if kind == 0 {
			return errNotJSON
		}
		return errNotObject
	}
	if err := s.value(s.root, 0); err != nil {
		return errNotJSON
	}
	if _, err := s.dec.ReadToken(); err != io.EOF {
		return errors.New("something follows the object")
	}
	s.records++
	return nil
}

func (s *Sample) value(at *shape, depth int) error {
	switch s.dec.PeekKind() {
	case '{':
		return s.object(at, depth)
	case '[':
		return s.array(at, depth)
	}
	raw, err := s.dec.ReadValue()
	switch {
	case err != nil:
		return err
	case raw.Kind() == 'n':
		at.nulls++
	default:
		at.scalar(s.prober, raw)
	}
	return nil
}

func (s *Sample) object(at *shape, depth int) error {
	at.objects++
	if depth > maxDepth {
		at.deep = true
		return s.dec.SkipValue()
	}
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	for s.dec.PeekKind() != '}' {
		name, err := s.dec.ReadToken()
		if err != nil {
			return err
		}
		if err := s.value(at.member(name.String()), depth+1); err != nil {
			return err
		}
	}
	_, err := s.dec.ReadToken()
	return err
}

func (s *Sample) array(at *shape, depth int) error {
	at.arrays++
	if depth > maxDepth {
		at.deep = true
		return s.dec.SkipValue()
	}
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	items := at.itemShape()
	for s.dec.PeekKind() != ']' {
		if err := s.value(items, depth+1); err != nil {
			return err
		}
	}
	_, err := s.dec.ReadToken()
	return err
}
