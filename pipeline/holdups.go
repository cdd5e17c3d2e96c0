package pipeline

import (
	"errors"
	"log/slog"
	"sync"
)

// holdups logs once when reading is held up and once when it goes on, however many partitions that
// concerns. A topic that is missing, brokers that are away and a schema registry that is away are
// told apart.
type holdups struct {
	log *slog.Logger
	mu  struct {
		sync.Mutex
		held  map[string]string // who is held up, by what
		count map[string]int    // how many are, by what
	}
}

func newHoldups(log *slog.Logger) *holdups {
	h := &holdups{log: log}
	h.mu.held, h.mu.count = map[string]string{}, map[string]int{}
	return h
}

// begin says that who is held up.
func (h *holdups) begin(who, topic string, err error) {
	what := "kafka"
	switch {
	case errors.Is(err, ErrUnknownTopic):
		what = "topic " + topic
	case errors.Is(err, errRegistry):
		what = "schema registry"
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.held[who] == what {
		return
	}
	h.endLocked(who)
	h.mu.held[who] = what
	h.mu.count[what]++
	if h.mu.count[what] == 1 {
		h.log.Warn("reading is held up, trying again", "what", what, "first", who, "error", err)
	}
}

// end says that who is not held up, or not any more.
func (h *holdups) end(who string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.endLocked(who)
}

func (h *holdups) endLocked(who string) {
	what, held := h.mu.held[who]
	if !held {
		return
	}
	delete(h.mu.held, who)
	h.mu.count[what]--
	if h.mu.count[what] == 0 {
		h.log.Info("reading goes on", "what", what)
	}
}
