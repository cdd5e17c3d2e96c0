package simlog

import (
	"context"
	"errors"
	"slices"
	"time"
)

// API is a kind of request.
type API uint8

// The requests that clients make.
const (
	APIMetadata API = iota
	APIFetch
	APIListOffsets
	APIProduce
	APIInitProducerID
	APIAddPartitions
	APIEndTxn
)

// String gives the name in the protocol.
func (a API) String() string {
	return [...]string{"Metadata", "Fetch", "ListOffsets", "Produce", "InitProducerId",
		"AddPartitionsToTxn", "EndTxn"}[a]
}

// Fate is what becomes of a request.
type Fate uint8

// The fates.
const (
	Deliver   Fate = iota // it arrives and is answered
	Lose                  // it never arrives
	LoseReply             // it arrives, and the sender does not learn so
	Delay                 // the sender gives up on it; it can arrive later: Broker.Arrive
	Duplicate             // it arrives and is answered, and can arrive once more
)

// errGone is what a client gets whose process has died.
var errGone = errors.New("the client is gone")

// ClientOptions are what a simulation decides about a client.
type ClientOptions struct {
	Name string
	// Fate decides about each request; all are delivered where it is nil.
	Fate func(r *Request) Fate
	// Pause lets time pass while the client waits to ask again. An error ends the wait.
	Pause func(ctx context.Context, d time.Duration) error
}

// Client is the connection of one process. A process can die in [ClientOptions.Fate]: the request
// at hand then still meets its fate, and the client learns nothing.
type Client struct {
	b    *Broker
	o    ClientOptions
	dead bool
}

// Client returns a new connection.
func (b *Broker) Client(o ClientOptions) *Client { return &Client{b: b, o: o} }

// Kill ends the connection: no request of it arrives any more, apart from those under way.
func (c *Client) Kill() { c.dead = true }

// send lets a request meet its fate. call is what it does at the broker; its result is the reply.
func (c *Client) send(ctx context.Context, r Request, call func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.dead {
		return errGone
	}
	r.Client, r.sent = c.o.Name, c.b.now
	fate := Deliver
	if c.o.Fate != nil {
		fate = c.o.Fate(&r)
	}
	// A reply that nobody waits for is an error that nobody sees.
	r.arrive = func() { _ = call() }
	err := RequestTimedOut
	switch fate {
	case Deliver, Duplicate:
		if fate == Duplicate {
			c.b.flight = append(c.b.flight, &r)
		}
		if c.dead { // it died while sending
			return errGone
		}
		return call()
	case LoseReply:
		r.arrive()
	case Delay:
		c.b.flight = append(c.b.flight, &r)
	}
	if c.dead {
		return errGone
	}
	return err
}

// retry repeats a call while its error is one that passes.
func (c *Client) retry(ctx context.Context, call func() error) error {
	for {
		err := call()
		if !slices.Contains([]error{RequestTimedOut, ConcurrentTransactions}, err) {
			return err
		}
		if c.o.Pause == nil {
			return err
		}
		if err := c.o.Pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}
