package kafka

import (
	"strings"
	"testing"
	"time"
)

func TestDefaultIsValid(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
}

// TestValidateSaysAll: every fault is reported, and at once.
func TestValidateSaysAll(t *testing.T) {
	c := Config{
		Brokers: []string{"nowhere", ":9092"}, Compression: "brotli",
		FetchMaxWait: -time.Second, TLS: TLSConfig{Enabled: true, CertFile: "c"},
		SASL: SASLConfig{Mechanism: "gssapi"},
	}
	err := c.Validate()
	if err == nil {
		t.Fatal("valid")
	}
	for _, want := range []string{
		`"nowhere" is not host:port`, `":9092" is not host:port`, `"brotli"`, "dial timeout",
		"request timeout", "transaction timeout", "fetch max wait", "fetch max bytes",
		"decompressed max bytes", "key file", `"gssapi"`, "username and password",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}

func TestValidateOne(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"at least one host:port": func(c *Config) { c.Brokers = nil },
		"tls is not enabled":     func(c *Config) { c.TLS.CAFile = "ca.pem" },
		"a user is given":        func(c *Config) { c.SASL.Username = "u" },
		"fetch max wait":         func(c *Config) { c.FetchMaxWait = time.Hour },
	} {
		c := Default()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %q", err, name)
		}
	}
}
