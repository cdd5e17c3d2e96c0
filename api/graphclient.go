package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// GraphQuery asks about the graph of a class.
type GraphQuery struct {
	Class string // "": DefaultClass
	Limit int    // of each list in the answer; 0: the daemon's default
}

func (q GraphQuery) values() url.Values {
	values := url.Values{}
	if q.Class != "" {
		values.Set("class", q.Class)
	}
	if q.Limit != 0 {
		values.Set("limit", strconv.Itoa(q.Limit))
	}
	return values
}

// Graph returns the cluster of an identity, NAMESPACE:VALUE, as JSON. ErrNotFound where the
// identity is not known.
func (c *Client) Graph(ctx context.Context, q GraphQuery, identity string) ([]byte, error) {
	values := q.values()
	values.Set("identity", identity)
	return c.get(ctx, graphPath+"?"+values.Encode())
}

// Explain returns, as JSON, why two identities are one self or are not. ErrNotFound where one of
// them is not known.
func (c *Client) Explain(ctx context.Context, q GraphQuery, from, to string) ([]byte, error) {
	values := q.values()
	values.Set("from", from)
	values.Set("to", to)
	return c.get(ctx, explainPath+"?"+values.Encode())
}

// Top returns the largest clusters, and what is refused most, as JSON. It waits for as long as the
// daemon reads.
func (c *Client) Top(ctx context.Context, q GraphQuery) ([]byte, error) {
	return c.answer(c.ask(ctx, c.slow, topPath+"?"+q.values().Encode()))
}

// Simulate returns, as JSON, what other rules would do to the graph of a class. It waits for as
// long as the daemon reads.
func (c *Client) Simulate(ctx context.Context, s Simulation) ([]byte, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	request, err := c.request(ctx, http.MethodPost, simulatePath, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	return c.answer(c.do(c.slow, request))
}
