package kafka

import (
	"bytes"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go/compress"
)

// decompress returns the records of a batch, at most limit bytes of them.
func decompress(codec compress.Compression, b []byte, limit int64) ([]byte, error) {
	if codec == compress.None {
		return b, nil
	}
	c := codec.Codec()
	if c == nil {
		return nil, fmt.Errorf("compression codec %d is not known", codec)
	}
	r := c.NewReader(bytes.NewReader(b))
	defer r.Close()
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("decompressing with %s: %w", c.Name(), err)
	}
	if n > limit {
		return nil, fmt.Errorf("decompressing with %s: more than %d bytes", c.Name(), limit)
	}
	return out.Bytes(), nil
}

// compressed returns b compressed, the same for the same b.
func compressed(codec compress.Compression, b []byte) ([]byte, error) {
	if codec == compress.None {
		return b, nil
	}
	var out bytes.Buffer
	w := codec.Codec().NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	return out.Bytes(), nil
}
