package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"selfsame/pipeline"
	"selfsame/profile"
)

// Errors of a client that a caller may want to tell apart.
var (
	ErrNotFound     = errors.New("not found")
	ErrUnauthorized = errors.New("the daemon wants another token: is SELFSAME_TOKEN the daemon's?")
	ErrIncomplete   = errors.New("the export is incomplete")
)

// Limits of a client.
const (
	clientTimeout = 10 * time.Second // of a whole request
	answerBytes   = 64 << 20         // more is no answer of a daemon
)

// Client asks a running daemon. Safe for concurrent use.
type Client struct {
	base  string
	token string
	http  *http.Client
	long  *http.Client // for answers that take as long as they take
	slow  *http.Client // for answers that take long to begin
}

// NewClient returns a client of the daemon at address: HOST:PORT or a URL. An address that the
// daemon listens on everywhere, such as :8080, is reached on this machine.
func NewClient(address, token string) *Client {
	// The API never redirects; what does is something else, and is not shown the token.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: baseURL(address), token: token,
		http: &http.Client{Timeout: clientTimeout, CheckRedirect: stay},
		long: &http.Client{CheckRedirect: stay, Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: clientTimeout,
		}},
		slow: &http.Client{CheckRedirect: stay},
	}
}

func baseURL(address string) string {
	if strings.Contains(address, "://") {
		return strings.TrimSuffix(address, "/")
	}
	if host, port, err := net.SplitHostPort(address); err == nil {
		ip, notIP := netip.ParseAddr(host)
		if host == "" || notIP == nil && ip.IsUnspecified() {
			address = net.JoinHostPort("localhost", port)
		}
	}
	return "http://" + address
}

// ProfileQuery names a merged profile by one of its identities.
type ProfileQuery struct {
	Class      string // "": DefaultClass
	Namespace  string
	Value      string
	Policy     string // "": the default policy of the class
	Provenance bool   // also where each attribute came from
}

// Profile returns a merged profile as JSON. ErrNotFound where there is none.
func (c *Client) Profile(ctx context.Context, q ProfileQuery) ([]byte, error) {
	id := profile.Identity{Namespace: q.Namespace, Value: q.Value}
	values := url.Values{"identity": {id.String()}}
	if q.Class != "" {
		values.Set("class", q.Class)
	}
	if q.Policy != "" {
		values.Set("policy", q.Policy)
	}
	if q.Provenance {
		values.Set("provenance", strconv.FormatBool(true))
	}
	return c.get(ctx, "/v1/profiles?"+values.Encode())
}

// Jobs returns the daemon's jobs as JSON.
func (c *Client) Jobs(ctx context.Context) ([]byte, error) { return c.get(ctx, "/v1/jobs") }

// ControlOutcome is what became of a control record.
type ControlOutcome struct {
	Answer []byte // as JSON
	// Refused says why the record was refused; nil where it was applied.
	Refused error
	Cause   string // topic/partition/offset of the record
}

// Control returns what became of a control record. ErrNotFound where the daemon knows of none of
// this id, applied or refused.
func (c *Client) Control(ctx context.Context, id string) (ControlOutcome, error) {
	body, err := c.get(ctx, controlPath+"/"+url.PathEscape(id))
	if err != nil {
		return ControlOutcome{}, err
	}
	var answer controlRefusal
	if err := json.Unmarshal(body, &answer); err != nil {
		return ControlOutcome{}, fmt.Errorf("reading the answer of %s: %w", controlPath, err)
	}
	why := pipeline.Rejection{Reason: pipeline.Reason(answer.Reason), Path: answer.Path,
		Wanted: answer.Wanted, Found: answer.Found}
	outcome := ControlOutcome{Answer: body, Cause: fmt.Sprintf("%s/%d/%d", answer.Cause.Topic,
		answer.Cause.Partition, answer.Cause.Offset)}
	if answer.Outcome == controlRejected {
		outcome.Refused = &why
	}
	return outcome, nil
}

// DryRun returns what a control record would remove as JSON. Nothing is written.
func (c *Client) DryRun(ctx context.Context, record []byte) ([]byte, error) {
	return c.post(ctx, controlPath+"?dry_run=true", record)
}

// Verify has the daemon compact its store and look for the values of identities, NAMESPACE:VALUE,
// and returns where they are. It waits for as long as that takes.
func (c *Client) Verify(ctx context.Context, class string, ids []string) ([]StoreTrace, error) {
	order, err := json.Marshal(verifyOrder{Class: class, Identities: ids})
	if err != nil {
		return nil, err
	}
	body, err := c.post(ctx, verifyPath, order)
	if err != nil {
		return nil, err
	}
	var answer verifyAnswer
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("reading the answer of the daemon at %s: %w", c.base, err)
	}
	return answer.Store, nil
}

// post sends JSON, and waits for as long as the answer takes.
func (c *Client) post(ctx context.Context, path string, body []byte) ([]byte, error) {
	request, err := c.request(ctx, http.MethodPost, path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	return c.answer(c.do(c.slow, request))
}

// Status returns the daemon's status as JSON.
func (c *Client) Status(ctx context.Context) ([]byte, error) { return c.get(ctx, "/v1/status") }

// Backup has the daemon make a backup, under a name of the daemon's choice where that is "", and
// returns what it says of it as JSON. It waits for as long as that takes.
func (c *Client) Backup(ctx context.Context, name string) ([]byte, error) {
	order, err := json.Marshal(backupOrder{Name: name})
	if err != nil {
		return nil, err
	}
	return c.post(ctx, backupPath, order)
}

// ExportQuery says which profiles to export and how.
type ExportQuery struct {
	Class  string // "": DefaultClass
	Policy string // "": the default policy of the class
	Format string // "ndjson", or "avro" for an object container file; "": ndjson
	Codec  string // of avro: "null" or "deflate"; "": null
	// Incomplete asks for the profiles that there are, where not all have been decided yet.
	Incomplete bool
}

// Export writes all current profiles of one committed state to w and returns how many they are.
// ErrIncomplete where the daemon has not said that these were all.
func (c *Client) Export(ctx context.Context, q ExportQuery, w io.Writer) (profiles int, err error) {
	values := url.Values{}
	for name, value := range map[string]string{
		"class": q.Class, "policy": q.Policy, "format": q.Format, "codec": q.Codec,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.Incomplete {
		values.Set("incomplete", strconv.FormatBool(true))
	}
	response, err := c.ask(ctx, c.long, "/v1/export?"+values.Encode())
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, err := c.read(response)
		if err != nil {
			return 0, err
		}
		return 0, c.refused(response.StatusCode, body)
	}
	if _, err := io.Copy(w, response.Body); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrIncomplete, err)
	}
	profiles, err = strconv.Atoi(response.Trailer.Get(ProfilesTrailer))
	if err != nil {
		return 0, fmt.Errorf("%w: it ends without the trailer %s, which something on the way to "+
			"%s may have removed", ErrIncomplete, ProfilesTrailer, c.base)
	}
	return profiles, nil
}

func (c *Client) get(ctx context.Context, path string) ([]byte, error) {
	return c.answer(c.ask(ctx, c.http, path))
}

// answer reads what a request has come to, as a call returns it.
func (c *Client) answer(response *http.Response, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := c.read(response)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusOK {
		return body, nil
	}
	return nil, c.refused(response.StatusCode, body)
}

func (c *Client) ask(ctx context.Context, with *http.Client, path string) (*http.Response, error) {
	request, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	return c.do(with, request)
}

func (c *Client) request(ctx context.Context, method, path string, body io.Reader) (*http.Request,
	error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("%s is not an address of a daemon: want HOST:PORT", c.base)
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	return request, nil
}

func (c *Client) do(with *http.Client, request *http.Request) (*http.Response, error) {
	response, err := with.Do(request)
	if err != nil {
		return nil, c.unreachable(err)
	}
	return response, nil
}

// read reads an answer that is not long.
func (c *Client) read(response *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, answerBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer of the daemon at %s: %w", c.base, err)
	}
	if len(body) > answerBytes {
		return nil, fmt.Errorf("what answers at %s is not a selfsame daemon: more than %d bytes",
			c.base, answerBytes)
	}
	return body, nil
}

// unreachable says whether nobody listens, or somebody did not answer. It leaves out the request's
// URL, which holds the identity.
func (c *Client) unreachable(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	var network *net.OpError
	if !errors.As(err, &network) || network.Op != "dial" {
		return fmt.Errorf("no answer from %s: if that is the daemon, its log may say why (%w)",
			c.base, err)
	}
	return fmt.Errorf("no daemon at %s: is selfsame running there? (%w)", c.base, err)
}

func (c *Client) refused(code int, body []byte) error {
	var said refusal
	if json.Unmarshal(body, &said) != nil || said.Error == "" {
		return fmt.Errorf("what answers at %s is not a selfsame daemon: status %d", c.base, code)
	}
	if len(said.Problems) > 0 {
		return &DefinitionsError{c.base, said.Error, said.Problems}
	}
	switch code {
	case http.StatusUnauthorized:
		return ErrUnauthorized
	case http.StatusNotFound:
		return fmt.Errorf("%w: %s", ErrNotFound, said.Error)
	case http.StatusInternalServerError:
		return fmt.Errorf("the daemon at %s failed: %s", c.base, said.Error)
	}
	return fmt.Errorf("the daemon at %s refused: %s", c.base, said.Error)
}
