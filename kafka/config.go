package kafka

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/segmentio/kafka-go/compress"
)

// Config says how to reach a cluster. It is not changed after New.
type Config struct {
	Brokers  []string // host:port, any of the cluster; the rest is discovered
	ClientID string
	TLS      TLSConfig
	SASL     SASLConfig

	DialTimeout    time.Duration // connecting, with TLS and SASL handshakes
	RequestTimeout time.Duration // one request, on top of what it waits for by intent

	FetchMaxBytes        int32         // one fetch of one partition, or one batch that is larger
	FetchMaxWait         time.Duration // how long a fetch at the end of the log waits for records
	DecompressedMaxBytes int64         // one batch, decompressed

	Compression        string        // of what is produced: "", none, gzip, snappy, lz4, zstd
	TransactionTimeout time.Duration // told to the broker by Open
}

// TLSConfig says whether and how connections are encrypted.
type TLSConfig struct {
	Enabled            bool
	CAFile             string // PEM; the system's roots where empty
	CertFile           string // PEM, with KeyFile, where the broker wants a client certificate
	KeyFile            string
	ServerName         string // where it differs from the host that is dialled
	InsecureSkipVerify bool
}

// SASLConfig says how the client authenticates. An empty Mechanism means not at all.
type SASLConfig struct {
	Mechanism string // plain, scram-sha-256, scram-sha-512
	Username  string
	Password  string
}

// Default returns the configuration for a broker on this host.
func Default() Config {
	return Config{
		Brokers:              []string{"127.0.0.1:9092"},
		ClientID:             "selfsame",
		DialTimeout:          5 * time.Second,
		RequestTimeout:       30 * time.Second,
		FetchMaxBytes:        4 << 20,
		FetchMaxWait:         500 * time.Millisecond,
		DecompressedMaxBytes: 128 << 20,
		TransactionTimeout:   time.Minute,
	}
}

// Validate reports everything that is wrong with the configuration at once.
func (c Config) Validate() error {
	return errors.Join(
		c.validateBrokers(),
		c.TLS.validate(),
		c.SASL.validate(),
		c.validateLimits(),
		c.validateCompression(),
	)
}

func (c Config) validateBrokers() error {
	if len(c.Brokers) == 0 {
		return errors.New("brokers: at least one host:port is needed")
	}
	var errs []error
	for _, b := range c.Brokers {
		if host, port, err := net.SplitHostPort(b); err != nil || host == "" || port == "" {
			errs = append(errs, fmt.Errorf("brokers: %q is not host:port", b))
		}
	}
	return errors.Join(errs...)
}

func (c Config) validateLimits() error {
	var errs []error
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"dial timeout", c.DialTimeout},
		{"request timeout", c.RequestTimeout},
		{"transaction timeout", c.TransactionTimeout},
	} {
		if d.value < time.Millisecond {
			errs = append(errs, fmt.Errorf("%s: %s is less than a millisecond", d.name, d.value))
		}
	}
	if c.FetchMaxWait < 0 || c.FetchMaxWait > 5*time.Minute {
		errs = append(errs, fmt.Errorf("fetch max wait: %s is not within 0 to 5m", c.FetchMaxWait))
	}
	if c.FetchMaxBytes < 1 {
		errs = append(errs, fmt.Errorf("fetch max bytes: %d is less than 1", c.FetchMaxBytes))
	}
	if c.DecompressedMaxBytes < 1 {
		errs = append(errs,
			fmt.Errorf("decompressed max bytes: %d is less than 1", c.DecompressedMaxBytes))
	}
	return errors.Join(errs...)
}

func (c Config) validateCompression() error {
	if _, err := parseCompression(c.Compression); err != nil {
		return err
	}
	return nil
}

func parseCompression(name string) (compress.Compression, error) {
	switch name {
	case "", "none":
		return compress.None, nil
	case "gzip":
		return compress.Gzip, nil
	case "snappy":
		return compress.Snappy, nil
	case "lz4":
		return compress.Lz4, nil
	case "zstd":
		return compress.Zstd, nil
	}
	return 0, fmt.Errorf("compression: %q is none of none, gzip, snappy, lz4, zstd", name)
}

func (t TLSConfig) validate() error {
	if !t.Enabled {
		if t != (TLSConfig{}) {
			return errors.New("tls: settings are given but tls is not enabled")
		}
		return nil
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return errors.New("tls: a client certificate needs both a cert file and a key file")
	}
	return nil
}

func (s SASLConfig) validate() error {
	var errs []error
	switch s.Mechanism {
	case "":
		if s.Username != "" || s.Password != "" {
			errs = append(errs, errors.New("sasl: a user is given but no mechanism"))
		}
		return errors.Join(errs...)
	case "plain", "scram-sha-256", "scram-sha-512":
	default:
		errs = append(errs, fmt.Errorf(
			"sasl: mechanism %q is none of plain, scram-sha-256, scram-sha-512", s.Mechanism))
	}
	if s.Username == "" || s.Password == "" {
		errs = append(errs, errors.New("sasl: username and password are both needed"))
	}
	return errors.Join(errs...)
}
