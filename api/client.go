package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client asks a running daemon.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// NewClient returns a client of the daemon at address, host:port or a URL.
func NewClient(address, token string) *Client {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	return &Client{base: strings.TrimSuffix(address, "/"), token: token,
		http: &http.Client{Timeout: time.Minute}}
}

// ProfileQuery names a merged profile by one of its identities.
type ProfileQuery struct {
	Class, Namespace, Value string
	Policy                  string // "": the default
	Provenance              bool
}

// ErrNotFound says that no profile has the identity.
var ErrNotFound = errors.New("not found")

// Profile returns a merged profile as JSON. ErrNotFound where there is none.
func (c *Client) Profile(ctx context.Context, q ProfileQuery) ([]byte, error) {
	values := url.Values{"identity": {q.Namespace + ":" + q.Value}, "class": {q.Class},
		"policy": {q.Policy}, "provenance": {strconv.FormatBool(q.Provenance)}}
	return c.get(ctx, "/v1/profiles?"+values.Encode())
}

// Status returns what the daemon says of itself as JSON.
func (c *Client) Status(ctx context.Context) ([]byte, error) { return c.get(ctx, "/v1/status") }

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 64 << 20

func (c *Client) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, fmt.Errorf("asking the daemon: %w", err)
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("no daemon answers at %s: is it running? (%w)", c.base,
			errors.Unwrap(err))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("reading the daemon's answer: %w", err)
	}
	if response.StatusCode == http.StatusOK {
		return body, nil
	}
	var problem struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &problem) != nil || problem.Error == "" {
		problem.Error = response.Status
	}
	if response.StatusCode == http.StatusNotFound {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, problem.Error)
	}
	return nil, fmt.Errorf("the daemon at %s refuses: %s", c.base, problem.Error)
}
