package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"selfsame/pipeline"
)

// dotWriter writes a graph in the DOT language of Graphviz. Accepted links are solid, those left
// out are dashed, each with the rule.
type dotWriter struct {
	b     strings.Builder
	known map[string]bool // nodes that have been written
}

// writeDOT writes an undirected graph whose content body writes.
func writeDOT(w io.Writer, body func(*dotWriter)) error {
	d := &dotWriter{known: map[string]bool{}}
	d.b.WriteString("graph selfsame {\n  node [shape=box, style=rounded];\n")
	body(d)
	d.b.WriteString("}\n")
	_, err := io.WriteString(w, d.b.String())
	return err
}

// dotQuote makes a text a quoted identifier.
func dotQuote(text string) string {
	text = strings.ReplaceAll(printable(text), `\`, `\\`)
	return `"` + strings.ReplaceAll(text, `"`, `\"`) + `"`
}

// dotLabel makes lines a quoted label.
func dotLabel(lines ...string) string {
	for i, line := range lines {
		quoted := dotQuote(line)
		lines[i] = quoted[1 : len(quoted)-1]
	}
	return `"` + strings.Join(lines, `\n`) + `"`
}

// node writes a node, unless it is there.
func (d *dotWriter) node(id, attributes string) {
	if !d.known[id] {
		d.known[id] = true
		fmt.Fprintf(&d.b, "    %s [%s];\n", dotQuote(id), attributes)
	}
}

// cluster writes identities in a box.
func (d *dotWriter) cluster(name string, identities func()) {
	fmt.Fprintf(&d.b, "  subgraph %s {\n    label=%s;\n", dotQuote("cluster "+name),
		dotLabel(name))
	identities()
	d.b.WriteString("  }\n")
}

func (d *dotWriter) edge(a, b, attributes string) {
	fmt.Fprintf(&d.b, "  %s -- %s [%s];\n", dotQuote(a), dotQuote(b), attributes)
}

// link writes an accepted link, with who asserts it.
func (d *dotWriter) link(l *pipeline.GraphLink) {
	d.edge(l.A, l.B, "label="+dotLabel(linkLines(l)...))
}

func linkLines(l *pipeline.GraphLink) []string {
	lines := []string{}
	if l.Order != nil {
		lines = append(lines, "an operator")
	}
	for _, said := range l.Assertions {
		lines = append(lines, said.Dataset)
	}
	return append(lines, l.Time)
}

// leftOut writes the links that were left out. Ends that are in no box stand for other clusters.
func (d *dotWriter) leftOut(all []pipeline.GraphLeftOut) {
	for i := range all {
		out := &all[i]
		for _, end := range []string{out.Link.A, out.Link.B} {
			d.node(end, "style=\"rounded,dashed\"")
		}
		lines := append(linkLines(&out.Link), out.Rule)
		d.edge(out.Link.A, out.Link.B, "style=dashed, color=red, label="+dotLabel(lines...))
	}
}

// clusterDOT draws a cluster.
func clusterDOT(d *dotWriter, c *pipeline.GraphCluster) {
	d.cluster(c.Profile, func() {
		for _, m := range c.Identities {
			style := "style=rounded"
			if m.Root {
				style = "style=\"rounded,bold\""
			}
			d.node(m.Identity, style)
		}
	})
	for i := range c.Links {
		d.link(&c.Links[i])
	}
	d.leftOut(c.LeftOut)
	for _, pair := range c.Forbidden {
		d.node(pair[0], "style=\"rounded,dashed\"")
		d.node(pair[1], "style=\"rounded,dashed\"")
		d.edge(pair[0], pair[1], "style=dotted, color=red, label=\"forbidden\"")
	}
}

// explanationDOT draws the path between two identities, or what would join them.
func explanationDOT(d *dotWriter, e *pipeline.GraphExplanation) {
	for _, end := range []pipeline.GraphEnd{e.From, e.To} {
		d.node(end.Identity, "style=\"rounded,bold\"")
	}
	for i := range e.Path {
		d.link(&e.Path[i])
	}
	d.leftOut(e.LeftOut)
}

// topDOT draws the largest clusters as nodes of their size, and what is refused with the dataset
// that asserts it.
func topDOT(d *dotWriter, top *pipeline.GraphTop) {
	for _, c := range top.Largest {
		lines := []string{fmt.Sprintf("%d identities", c.Size)}
		for _, namespace := range slices.Sorted(maps.Keys(c.Namespaces)) {
			lines = append(lines, fmt.Sprintf("%s %d", namespace, c.Namespaces[namespace]))
		}
		d.node(c.Profile, "label="+dotLabel(append(lines, c.Identity)...))
	}
	d.restless(top.Refused, "left out")
	d.restless(top.Moved, "moved")
}

// restless writes identities and the datasets that set them in motion.
func (d *dotWriter) restless(all []pipeline.GraphRestless, what string) {
	for _, r := range all {
		d.node(r.Identity, "style=\"rounded,dashed\"")
		dataset := "dataset " + r.Dataset
		d.node(dataset, "shape=cylinder, style=solid, label="+dotLabel(r.Dataset))
		d.edge(dataset, r.Identity, fmt.Sprintf("color=red, label=\"%d %s\"", r.Count, what))
	}
}
