package lint

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	link    = regexp.MustCompile(`\]\(([^)#\s]*)(#[^)\s]*)?\)`)
	inline  = regexp.MustCompile("`[^`]*`")
	heading = regexp.MustCompile(`^#+ (.*)$`)
	marked  = regexp.MustCompile("[`*]|\\[|\\]\\([^)]*\\)")
	dropped = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

func linkRules() []rule {
	return []rule{{
		name: "links of pages lead somewhere", check: checkLinks,
		bad: map[string]string{
			"docs/a.md": "see [b](b.md)",
			"docs/b.md": "# One\nsee [two](#two)",
			"docs/c.md": "```\n# Two\n```\n[two](#two)",
			"docs/d.md": "# One\n[itself](d.md#two)",
		},
		good: map[string]string{
			"docs/a.md": "# A `b`, [c](#d)\n## D\n[1](#a-b-c) [2](a.md#d) [3](a.md)",
			"docs/b.md": "[elsewhere](https://example.org/x.md#y) [code](../a.go) `[x](y.md)`",
			"docs/c.md": "```\n[x](y.md)\n```\n\n    [x](y.md)",
		},
	}}
}

// checkLinks looks at the links between pages, and at the headings that they name.
func checkLinks(t *tree) []breach {
	anchors := map[string][]string{}
	for _, f := range t.files {
		if strings.HasSuffix(f.path, ".md") {
			anchors[f.path] = anchorsOf(f)
		}
	}
	var found []breach
	for _, f := range t.files {
		if anchors[f.path] == nil {
			continue
		}
		for n, line := range prose(f) {
			for _, l := range link.FindAllStringSubmatch(inline.ReplaceAllString(line, ""), -1) {
				to := path.Join(path.Dir(f.path), l[1])
				if l[1] == "" {
					to = f.path
				}
				if strings.Contains(l[1], ":") || !strings.HasSuffix(to, ".md") {
					continue
				}
				known, page := anchors[to]
				if !page || l[2] != "" && !slices.Contains(known, l[2][1:]) {
					found = append(found, breach{f.path, n + 1, "nothing is at " + l[1] + l[2]})
				}
			}
		}
	}
	return found
}

// anchorsOf gives the names of a page's headings, as they are linked to. It is never nil.
func anchorsOf(f *file) []string {
	names := []string{}
	for _, line := range prose(f) {
		if h := heading.FindStringSubmatch(line); h != nil {
			name := dropped.ReplaceAllString(marked.ReplaceAllString(h[1], ""), "")
			names = append(names, strings.ReplaceAll(strings.ToLower(name), " ", "-"))
		}
	}
	return names
}

// prose gives the lines of a page with code left out.
func prose(f *file) []string {
	lines := slices.Clone(f.lines)
	fenced := false
	for i, line := range lines {
		fence := strings.HasPrefix(line, "```")
		if fence {
			fenced = !fenced
		}
		if fence || fenced || strings.HasPrefix(line, "    ") {
			lines[i] = ""
		}
	}
	return lines
}
