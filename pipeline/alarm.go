package pipeline

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"selfsame/store"
)

// alarmInterval is how often a topic that needs an operator is called out.
const alarmInterval = time.Minute

// alarm logs what happens to input topics: changes at once, and what needs an operator again every
// minute until it is mended.
func (p *Pipeline) alarm(ctx context.Context) error {
	again := time.NewTicker(alarmInterval)
	defer again.Stop()
	said := map[string]store.Input{}
	for {
		inputs, changed := p.Shard.board.all()
		for _, topic := range slices.Sorted(maps.Keys(inputs)) {
			before, known := said[topic]
			in := inputs[topic]
			said[topic] = in
			if in != before && (known || in.State != store.InputRunning) {
				p.say(ctx, topic, in)
			}
		}
		select {
		case <-changed:
		case <-again.C:
			maps.DeleteFunc(said, func(_ string, in store.Input) bool {
				return needsHelp(in.State)
			})
		case <-ctx.Done():
			return nil
		}
	}
}

// needsHelp reports whether a state does not end without an operator.
func needsHelp(s store.InputState) bool {
	return s == store.InputHalted || s == store.InputStopped
}

func (p *Pipeline) say(ctx context.Context, topic string, in store.Input) {
	if len(p.Shard.model.datasetsOf(topic)) == 0 {
		return // not configured any more
	}
	if in.State == store.InputRunning {
		p.Log.Info("input topic is read again", "topic", topic)
		return
	}
	level := slog.LevelInfo
	if needsHelp(in.State) {
		level = slog.LevelError
	}
	status := p.Shard.model.inputStatus(topic, in)
	p.Log.Log(ctx, level, "input topic is not read", "topic", topic, "state", in.State.String(),
		"since", formatTime(in.Since), "reason", status.Reason, "to_go_on", status.Remedy)
}
