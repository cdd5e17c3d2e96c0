// Package pipeline is the flow: records in, one commit per batch, merged profiles out.
package pipeline
