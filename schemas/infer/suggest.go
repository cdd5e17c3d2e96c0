package infer

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Looks is what values look like.
type Looks string

// The looks of identities.
const (
	LooksEmail  Looks = "email"
	LooksPhone  Looks = "phone"
	LooksCookie Looks = "cookie" // of a browser or device
	LooksID     Looks = "id"     // a number that somebody has given a person
)

// Namespace is a kind of identity that there is, and what its values look like.
type Namespace struct {
	Name   string
	Looks  Looks
	Unique bool // a person has one value at the most
}

// Wishes are what is known before guessing. The zero value: nothing.
type Wishes struct {
	Event      bool        // the records are events
	Namespaces []Namespace // highest priority first
	Primary    string      // PATH=NAMESPACE of the primary identity of records
	ID         string      // path of the events' id
}

// Plan is what a configuration says about the fields of a dataset.
type Plan struct {
	Identities []Identity // those of namespaces that there are, the primary one first
	Others     []Identity // those that no namespace fits: Namespace is a proposal
	Timestamp  string     // path; "" where none looks like the time of the record
	ID         string     // path of the events' id
}

// Identity is a field that looks like one.
type Identity struct {
	Path      string
	Namespace string
	Primary   bool
	Why       string // what it was recognised by
}

// Suggest guesses which fields are identities, the time and the id. Errors say what was not found
// and what can be said instead.
func (d *Draft) Suggest(w Wishes) (*Plan, error) {
	p := &Plan{Timestamp: d.timestamp(w.Event)}
	for i := range d.leaves {
		d.identity(p, &d.leaves[i], &w)
	}
	d.sort(p, w.Namespaces)
	p.keepOne(w.Namespaces)
	if w.Event {
		return p, d.chooseID(p, w.ID)
	}
	return p, d.choosePrimary(p, &w)
}

// sort brings the identities into order: by namespace; then those that are called like it, are
// given most often and differ most.
func (d *Draft) sort(p *Plan, namespaces []Namespace) {
	rank := func(id Identity) int {
		return indexOf(namespaces, id.Namespace)
	}
	called := func(id Identity) int {
		if slices.Contains(d.leaf(id.Path).words, id.Namespace) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(p.Identities, func(a, b Identity) int {
		x, y := d.leaf(a.Path).shape, d.leaf(b.Path).shape
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(called(a), called(b)),
			cmp.Compare(y.given(), x.given()), cmp.Compare(y.distinct(), x.distinct()))
	})
}

// indexOf finds a namespace by name, -1 where there is none.
func indexOf(namespaces []Namespace, name string) int {
	return slices.IndexFunc(namespaces, func(ns Namespace) bool { return ns.Name == name })
}

// keepOne leaves one field per namespace where a second would be another person's number, or could
// contradict the first.
func (p *Plan) keepOne(namespaces []Namespace) {
	all := p.Identities
	p.Identities = nil
	for _, id := range all {
		i := indexOf(namespaces, id.Namespace)
		one := namespaces[i].Unique || namespaces[i].Looks == LooksID
		first := slices.IndexFunc(p.Identities, func(other Identity) bool {
			return other.Namespace == id.Namespace
		})
		if one && first >= 0 {
			id.Why += "; but " + p.Identities[first].Path + " is one already"
			p.Others = append(p.Others, id)
			continue
		}
		p.Identities = append(p.Identities, id)
	}
}

// words that tell identities by the names of their fields.
var (
	phoneWords  = []string{"phone", "mobile", "tel", "telephone", "cell", "msisdn"}
	cookieWords = []string{"cookie", "visitor", "anonymous", "ecid", "mcid", "device", "idfa",
		"aaid", "gaid"}
	personWords = []string{"customer", "user", "person", "member", "contact", "client", "crm",
		"account", "profile", "shopper", "subscriber", "patient", "guest", "loyalty", "card"}
	idWords = []string{"id", "no", "nr", "number", "num", "key", "uuid", "guid", "code", "ref"}
)

// identity adds a field to the plan where it looks like an identity.
func (d *Draft) identity(p *Plan, l *leaf, w *Wishes) {
	if !l.textual() || l.shape.given() == 0 {
		return
	}
	looks, why := l.looks(!w.Event)
	if looks == "" {
		return
	}
	namespace := namespaceOf(looks, l.words, w.Namespaces)
	found := Identity{Path: l.path, Namespace: namespace, Why: "guess: " + why}
	if namespace == "" {
		found.Namespace = string(looks)
		p.Others = append(p.Others, found)
		return
	}
	p.Identities = append(p.Identities, found)
}

// namespaceOf finds the namespace of what looks like an identity: of numbers the one that the field
// is called after; else the strongest of these looks; "" where there is none.
func namespaceOf(looks Looks, words []string, namespaces []Namespace) string {
	found := ""
	for _, ns := range namespaces {
		if looks == LooksID && slices.Contains(words, ns.Name) {
			return ns.Name
		}
		if ns.Looks == looks && found == "" {
			found = ns.Name
		}
	}
	return found
}

// looks tells what a field looks like; bare is whether a field that is just called id counts.
func (l *leaf) looks(bare bool) (looks Looks, why string) {
	given, last := l.shape.given(), l.words[len(l.words)-1]
	has := func(words []string) bool {
		return anyOf(l.words, words)
	}
	switch {
	case l.shape.emails == given:
		return LooksEmail, "all values are e-mail addresses"
	case has([]string{"email", "mail"}) && 2*l.shape.emails >= given:
		return LooksEmail, "called so, and most values are e-mail addresses"
	case has(phoneWords) && 5*l.shape.phones >= 4*given:
		return LooksPhone, "called so, and the values are phone numbers"
	case has(cookieWords) && last != "device" &&
		(slices.Contains(idWords, last) || slices.Contains(cookieWords, last)):
		return LooksCookie, "called so"
	case has(personWords) && slices.Contains(idWords, last):
		return LooksID, "called so"
	case bare && l.path == "id":
		return LooksID, "called so"
	}
	return "", ""
}

// textual reports whether the type is one that identities and ids can have.
func (l *leaf) textual() bool {
	return slices.Contains([]string{"string", "uuid", "int", "long"}, l.typ)
}

// choosePrimary makes one identity the primary one: the one wished for; else the strongest that
// nearly all records have, as they need one; else the one that most have.
func (d *Draft) choosePrimary(p *Plan, w *Wishes) error {
	if w.Primary != "" {
		return d.wishPrimary(p, w)
	}
	if len(p.Identities) > 0 {
		best := 0
		for i, id := range p.Identities {
			given := d.leaf(id.Path).shape.given()
			if 10*given >= 9*d.records {
				best = i
				break
			}
			if given > d.leaf(p.Identities[best].Path).shape.given() {
				best = i
			}
		}
		primary := p.Identities[best]
		primary.Primary = true
		p.Identities = slices.Insert(slices.Delete(p.Identities, best, best+1), 0, primary)
		return nil
	}
	var names []string
	for _, ns := range w.Namespaces {
		names = append(names, ns.Name)
	}
	return fmt.Errorf("no field of the sample looks like an identity of the namespaces that there "+
		"are (%s): say which one is primary with --primary PATH=NAMESPACE",
		strings.Join(names, ", "))
}

func (d *Draft) wishPrimary(p *Plan, w *Wishes) error {
	path, namespace, _ := strings.Cut(w.Primary, "=")
	l := d.leaf(path)
	if l == nil || !l.textual() {
		return fmt.Errorf("the sample has no text or integer at %q, which is to be primary", path)
	}
	if indexOf(w.Namespaces, namespace) < 0 {
		return fmt.Errorf("there is no namespace %q, which the primary identity is to be of",
			namespace)
	}
	kept := []Identity{{Path: path, Namespace: namespace, Primary: true, Why: "as asked for"}}
	for _, id := range p.Identities {
		if id.Path != path {
			kept = append(kept, id)
		}
	}
	p.Identities = kept
	return nil
}

func (d *Draft) leaf(path string) *leaf {
	for i := range d.leaves {
		if d.leaves[i].path == path {
			return &d.leaves[i]
		}
	}
	return nil
}

// chooseID finds the field that differs from event to event.
func (d *Draft) chooseID(p *Plan, wished string) error {
	if len(p.Identities) == 0 {
		return errors.New("no field of the sample looks like an identity of the namespaces that " +
			"there are: events need one, to know whose they are")
	}
	if wished != "" {
		if l := d.leaf(wished); l == nil || !l.textual() {
			return fmt.Errorf("the sample has no text or integer at %q, which is to be the id",
				wished)
		}
		p.ID = wished
		return nil
	}
	best := 0
	for i := range d.leaves {
		if rank := d.leaves[i].rankAsID(d.records); rank > best {
			p.ID, best = d.leaves[i].path, rank
		}
	}
	if p.ID == "" {
		return errors.New("no field of the sample differs from event to event and is called an " +
			"id: say which is the events' id with --id PATH")
	}
	return nil
}

// rankAsID is how much a field looks like the id of an event, 0 for not at all.
func (l *leaf) rankAsID(records int) int {
	enough := min(records, maxDistinct)
	if !l.textual() || l.shape.given() != records || l.shape.distinct() < enough {
		return 0
	}
	last := l.words[len(l.words)-1]
	switch {
	case slices.Contains(l.words, "event") || slices.Contains(l.words, "message"):
		return 3
	case l.path == "id" || l.path == "uuid":
		return 2
	case slices.Contains(idWords, last):
		return 1
	}
	return 0
}

// timestamp finds the field that is the time of a record, of those that half of the records have;
// "" where none is.
func (d *Draft) timestamp(event bool) string {
	ranks := [][]string{{"updated", "modified", "changed"},
		{"timestamp", "ts", "occurred", "event"}, {"time"}, {"created", "registered"},
		{"at", "date"}}
	if event {
		ranks[0], ranks[1] = ranks[1], ranks[0]
	}
	if !event {
		ranks = ranks[:4] // a record may have many times, such as the last visit
	}
	for _, words := range ranks {
		for _, l := range d.leaves {
			if l.temporal() && 2*l.shape.given() >= d.records && anyOf(l.words, words) {
				return l.path
			}
		}
	}
	return ""
}

// temporal reports whether the values are instants, be it that their type is string.
func (l *leaf) temporal() bool {
	return strings.HasPrefix(l.typ, "timestamp-") ||
		l.typ == "string" && l.shape.given() > 0 && l.shape.fits&instants != 0
}

// anyOf reports whether one of the words is among those wanted.
func anyOf(words, wanted []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(wanted, w) })
}

// wordsOf splits a name into lower-case words: customerId, customer_id and customerid are the
// words customer and id.
func wordsOf(name string) []string {
	var spaced strings.Builder
	previous := ' '
	for _, r := range name {
		if unicode.IsUpper(r) && unicode.IsLower(previous) {
			spaced.WriteByte(' ')
		}
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			spaced.WriteRune(unicode.ToLower(r))
		} else {
			spaced.WriteByte(' ')
		}
		previous = r
	}
	var words []string
	for _, word := range strings.Fields(spaced.String()) {
		words = append(words, cutEnd(word)...)
	}
	if len(words) == 0 {
		return []string{""}
	}
	return words
}

// wordsAt gives the words of the field at a path; one that is just called id is that of the record
// around it.
func wordsAt(path string) []string {
	segments := strings.Split(path, ".")
	last := len(segments) - 1
	words := wordsOf(segments[last])
	if last > 0 && len(words) == 1 && slices.Contains(idWords, words[0]) {
		return append(wordsOf(segments[last-1]), words...)
	}
	return words
}

// cutEnd parts the word id or time from the end of a word that is a person's or a time's.
func cutEnd(word string) []string {
	for _, end := range []string{"id", "time", "number", "email"} {
		if rest, ok := strings.CutSuffix(word, end); ok && len(rest) > 2 {
			return []string{rest, end}
		}
	}
	return []string{word}
}
