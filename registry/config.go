package registry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"
)

// Config says how to reach a registry. It is not changed after New.
type Config struct {
	URL      string // http or https, with the path under which the API lies, if any
	Username string // basic authentication, with Password
	Password string
	Token    string // bearer token, instead of a user
	CAFile   string // PEM; the system's roots where empty
	CertFile string // PEM, with KeyFile, where the registry wants a client certificate
	KeyFile  string

	RequestTimeout time.Duration // one attempt
	Attempts       int           // of one request, while the registry is not reachable
	CacheBytes     int           // texts of schemas by id
}

// Default returns the configuration but for the address. An empty URL means that there is no
// registry.
func Default() Config {
	return Config{RequestTimeout: 10 * time.Second, Attempts: 3, CacheBytes: 16 << 20}
}

// Validate reports everything that is wrong with the configuration at once.
func (c Config) Validate() error {
	var errs []error
	if c.URL == "" {
		if c.Username+c.Password+c.Token+c.CAFile+c.CertFile+c.KeyFile != "" {
			errs = append(errs, errors.New("url: is missing, though other settings are given"))
		}
		return errors.Join(errs...)
	}
	errs = append(errs, c.validateURL())
	if (c.Username == "") != (c.Password == "") {
		errs = append(errs, errors.New("username and password are both needed"))
	}
	if c.Token != "" && c.Username != "" {
		errs = append(errs, errors.New("token: is given besides a username; one is enough"))
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		errs = append(errs, errors.New("a client certificate needs both cert_file and key_file"))
	}
	if c.RequestTimeout < time.Millisecond {
		errs = append(errs, errors.New("request_timeout: must be at least 1ms"))
	}
	return errors.Join(errs...)
}

// validateURL never repeats the address: it could hold a password.
func (c Config) validateURL() error {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return errors.New("url: must be an address such as http://registry:8081")
	case u.User != nil:
		return errors.New("url: holds credentials; they belong into username and password")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("url: must not have a query or a fragment")
	case u.Scheme == "http" && c.CAFile+c.CertFile != "":
		return errors.New("url: certificates are given, so it must begin with https")
	}
	return nil
}

// base is the address without a slash at its end.
func (c Config) base() string { return strings.TrimRight(c.URL, "/") }

func (c Config) tls() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading the registry's certificate authority: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading the registry's certificate authority: none in %s",
				c.CAFile)
		}
	}
	if c.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("reading the client certificate for the registry: %w", err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}
