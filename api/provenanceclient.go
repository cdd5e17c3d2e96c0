package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"selfsame/pipeline"
	"selfsame/profile"
)

// ProvenanceQuery names a merged profile by one of its identities, and what to explain of it.
type ProvenanceQuery struct {
	Class    string // "": DefaultClass
	Identity profile.Identity
	Policy   string // "": the default policy of the class
	Path     string // dotted; "": everything
}

// Provenance explains the attributes of a merged profile, as JSON. ErrNotFound where there is none.
func (c *Client) Provenance(ctx context.Context, q ProvenanceQuery) ([]byte, error) {
	values := url.Values{"identity": {q.Identity.String()}}
	for name, value := range map[string]string{"class": q.Class, "policy": q.Policy,
		"path": q.Path} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return c.get(ctx, provenancePath+"?"+values.Encode())
}

// Preview tells what another merge policy would change, as JSON. ErrNotFound where the identity is
// not known.
func (c *Client) Preview(ctx context.Context, q pipeline.PreviewQuery) ([]byte, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	request, err := c.request(ctx, http.MethodPost, previewPath, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	return c.answer(c.do(c.http, request))
}

// DefinitionsError is what a client returns where the daemon refuses the definitions of a preview.
type DefinitionsError struct {
	daemon, said string
	Problems     []pipeline.SpecError // by the path in what was sent
}

// Error implements error.
func (e *DefinitionsError) Error() string {
	return fmt.Sprintf("the daemon at %s refused: %s", e.daemon, e.said)
}
