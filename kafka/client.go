package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
	"github.com/twmb/franz-go/pkg/kmsg"

	"selfsame/pipeline"
)

// Client is a connection pool to one cluster. It is safe for concurrent use.
type Client struct {
	cfg   Config
	log   *slog.Logger
	codec compress.Compression
	addr  net.Addr

	// trip is the Transport, or a test's stand-in for it.
	trip  kafkago.RoundTripper
	calls *kafkago.Client
	close func()

	// refreshing holds the time at which the last refresh of the metadata began. Whoever takes it
	// out may refresh.
	refreshing chan time.Time

	// topics are asked for by fetches, so that nothing fetched is of a topic that was made anew
	// without saying so.
	topics      *pipeline.TopicIDs
	fetchesByID atomic.Int32 // byIDUnknown, byIDSpoken or byIDNot
}

// New returns a client. It reads the TLS files but does not connect: Ping does.
func New(cfg Config, log *slog.Logger) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("checking the kafka configuration: %w", err)
	}
	tlsConfig, err := cfg.TLS.load()
	if err != nil {
		return nil, err
	}
	mechanism, err := cfg.SASL.mechanism()
	if err != nil {
		return nil, err
	}
	transport := &kafkago.Transport{
		Dial:        (&net.Dialer{Timeout: cfg.DialTimeout}).DialContext,
		DialTimeout: cfg.DialTimeout,
		ClientID:    cfg.ClientID,
		TLS:         tlsConfig,
		SASL:        mechanism,
	}
	return newClient(cfg, log, transport, transport.CloseIdleConnections), nil
}

func newClient(cfg Config, log *slog.Logger, trip kafkago.RoundTripper, stop func()) *Client {
	codec, _ := parseCompression(cfg.Compression)
	addr := kafkago.TCP(cfg.Brokers...)
	c := &Client{
		cfg:        cfg,
		log:        log,
		codec:      codec,
		addr:       addr,
		trip:       trip,
		calls:      &kafkago.Client{Addr: addr, Transport: trip},
		close:      stop,
		refreshing: make(chan time.Time, 1),
		topics:     pipeline.NewTopicIDs(),
	}
	c.refreshing <- time.Time{}
	return c
}

// Close closes the connections. Those in use close when their request is done.
func (c *Client) Close() { c.close() }

// Source returns the client as the pipeline's source.
func (c *Client) Source() *Source { return &Source{c} }

// Sink returns the client as the pipeline's sink.
func (c *Client) Sink() *Sink { return &Sink{c} }

// Ping reports whether a broker answers.
func (c *Client) Ping(ctx context.Context) error {
	ctx, cancel := c.limit(ctx, 0)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Version = metadataVersion
	req.Topics = []kmsg.MetadataRequestTopic{}
	_, err := c.callAny(ctx, req)
	if err != nil && ctx.Err() == nil {
		_, err = c.callAny(ctx, req) // the first can have met a connection that died while idle
	}
	if err != nil {
		return fmt.Errorf("reaching kafka at %s: %w", c.address(), err)
	}
	return nil
}

func (c *Client) address() string { return strings.Join(c.cfg.Brokers, ",") }

// limit bounds one request, since the Transport keeps a connection busy until the broker answers
// or the context's deadline passes, whether or not anyone still waits.
func (c *Client) limit(ctx context.Context, wait time.Duration) (
	context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.cfg.RequestTimeout+wait)
}

func (t TLSConfig) load() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	cfg := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         t.ServerName,
		InsecureSkipVerify: t.InsecureSkipVerify,
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate authority: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading the certificate authority: none in %s", t.CAFile)
		}
	}
	if t.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("reading the client certificate: %w", err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

func (s SASLConfig) mechanism() (sasl.Mechanism, error) {
	var algorithm scram.Algorithm
	switch s.Mechanism {
	case "":
		return nil, nil
	case "plain":
		return plain.Mechanism{Username: s.Username, Password: s.Password}, nil
	case "scram-sha-256":
		algorithm = scram.SHA256
	case "scram-sha-512":
		algorithm = scram.SHA512
	default:
		return nil, errors.New("sasl: unknown mechanism")
	}
	mechanism, err := scram.Mechanism(algorithm, s.Username, s.Password)
	if err != nil {
		return nil, fmt.Errorf("preparing sasl: %w", err)
	}
	return mechanism, nil
}
