package kafka

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"selfsame/pipeline"
)

func startCluster(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

func connect(t *testing.T, brokers []string, change ...func(*Config)) *Client {
	t.Helper()
	cfg := Default()
	cfg.Brokers = brokers
	cfg.FetchMaxWait = 50 * time.Millisecond
	cfg.RequestTimeout = 10 * time.Second
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func makeTopic(t *testing.T, cluster *kfake.Cluster, name string, partitions int32) {
	t.Helper()
	if err := cluster.CreateTopic(name, partitions, nil); err != nil {
		t.Fatal(err)
	}
}

func send(t *testing.T, c *Client, topic string, values ...string) {
	t.Helper()
	var records []pipeline.OutRecord
	for _, v := range values {
		records = append(records, pipeline.OutRecord{Key: []byte(v), Value: []byte(v)})
	}
	times := make([]int64, len(values))
	for i := range times {
		times[i] = int64(i) * int64(time.Second)
	}
	if err := c.Send(t.Context(), topic, ByKey, records, times); err != nil {
		t.Fatal(err)
	}
}

func TestPing(t *testing.T) {
	if err := connect(t, startCluster(t).ListenAddrs()).Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// closedPort is an address where nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestNobodyThere: a cluster that does not answer is not a topic that does not exist.
func TestNobodyThere(t *testing.T) {
	addr := closedPort(t)
	c := connect(t, []string{addr})
	tp := pipeline.TopicPartition{Topic: "t"}
	_, fetchErr := c.Source().Fetch(t.Context(), tp, 0)
	_, describeErr := c.Source().Describe(t.Context(), "t")
	_, produceErr := c.Sink().Produce(t.Context(), sampleBatch(1))
	_, openErr := c.Sink().Open(t.Context(), "id")
	_, existsErr := c.TopicExists(t.Context(), "t")
	for call, err := range map[string]error{
		"ping": c.Ping(t.Context()), "fetch": fetchErr, "describe": describeErr,
		"produce": produceErr, "open": openErr, "exists": existsErr,
	} {
		if err == nil || errors.Is(err, pipeline.ErrUnknownTopic) {
			t.Errorf("%s: %v", call, err)
		}
	}
	if err := c.Ping(t.Context()); !strings.Contains(err.Error(), addr) {
		t.Errorf("ping does not name %s: %v", addr, err)
	}
}

func TestSASL(t *testing.T) {
	cluster := startCluster(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "u", "secret"),
		kfake.Superuser("SCRAM-SHA-256", "u", "secret"),
		kfake.Superuser("SCRAM-SHA-512", "u", "secret"))
	for _, mechanism := range []string{"plain", "scram-sha-256", "scram-sha-512"} {
		good := connect(t, cluster.ListenAddrs(), func(c *Config) {
			c.SASL = SASLConfig{Mechanism: mechanism, Username: "u", Password: "secret"}
		})
		if err := good.Ping(t.Context()); err != nil {
			t.Errorf("%s: %v", mechanism, err)
		}
		bad := connect(t, cluster.ListenAddrs(), func(c *Config) {
			c.SASL = SASLConfig{Mechanism: mechanism, Username: "u", Password: "wrong"}
		})
		err := bad.Ping(t.Context())
		if err == nil || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%s with a wrong password: %v", mechanism, err)
		}
	}
}

func TestTLS(t *testing.T) {
	cert, ca := selfSigned(t)
	cluster := startCluster(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}}))
	trusting := connect(t, cluster.ListenAddrs(), func(c *Config) {
		c.TLS = TLSConfig{Enabled: true, CAFile: ca, ServerName: "kafka.test"}
	})
	if err := trusting.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	wary := connect(t, cluster.ListenAddrs(), func(c *Config) { c.TLS.Enabled = true })
	if err := wary.Ping(t.Context()); err == nil {
		t.Error("a certificate of nobody's was accepted")
	}
	cfg := Default()
	cfg.TLS = TLSConfig{Enabled: true, CAFile: filepath.Join(t.TempDir(), "none.pem")}
	if _, err := New(cfg, slog.New(slog.DiscardHandler)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

// selfSigned returns a certificate for kafka.test and the file that vouches for it.
func selfSigned(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"kafka.test"}, IsCA: true,
		BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(file, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// TestRestartedBroker: connections that died are replaced, and in the meantime nothing is taken for
// a missing topic.
func TestRestartedBroker(t *testing.T) {
	dir := t.TempDir()
	first := startCluster(t, kfake.DataDir(dir))
	addrs := first.ListenAddrs()
	_, port, err := net.SplitHostPort(addrs[0])
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, addrs)
	makeTopic(t, first, "t", 1)
	send(t, c, "t", "a")
	tp := pipeline.TopicPartition{Topic: "t"}
	if _, err := c.Source().Fetch(t.Context(), tp, 0); err != nil {
		t.Fatal(err)
	}
	first.Close()
	if _, err := c.Source().Fetch(t.Context(), tp, 0); err == nil ||
		errors.Is(err, pipeline.ErrUnknownTopic) {
		t.Errorf("fetch while it is down: %v", err)
	}
	second := startCluster(t, kfake.DataDir(dir), kfake.Ports(portNumber(t, port)))
	defer second.Close()
	eventually(t, func(ctx context.Context) error {
		got, err := c.Source().Fetch(ctx, tp, 0)
		if err == nil && len(got.Records) != 1 {
			t.Fatalf("%d records after the restart", len(got.Records))
		}
		return err
	})
}

func portNumber(t *testing.T, port string) int {
	t.Helper()
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// eventually tries until there is no error, at most for some seconds.
func eventually(t *testing.T, try func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		if pause(ctx, 10*time.Millisecond) != nil {
			t.Fatal(err)
		}
	}
}
