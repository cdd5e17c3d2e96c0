package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"selfsame/pipeline"
)

// Where computed attributes are listed, and where definitions are tried.
const (
	computedPath        = "/v1/computed"
	computedPreviewPath = "/v1/computed/preview"
)

// computed answers GET /v1/computed?class=CLASS.
func (h *handler) computed(w http.ResponseWriter, r *http.Request) {
	class := DefaultClass
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err == nil {
		err = readParameters(values, func(name, value string) error {
			if name != "class" {
				return fmt.Errorf("unknown parameter %q", name)
			}
			class = value
			return nil
		})
	}
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	status, err := h.backend.Lookup.Computed(class)
	if h.failed(w, err) {
		return
	}
	writeJSON(w, http.StatusOK, status)
}

// previewComputed answers POST /v1/computed/preview. It changes nothing.
func (h *handler) previewComputed(w http.ResponseWriter, r *http.Request) {
	body, ok := readJSON(w, r, maxPreview)
	if !ok {
		return
	}
	q := pipeline.ComputedQuery{Class: DefaultClass}
	if !decodeStrictly(w, body, &q) {
		return
	}
	if !h.exports.begin() { // it may read many events
		h.refuseBusy(w)
		return
	}
	defer h.exports.end()
	p, err := h.backend.Lookup.PreviewComputed(q)
	if h.failed(w, err) {
		return
	}
	if p == nil {
		writeError(w, http.StatusNotFound, "no profile has this identity")
		return
	}
	writeJSON(w, http.StatusOK, p)
}

// Computed tells of the computed attributes of a class, "" for DefaultClass.
func (c *Client) Computed(ctx context.Context, class string) (*pipeline.ComputedStatus, error) {
	path := computedPath
	if class != "" {
		path += "?class=" + url.QueryEscape(class)
	}
	body, err := c.get(ctx, path)
	if err != nil {
		return nil, err
	}
	var status pipeline.ComputedStatus
	if err := json.Unmarshal(body, &status); err != nil {
		return nil, fmt.Errorf("reading the daemon's answer: %w", err)
	}
	return &status, nil
}

// PreviewComputed tells what definitions of computed attributes come to, as JSON. ErrNotFound where
// the identity is not known.
func (c *Client) PreviewComputed(ctx context.Context, q pipeline.ComputedQuery) ([]byte, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	request, err := c.request(ctx, http.MethodPost, computedPreviewPath, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	return c.answer(c.do(c.http, request))
}
