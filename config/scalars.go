package config

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"selfsame/identity"
)

// Bytes is a size: an integer, or one with the unit KiB, MiB or GiB.
type Bytes int64

// UnmarshalYAML implements yaml.Unmarshaler.
func (b *Bytes) UnmarshalYAML(n *yaml.Node) error {
	text, scale := n.Value, int64(1)
	for unit, size := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if rest, ok := strings.CutSuffix(text, unit); ok {
			text, scale = strings.TrimSpace(rest), size
		}
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v < 0 || v > (1<<62)/scale {
		return fmt.Errorf("line %d: %q is no size: want an integer, or one with KiB, MiB or GiB",
			n.Line, n.Value)
	}
	*b = Bytes(v * scale)
	return nil
}

// Duration is a span of time as Go writes it, such as 1h30m, or in days, such as 400d.
type Duration time.Duration

// UnmarshalYAML implements yaml.Unmarshaler.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := parseDuration(n.Value)
	if err != nil || v < 0 {
		return fmt.Errorf("line %d: %q is no duration: want one such as 5s, 1h30m or 400d",
			n.Line, n.Value)
	}
	*d = Duration(v)
	return nil
}

func parseDuration(text string) (time.Duration, error) {
	days, ok := strings.CutSuffix(text, "d")
	if !ok {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseInt(days, 10, 32)
	if err != nil || n > 100_000 {
		return 0, fmt.Errorf("bad number of days %q", days)
	}
	return time.Duration(n) * 24 * time.Hour, nil
}

// HubDegree is a number of neighbours, or "off"; 0 where nothing is written.
type HubDegree int

// UnmarshalYAML implements yaml.Unmarshaler.
func (d *HubDegree) UnmarshalYAML(n *yaml.Node) error {
	if n.Value == "off" {
		*d = identity.HubsOff
		return nil
	}
	v, err := strconv.ParseInt(n.Value, 10, 32)
	if err != nil || v < 1 {
		return fmt.Errorf("line %d: hub_degree: %q is no number of neighbours: want at least 1, "+
			"or off; leave it out for the default of the type", n.Line, n.Value)
	}
	*d = HubDegree(v)
	return nil
}

// Secret is a value that is never printed: a text, {file: PATH} or {env: NAME}.
type Secret struct {
	literal string
	file    string
	env     string
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (s *Secret) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		s.literal = n.Value
		return nil
	}
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 {
		return fmt.Errorf("line %d: want a text, {file: PATH} or {env: NAME}", n.Line)
	}
	switch key := n.Content[0].Value; key {
	case "file":
		s.file = n.Content[1].Value
	case "env":
		s.env = n.Content[1].Value
	default:
		return fmt.Errorf("line %d: unknown key %q: want file or env", n.Line, key)
	}
	return nil
}

// IsZero reports whether nothing was configured.
func (s Secret) IsZero() bool { return s == Secret{} }

// String hides the value.
func (s Secret) String() string { return "(secret)" }

// LogValue hides the value from structured logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// read returns the value, without white space around what a file holds.
func (s Secret) read(resolve func(string) string) (string, error) {
	switch {
	case s.file != "":
		raw, err := os.ReadFile(resolve(s.file))
		if err != nil {
			return "", fmt.Errorf("reading a secret: %w", pathError(err))
		}
		return strings.TrimSpace(string(raw)), nil
	case s.env != "":
		value, ok := os.LookupEnv(s.env)
		if !ok {
			return "", fmt.Errorf("the environment variable %s is not set", s.env)
		}
		return value, nil
	}
	return s.literal, nil
}

// pathError keeps path errors as they are; they name the path and the cause.
func pathError(err error) error {
	if _, ok := err.(*fs.PathError); ok {
		return err
	}
	return fmt.Errorf("unexpected: %w", err)
}
