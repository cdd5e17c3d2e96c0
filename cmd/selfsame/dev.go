package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"selfsame/examples/retail"
	"selfsame/internal/lifecycle"
	"selfsame/pipeline"
)

// devFlags are the flags of dev.
type devFlags struct {
	dir       string
	kafkaPort int
	listen    string
	quiet     bool
	traffic   bool
}

func newDev() *cobra.Command {
	var f devFlags
	c := &cobra.Command{
		Use:   "dev",
		Short: "Run the example shop with an embedded broker and live traffic",
		Long: `Runs a daemon, an embedded Kafka broker and a generator of example traffic
in one process, and prints one line per merged profile, until it is stopped. Everything is kept
in a directory and goes on from there the next time.

The embedded broker is for development: it speaks Kafka's protocol, so that kcat and any client
work with it, but it is not a production broker.`,
		Example: "  selfsame dev\n  kcat -b 127.0.0.1:9092 -t retail.profiles",
		Args:    exactly(0),
		RunE:    func(c *cobra.Command, _ []string) error { return dev(c.Context(), f) },
	}
	c.Flags().StringVar(&f.dir, "dir", "data/dev", "directory for everything that is kept")
	c.Flags().IntVar(&f.kafkaPort, "kafka-port", 9092, "port of the embedded broker; 0: a free one")
	c.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8080", "address of the API")
	c.Flags().BoolVar(&f.quiet, "quiet", false, "print no profiles")
	c.Flags().BoolVar(&f.traffic, "traffic", true, "generate example traffic")
	return c
}

func dev(ctx context.Context, f devFlags) (err error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	e, err := startEmbedded(ctx, embeddedOptions{dir: f.dir, kafkaPort: f.kafkaPort,
		listen: f.listen, brokerDir: filepath.Join(f.dir, "broker")}, log)
	if err != nil {
		return err
	}
	defer e.close()
	d, err := openDaemon(ctx, e.cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	fmt.Printf(devBanner, e.broker.Addr(), d.apiAddr, f.dir, e.broker.Addr(), d.apiAddr)
	group := lifecycle.New(ctx, lifecycle.Options{})
	group.Go("daemon", d.run)
	if f.traffic {
		group.Go("traffic", e.traffic)
	}
	if !f.quiet {
		group.Go("printer", func(ctx context.Context) error { return e.printProfiles(ctx, d) })
	}
	err = group.Wait()
	if err == nil {
		fmt.Println("stopped; everything consumed is committed and published")
	}
	return err
}

const devBanner = `
Selfsame, with an embedded Kafka broker and the example shop (stop with Ctrl-C)

  Kafka     %s   (in: shop.crm shop.loyalty shop.events; out: retail.*)
  API       http://%s
  kept in   %s

Try, in another terminal:
  kcat -b %s -t retail.profiles -C -o end -f '%%k %%s\n'
  selfsame get --api %s email:EMAIL   (any e-mail address from the lines below)

`

// traffic sends the example's stream in real time until ctx ends.
func (e *embedded) traffic(ctx context.Context) error {
	seed := uint64(time.Now().UnixNano()) // new people each time; the seed is of no consequence
	for m := range retail.Stream(seed, time.Now()) {
		if pipeline.Sleep(ctx, time.Until(time.Unix(0, m.Time))) != nil {
			return nil
		}
		if err := e.send(ctx, []retail.Message{m}); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("sending example traffic: %w", err)
		}
	}
	return nil
}

// printProfiles prints one line per merged profile until ctx ends.
func (e *embedded) printProfiles(ctx context.Context, d *daemon) error {
	topic := d.model.Entities[0].DefaultPolicy().Topic
	latest := pipeline.Start{Kind: pipeline.StartLatest}
	err := e.client.Tail(ctx, topic, latest, func(r pipeline.Record) error {
		return printRecord(os.Stdout, &r, string(r.Value), false)
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// devKey returns the id key of a development directory, which is made with the directory.
func devKey(dir string) (string, error) {
	path := filepath.Join(dir, "id.key")
	key, err := os.ReadFile(path)
	if err == nil {
		return string(key), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	fresh, err := newIDKey()
	if err != nil {
		return "", err
	}
	return fresh, os.WriteFile(path, []byte(fresh), 0o600)
}

// newIDKey makes an id key: 32 random bytes in hexadecimal.
func newIDKey() (string, error) {
	key, err := randomBytes(32)
	if err != nil {
		return "", fmt.Errorf("making an id key: %w", err)
	}
	return hex.EncodeToString(key), nil
}
