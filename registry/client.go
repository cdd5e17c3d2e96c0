package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Client asks one registry. It is safe for concurrent use.
type Client struct {
	cfg   Config
	http  *http.Client
	cache *cache
	wait  func(ctx context.Context, d time.Duration) error
}

// New returns a client. It reads the TLS files but does not connect. wait waits, or gives the
// context's error.
func New(cfg Config, wait func(ctx context.Context, d time.Duration) error) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("checking the registry configuration: %w", err)
	}
	if cfg.URL == "" {
		return nil, errors.New("checking the registry configuration: url is missing")
	}
	secured, err := cfg.tls()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: cfg.RequestTimeout}).DialContext,
		TLSClientConfig:     secured,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     time.Minute,
	}
	return &Client{cfg: cfg, cache: newCache(cfg.CacheBytes), wait: wait,
		http: &http.Client{Transport: transport, Timeout: cfg.RequestTimeout}}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// failure is the body of an answer that is not a success.
type failure struct {
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

const (
	mediaType = "application/vnd.schemaregistry.v1+json"
	maxAnswer = 8 << 20 // bytes
)

// Bounds of the pause between two attempts of a request.
const (
	minPause = 100 * time.Millisecond
	maxPause = 2 * time.Second
)

// call makes a request and decodes its answer. It tries again while the registry is not reachable:
// every request here may be repeated.
func (c *Client) call(ctx context.Context, method, path string, body, answer any) error {
	pause := minPause
	for attempt := 1; ; attempt++ {
		err := c.attempt(ctx, method, path, body, answer)
		if !errors.Is(err, ErrUnreachable) || attempt >= c.cfg.Attempts {
			return err
		}
		if waitErr := c.wait(ctx, pause); waitErr != nil {
			return err
		}
		pause = min(2*pause, maxPause)
	}
}

func (c *Client) attempt(ctx context.Context, method, path string, body, answer any) error {
	request, err := c.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err) // the address holds no credentials
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("%w: reading its answer: %w", ErrUnreachable, err)
	}
	if len(text) > maxAnswer {
		return fmt.Errorf("%w: its answer has more than %d bytes", ErrRefused, maxAnswer)
	}
	if response.StatusCode != http.StatusOK {
		var f failure
		if json.Unmarshal(text, &f) != nil {
			f = failure{Message: "its answer is not that of a schema registry"}
		}
		return answerError(response.StatusCode, f)
	}
	if json.Unmarshal(text, answer) != nil {
		return fmt.Errorf("%w: its answer is not that of a schema registry", ErrUnreachable)
	}
	return nil
}

func (c *Client) request(ctx context.Context, method, path string, body any) (
	*http.Request, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encoding a request to the registry: %w", err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.cfg.base()+path, content)
	if err != nil {
		return nil, fmt.Errorf("making a request to the registry: %w", err)
	}
	request.Header.Set("Accept", mediaType+", application/json")
	if body != nil {
		request.Header.Set("Content-Type", mediaType)
	}
	switch {
	case c.cfg.Token != "":
		request.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	case c.cfg.Username != "":
		request.SetBasicAuth(c.cfg.Username, c.cfg.Password)
	}
	return request, nil
}
