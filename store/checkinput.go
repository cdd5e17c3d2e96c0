package store

import (
	"errors"
	"fmt"
)

// How far input and output have come.

func (c *checker) floorRow(key, value []byte) {
	topic, partition, err := c.dict.cutPosition(key[1:])
	d := c.dict.decode(value)
	if floor := d.int(); err != nil || d.done() != nil || floor < 0 {
		c.problem("floor", fmt.Sprintf("%s/%d", topic, partition), "is no offset: %v",
			errors.Join(err, d.done()))
	}
}

func (c *checker) positionRow(key, value []byte) {
	topic, partition, err := c.dict.cutPosition(key[1:])
	if err != nil {
		c.problem("position", "key", "does not decode: %v", err)
		return
	}
	row, err := c.dict.decodePosition(value)
	if err != nil || row.Next < 0 {
		c.problem("position", fmt.Sprintf("%s/%d", topic, partition), "is no offset: %v", err)
	}
}

func (c *checker) inputRow(key, value []byte) {
	topic, err := c.dict.cutInput(key[1:])
	if err != nil {
		c.problem("input", "key", "does not decode: %v", err)
		return
	}
	if _, err := c.dict.decodeInput(value); err != nil {
		c.problem("input", topic, "does not decode: %v", err)
	}
}
