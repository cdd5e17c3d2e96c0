package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"selfsame/pipeline"
)

// printable makes a text safe to print on one line.
func printable(text string) string {
	for _, r := range text {
		if !unicode.IsPrint(r) {
			quoted := strconv.Quote(text)
			return quoted[1 : len(quoted)-1]
		}
	}
	return text
}

// clusterText prints a cluster for people.
func clusterText(w io.Writer, c *pipeline.GraphCluster) error {
	fmt.Fprintf(w, "profile %s of class %s\n\nidentities  %d\n", c.Profile, c.Class,
		len(c.Identities))
	t := newTable(w)
	for _, m := range c.Identities {
		seen, root := "named by operators only", ""
		if m.FirstSeen != "" {
			seen = "first seen " + m.FirstSeen
		}
		if m.Root {
			root = "root"
		}
		if m.Silent != "" {
			root = strings.TrimSpace(root + " " + m.Silent)
		}
		t.row("  "+printable(m.Identity), seen, root)
	}
	t.end()
	fmt.Fprintf(w, "\nlinks  %s\n", listed(len(c.Links), c.MoreLinks))
	for i := range c.Links {
		linkText(w, "  ", &c.Links[i])
	}
	leftOutText(w, c.LeftOut, c.MoreLeftOut)
	for i, pair := range c.Forbidden {
		if i == 0 {
			fmt.Fprintf(w, "\nforbidden by operators\n")
		}
		fmt.Fprintf(w, "  %s -- %s\n", printable(pair[0]), printable(pair[1]))
	}
	return t.err
}

// listed says how many there are.
func listed(shown, more int) string {
	if more == 0 {
		return strconv.Itoa(shown)
	}
	return fmt.Sprintf("%d, and %d more (see --limit)", shown, more)
}

// linkText prints a link, and below it who asserts it.
func linkText(w io.Writer, indent string, l *pipeline.GraphLink) {
	fmt.Fprintf(w, "%s%s -- %s\n", indent, printable(l.A), printable(l.B))
	if l.Order != nil {
		fmt.Fprintf(w, "%s    an operator  %s\n", indent, placeText(*l.Order))
	}
	for _, said := range l.Assertions {
		fmt.Fprintf(w, "%s    %s  %s\n", indent, said.Dataset, placeText(said.Latest))
		if said.First != said.Latest {
			fmt.Fprintf(w, "%s    %s  first %s\n", indent,
				strings.Repeat(" ", len(said.Dataset)), placeText(said.First))
		}
	}
}

func placeText(p pipeline.GraphPlace) string {
	return fmt.Sprintf("%s  %s/%d/%d", p.Time, p.Topic, p.Partition, p.Offset)
}

// leftOutText prints the links that were left out; more have not been looked at.
func leftOutText(w io.Writer, all []pipeline.GraphLeftOut, more int) {
	fmt.Fprintf(w, "\nleft out  %s\n", listed(len(all), more))
	for i := range all {
		out := &all[i]
		linkText(w, "  ", &out.Link)
		fmt.Fprintf(w, "      rule: %s\n", ruleText(out.Rule, out.Conflict))
		if out.Against != nil {
			fmt.Fprintf(w, "      against: %s -- %s of %s\n", printable(out.Against.A),
				printable(out.Against.B), out.Against.Time)
		}
	}
}

// silence says what an identity is that does not link, "" of other rules.
func silence(rule string) string {
	switch rule {
	case "hub":
		return "is a hub"
	case "contested", "blocked":
		return "is " + rule
	case "clearing":
		return "is losing its links"
	}
	return ""
}

// ruleText says by which rule a link was left out, and for whom.
func ruleText(rule string, conflict []string) string {
	names := make([]string, len(conflict))
	for i, id := range conflict {
		names[i] = printable(id)
	}
	all := strings.Join(names, ", ")
	switch {
	case rule == pipeline.RuleNone:
		return "none of today's; it counts again when its ends are decided again"
	case silence(rule) != "":
		return fmt.Sprintf("%s: %s %s and does not link", rule, all, silence(rule))
	case all == "":
		return rule
	}
	return rule + ", which may not meet: " + all
}

// nothingBetweenText says why no link between two profiles is known. Links that a hub or a blocked
// value turned away were not kept.
func nothingBetweenText(w io.Writer, e *pipeline.GraphExplanation) error {
	for _, end := range []pipeline.GraphEnd{e.From, e.To} {
		if end.Silent == "hub" || end.Silent == "blocked" {
			_, err := fmt.Fprintf(w, "\n%s %s: links that records have asserted to it since are "+
				"not kept\n", printable(end.Identity), silence(end.Silent))
			if err != nil {
				return err
			}
		}
	}
	if e.From.Silent+e.To.Silent != "" {
		_, err := fmt.Fprintln(w, "no link between the two profiles is known")
		return err
	}
	_, err := fmt.Fprintln(w, "\nno link between the two profiles was ever asserted, or "+
		"those that were are void")
	return err
}

// explanationText prints an explanation for people.
func explanationText(w io.Writer, e *pipeline.GraphExplanation) error {
	from, to := printable(e.From.Identity), printable(e.To.Identity)
	if !e.Connected {
		fmt.Fprintf(w, "%s and %s are not one self:\n  profile %s\n  profile %s\n", from, to,
			e.From.Profile, e.To.Profile)
		if len(e.LeftOut) == 0 && e.MoreLeftOut == 0 {
			return nothingBetweenText(w, e)
		}
		leftOutText(w, e.LeftOut, e.MoreLeftOut)
		return nil
	}
	_, err := fmt.Fprintf(w, "%s and %s are one self: profile %s\n", from, to, e.From.Profile)
	if err == nil && len(e.Path) > 0 {
		fmt.Fprintf(w, "\npath  %d\n", len(e.Path))
	}
	for i := range e.Path {
		linkText(w, "  ", &e.Path[i])
	}
	return err
}

// topText prints what is large and what is refused for people.
func topText(w io.Writer, top *pipeline.GraphTop) error {
	fmt.Fprintf(w, "class %s: %d clusters, %d links\n\n", top.Class, top.Clusters, top.Links)
	t := newTable(w)
	t.row("IDENTITIES", "CLUSTERS")
	for _, size := range top.Sizes {
		t.row(size.Size, size.Clusters)
	}
	t.end()
	for i, namespace := range slices.Sorted(maps.Keys(top.Several)) {
		if i == 0 {
			fmt.Fprintf(w, "\nclusters with more than one\n")
		}
		fmt.Fprintf(w, "  %s  %d\n", namespace, top.Several[namespace])
	}
	fmt.Fprintf(w, "\nlargest clusters\n")
	t.row("PROFILE", "IDENTITIES", "ONE OF THEM", "BY NAMESPACE")
	for _, c := range top.Largest {
		t.row(c.Profile, c.Size, printable(c.Identity), namespacesText(c.Namespaces))
	}
	t.end()
	fmt.Fprintf(w, "\nhubs  %d\n", top.HubsAll)
	if len(top.Hubs) > 0 {
		t.row("IDENTITY", "NEIGHBOURS KEPT", "TURNED AWAY", "PROFILE")
	}
	for _, h := range top.Hubs {
		t.row(printable(h.Identity), h.Neighbours, h.TurnedAway, h.Profile)
	}
	t.end()
	restlessText(w, t, "links left out", top.Refused, top.RefusedError)
	restlessText(w, t, "moves from profile to profile", top.Moved, top.MovedError)
	return t.err
}

// restlessText prints identities that something happens to again and again.
func restlessText(w io.Writer, t *table, what string, all []pipeline.GraphRestless, bound uint64) {
	fmt.Fprintf(w, "\nmost %s since the start", what)
	if bound > 0 {
		fmt.Fprintf(w, ", each at most %d too many", bound)
	}
	if len(all) == 0 {
		fmt.Fprintln(w, ": none")
		return
	}
	fmt.Fprintln(w)
	t.row("IDENTITY", "DATASET", "TIMES", "NEIGHBOURS", "PROFILE")
	for _, r := range all {
		t.row(printable(r.Identity), r.Dataset, r.Count, r.Neighbours, r.Profile)
	}
	t.end()
}

func namespacesText(counts map[string]int) string {
	var parts []string
	for _, namespace := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", namespace, counts[namespace]))
	}
	return strings.Join(parts, ", ")
}

// table prints rows in columns. The first error sticks.
type table struct {
	w   *tabwriter.Writer
	err error
}

func newTable(w io.Writer) *table { return &table{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }

// row adds a row. Cells that say nothing at the end of it leave no blanks.
func (t *table) row(cells ...any) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = fmt.Sprint(cell)
	}
	for len(texts) > 0 && texts[len(texts)-1] == "" {
		texts = texts[:len(texts)-1]
	}
	t.keep(fmt.Fprintln(t.w, strings.Join(texts, "\t")))
}

// end prints the rows so far; the next ones have columns of their own.
func (t *table) end() { t.keep(0, t.w.Flush()) }

func (t *table) keep(_ int, err error) {
	if t.err == nil {
		t.err = err
	}
}
