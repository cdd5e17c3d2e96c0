package api

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// DefaultListen is the address the API listens on where none is configured.
const DefaultListen = "127.0.0.1:8080"

// Options are the settings of a server. The zero value is usable.
type Options struct {
	Listen string // HOST:PORT; "": DefaultListen
	Token  string // bearer token that requests must carry; "": none
	Pprof  bool   // serve /debug/pprof/
}

func (o Options) address() string {
	if o.Listen == "" {
		return DefaultListen
	}
	return o.Listen
}

// Validate tells what is wrong with the options and what to do about it.
func (o Options) Validate() error {
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
