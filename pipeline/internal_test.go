package pipeline

import "selfsame/store"

// PauseInput is what a control record does.
func (sh *Shard) PauseInput(topic, reason string, now int64) bool {
	return sh.pauseInput(topic, reason, now)
}

// ResumeInput is what a control record does.
func (sh *Shard) ResumeInput(topic string, how store.Resume, now int64) bool {
	return sh.resumeInput(topic, how, now)
}

// AnchorOf is what a record is recognised by.
func AnchorOf(r *Record) store.Anchor { return anchorOf(r) }
