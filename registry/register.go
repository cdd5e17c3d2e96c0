package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// submission is a schema on its way to the registry.
type submission struct {
	Schema string `json:"schema"`
	Type   string `json:"schemaType"`
}

func submit(text []byte) submission { return submission{Schema: string(text), Type: "AVRO"} }

// ValueSubject is the usual name of the subject for the values of a topic (TopicNameStrategy).
func ValueSubject(topic string) string { return topic + "-value" }

// Register registers a schema under a subject, and returns its id. A schema that is there already
// keeps its id. ErrIncompatible where the subject's compatibility mode forbids it, with the
// registry's reasons.
func (c *Client) Register(ctx context.Context, subject string, text []byte) (uint32, error) {
	var answer document
	path := "/subjects/" + url.PathEscape(subject) + "/versions"
	err := c.call(ctx, http.MethodPost, path, submit(text), &answer)
	if err != nil {
		return 0, fmt.Errorf("registering a schema under subject %s: %w", subject, err)
	}
	return answer.ID, nil
}

// Lookup returns the id that a schema has under a subject. ErrNotFound where it has none.
func (c *Client) Lookup(ctx context.Context, subject string, text []byte) (uint32, error) {
	var answer document
	path := "/subjects/" + url.PathEscape(subject)
	if err := c.call(ctx, http.MethodPost, path, submit(text), &answer); err != nil {
		return 0, fmt.Errorf("looking a schema up under subject %s: %w", subject, err)
	}
	return answer.ID, nil
}

// Compatible tells whether a schema may become the next version of a subject; where not, why, in
// the registry's words. Every schema is compatible with a subject that has no version.
func (c *Client) Compatible(ctx context.Context, subject string, text []byte) (
	ok bool, reason string, err error) {
	var answer struct {
		Compatible bool     `json:"is_compatible"`
		Messages   []string `json:"messages"`
		Reason     string   `json:"reason"` // Apicurio's word for messages
	}
	path := "/compatibility/subjects/" + url.PathEscape(subject) + "/versions/latest?verbose=true"
	err = c.call(ctx, http.MethodPost, path, submit(text), &answer)
	if errors.Is(err, ErrNotFound) {
		return true, "", nil
	}
	if err != nil {
		return false, "", fmt.Errorf("checking a schema against subject %s: %w", subject, err)
	}
	reason = strings.Join(append(answer.Messages, answer.Reason), "; ")
	return answer.Compatible, shorten(strings.Trim(reason, "; ")), nil
}
