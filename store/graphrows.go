package store

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"selfsame/profile"
)

// Keys of rows that only the graph has.
const (
	spaceBlocked = 'b'
	spaceHub     = 'h'
	rowSaid      = 6 // within an identity's range
)

func (d *dictionary) saidKey(dst []byte, class string, id profile.Identity, dataset string) (
	[]byte, error) {
	dst, err := d.identityPrefix(dst, class, id)
	if err != nil {
		return nil, err
	}
	ds, err := d.number(dataset)
	return appendNumber(append(dst, rowSaid), ds), err
}

// markKey is the key of a row that only says something about an identity by being there.
func (d *dictionary) markKey(space byte, class string, id profile.Identity) ([]byte, error) {
	c, err := d.number(class)
	if err != nil {
		return nil, err
	}
	return d.appendIdentity(appendNumber([]byte{space}, c), id)
}

// DeleteLink removes a link from both ends.
func (b *Batch) DeleteLink(class string, a, c profile.Identity) {
	for _, pair := range [2][2]profile.Identity{{a, c}, {c, a}} {
		key, err := b.store.dict.linkKey(b.key[:0], class, pair[0], pair[1])
		b.delete(key, err)
	}
}

// SetSaid writes which identities the newest record of a dataset links under a primary identity.
func (b *Batch) SetSaid(class string, id profile.Identity, dataset string, row *Said) {
	key, err := b.store.dict.saidKey(b.key[:0], class, id, dataset)
	set(b, key, err, row, encodeSaid)
}

// SetBlocked notes that an operator has blocked a value, or not any more.
func (b *Batch) SetBlocked(class string, id profile.Identity, on bool) {
	b.mark(spaceBlocked, class, id, on)
}

// SetHub notes that an identity is a hub, or not any more, so that hubs can be listed.
func (b *Batch) SetHub(class string, id profile.Identity, on bool) {
	b.mark(spaceHub, class, id, on)
}

func (b *Batch) mark(space byte, class string, id profile.Identity, on bool) {
	key, err := b.store.dict.markKey(space, class, id)
	if on {
		b.setRaw(key, []byte{rowVersion}, err)
		return
	}
	b.delete(key, err)
}

// Said reads which identities the newest record of a dataset links under a primary identity.
func (r *Reader) Said(class string, id profile.Identity, dataset string) (*Said, error) {
	key, err := r.dict.saidKey(nil, class, id, dataset)
	return read(r, "current links", key, err, r.dict.decodeSaid)
}

// Blocked calls fn for each value that an operator has blocked.
func (r *Reader) Blocked(fn func(class string, id profile.Identity)) error {
	err := r.marks([]byte{spaceBlocked}, fn)
	if err != nil {
		return fmt.Errorf("reading blocked values: %w", err)
	}
	return nil
}

// IsBlocked reports whether an operator has blocked a value.
func (r *Reader) IsBlocked(class string, id profile.Identity) (bool, error) {
	key, err := r.dict.markKey(spaceBlocked, class, id)
	if err != nil {
		return false, nil // no row has ever named its class or namespace
	}
	row, err := get(r.src, key)
	if err != nil {
		return false, fmt.Errorf("reading blocked values: %w", err)
	}
	return row != nil, nil
}

// Hubs calls fn for each hub of a class.
func (r *Reader) Hubs(class string, fn func(id profile.Identity)) error {
	c, err := r.dict.number(class)
	if err != nil {
		return nil // no row has ever named it
	}
	err = r.marks(appendNumber([]byte{spaceHub}, c), func(_ string, id profile.Identity) { fn(id) })
	if err != nil {
		return fmt.Errorf("reading hubs: %w", err)
	}
	return nil
}

func (r *Reader) marks(prefix []byte, fn func(class string, id profile.Identity)) error {
	return r.scan(prefix, func(key, _ []byte) error {
		class, id, err := r.dict.cutMark(key)
		if err == nil {
			fn(class, id)
		}
		return err
	})
}

func (d *dictionary) cutMark(key []byte) (class string, id profile.Identity, err error) {
	number, rest, err := cutNumber(key[1:])
	if err != nil {
		return "", id, err
	}
	if class, err = d.name(number); err != nil {
		return "", id, err
	}
	if id, rest, err = d.cutIdentity(rest); err == nil && len(rest) > 0 {
		err = errKey
	}
	return class, id, err
}

// HasNamespace reports whether any identity of a namespace is known.
func (r *Reader) HasNamespace(class, namespace string) (bool, error) {
	c, err := r.dict.number(class)
	if err != nil {
		return false, nil // no row has ever named it
	}
	ns, err := r.dict.number(namespace)
	if err != nil {
		return false, nil
	}
	found := false
	prefix := appendNumber(appendNumber([]byte{spaceData}, c), ns)
	err = r.scan(prefix, func([]byte, []byte) error {
		found = true
		return ErrStop
	})
	if err != nil {
		return false, fmt.Errorf("looking for identities of a namespace: %w", err)
	}
	return found, nil
}

// metaRules begins the names of the meta rows that hold the rules of a class.
const metaRules = "rules/"

// Rules are the rules that the clusters of a class are decided under.
type Rules struct {
	Class      string
	Generation uint64 // rises with every change
	Complete   bool   // every cluster has been decided under them
	Text       []byte // what they are, in the encoding of those who write them
}

// Rules reads the rules of a class.
func (r *Reader) Rules(class string) (*Rules, error) {
	row, err := read(r, "rules", metaKey(metaRules+class), nil, r.dict.decodeRules)
	if row != nil {
		row.Class = class
	}
	return row, err
}

// EachRules calls fn for the rules of each class, until fn fails.
func (r *Reader) EachRules(fn func(*Rules) error) error {
	prefix := metaKey(metaRules)
	return r.scan(prefix, func(key, value []byte) error {
		row, err := r.dict.decodeRules(value)
		if err != nil {
			return fmt.Errorf("reading rules: %w", err)
		}
		row.Class = string(key[len(prefix):])
		return fn(row)
	})
}

// SetRules writes the rules of a class.
func (b *Batch) SetRules(row *Rules) {
	set(b, metaKey(metaRules+row.Class), nil, row, encodeRules)
}

// SetRules writes the rules of classes and the jobs that decide their clusters again, all or none,
// durably. It is no commit: call it before the first one, with what the configuration says.
func (s *Store) SetRules(rows []Rules, jobs []Job) error {
	b := s.NewBatch()
	defer b.Discard()
	for i := range rows {
		b.SetRules(&rows[i])
	}
	for i := range jobs {
		b.SetJob(&jobs[i])
	}
	err := b.err
	if err == nil {
		err = b.pb.Commit(pebble.Sync)
	}
	if err != nil {
		return fmt.Errorf("writing the rules: %w", err)
	}
	return nil
}

func encodeRules(e *encoder, row *Rules) {
	e.uint(row.Generation)
	e.flag(row.Complete)
	e.bytes(row.Text)
}

func (d *dictionary) decodeRules(src []byte) (*Rules, error) {
	r := d.decode(src)
	row := &Rules{Generation: r.uint(), Complete: r.flag(), Text: r.bytes()}
	return row, r.done()
}

func encodeSaid(e *encoder, row *Said) {
	e.stamp(row.Stamp)
	e.count(len(row.Identities))
	for _, id := range row.Identities {
		e.identity(id)
	}
}

func (d *dictionary) decodeSaid(src []byte) (*Said, error) {
	r := d.decode(src)
	row := &Said{Stamp: r.stamp()}
	for range r.count() {
		row.Identities = append(row.Identities, r.identity())
	}
	return row, r.done()
}

// saidRow checks a row of current links.
func (c *checker) saidRow(tail, value []byte) {
	o := &c.current
	where := safe(o.class, o.id)
	n, rest, err := cutNumber(tail)
	dataset, nameErr := c.dict.name(n)
	if err != nil || nameErr != nil || len(rest) > 0 {
		c.problem("current links", where, "their key does not decode")
		return
	}
	row, err := c.dict.decodeSaid(value)
	if err != nil || row.Stamp.IsZero() {
		c.problem("current links", where+" of "+dataset, "do not decode: %v", err)
		return
	}
	if !slices.IsSortedFunc(row.Identities, profile.Identity.Compare) {
		c.problem("current links", where+" of "+dataset, "are not sorted")
	}
}

// markRow checks the row of a blocked value or a hub.
func (c *checker) markRow(key, value []byte) {
	space := map[byte]string{spaceBlocked: "blocked value", spaceHub: "hub"}[key[0]]
	class, id, err := c.dict.cutMark(key)
	if err != nil || !bytes.Equal(value, []byte{rowVersion}) {
		c.problem(space, "key", "does not decode: %v", err)
		return
	}
	if key[0] == spaceBlocked {
		return
	}
	c.counted(class).Hubs++
	row, err := c.Identity(class, id)
	c.note(err)
	if row == nil || row.Silence&SilentHub == 0 {
		c.problem(space, safe(class, id), "its identity does not say that it is one")
	}
}
