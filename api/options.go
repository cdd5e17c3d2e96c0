package api

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// DefaultListen is the address the API listens on where none is configured.
const DefaultListen = "127.0.0.1:8080"

// DefaultShutdownTimeout is how long requests under way may take once the daemon is to end.
const DefaultShutdownTimeout = 5 * time.Second

// Options are the settings of a server. The zero value is usable.
type Options struct {
	Listen string // HOST:PORT; "": DefaultListen
	Token  string // bearer token that requests must carry; "": none
	Pprof  bool   // serve /debug/pprof/

	// ShutdownTimeout is how long requests under way may take once the server is to end; then
	// they are cut off. 0: DefaultShutdownTimeout.
	ShutdownTimeout time.Duration
}

func (o Options) address() string {
	if o.Listen == "" {
		return DefaultListen
	}
	return o.Listen
}

func (o Options) shutdownTimeout() time.Duration {
	return cmp.Or(o.ShutdownTimeout, DefaultShutdownTimeout)
}

// Validate tells everything that is wrong with the options and what to do about it.
func (o Options) Validate() error {
	var errs []error
	if o.ShutdownTimeout < 0 {
		errs = append(errs, fmt.Errorf("shutdown timeout %s is negative: give a time such as %s, "+
			"or leave it out", o.ShutdownTimeout, DefaultShutdownTimeout))
	}
	if strings.ContainsFunc(o.Token, notInToken) {
		errs = append(errs, errors.New("the token holds a space, a line break or a character that "+
			"no header can carry: use letters and digits"))
	}
	return errors.Join(append(errs, o.validateListen())...)
}

// notInToken reports what would keep every request from matching the token.
func notInToken(c rune) bool { return c <= ' ' || c >= 0x7f }

func (o Options) validateListen() error {
	host, _, err := net.SplitHostPort(o.address())
	if err != nil {
		return fmt.Errorf("listen address %q: want HOST:PORT, such as %s", o.Listen, DefaultListen)
	}
	if o.Token == "" && !loopback(host) {
		return fmt.Errorf("listen address %q can be reached from other machines and would serve "+
			"personal data to anyone: set a token, or listen on %s", o.Listen, DefaultListen)
	}
	return nil
}

// loopback reports whether host, without port, is this machine and no other.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}
