package people

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"selfsame/config"
	"selfsame/internal/permute"
	"selfsame/pipeline"
)

// pages are the pages whose stories are played, with how many they have at least.
var pages = map[string]int{
	"upserts.md":  30,
	"deletes.md":  8,
	"policies.md": 14,
}

// anyOrder is the kind of a story whose records may come in any order, and again.
const anyOrder = "story in any order"

// thenComment begins a block of YAML that changes the configuration of the story before it.
const thenComment = "# then"

// block is a fenced block of a page.
type block struct {
	kind string // what stands after the fence
	line int    // of its first line, in the page
	text []string
}

// blocksOf gives the fenced blocks of a page.
func blocksOf(t *testing.T, page string) []block {
	t.Helper()
	raw, err := os.ReadFile("../../docs/" + page)
	must(t, err)
	var blocks []block
	open := false
	for i, line := range strings.Split(string(raw), "\n") {
		kind, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open:
			open = false
		case fence:
			open = true
			blocks = append(blocks, block{kind: kind, line: i + 2})
		case open:
			last := &blocks[len(blocks)-1]
			last.text = append(last.text, line)
		}
	}
	if open {
		t.Fatalf("%s: a fenced block does not end", page)
	}
	return blocks
}

// TestPages plays the stories of the pages.
func TestPages(t *testing.T) {
	for page, least := range pages {
		t.Run(page, func(t *testing.T) {
			if n := play(t, page, blocksOf(t, page)); n < least {
				t.Errorf("%d stories, want %d at least", n, least)
			}
		})
	}
}

// play plays the stories of a page, each in its configuration, and counts them.
func play(t *testing.T, page string, blocks []block) (stories int) {
	t.Helper()
	changes, w := "", (*world)(nil)
	finish := func() {
		if w != nil {
			w.close()
		}
	}
	for _, b := range blocks {
		switch text := strings.Join(b.text, "\n"); {
		case b.kind == "yaml" && changes != "":
			t.Fatalf("%s:%d: no story for the block of YAML before this", page, b.line)
		case b.kind == "yaml":
			changes = text
		case b.kind != "story" && b.kind != anyOrder:
			t.Fatalf("%s:%d: a block of another kind: %s", page, b.line, b.kind)
		case strings.HasPrefix(changes, thenComment):
			w.restart(model(t, changes))
			w.play(page, b)
			changes, stories = "", stories+1
		default:
			finish()
			w = newWorld(t, model(t, changes))
			w.play(page, b)
			if b.kind == anyOrder {
				playInAnyOrder(t, page, b)
			}
			changes, stories = "", stories+1
		}
	}
	finish()
	if changes != "" {
		t.Fatalf("%s: no story for the last block of YAML", page)
	}
	return stories
}

// model reads the configuration of this folder with changes put into it.
func model(t *testing.T, changes string) *pipeline.Model {
	t.Helper()
	raw, err := os.ReadFile("selfsame.yaml")
	must(t, err)
	if changes != "" {
		var whole, part map[string]any
		must(t, yaml.Unmarshal(raw, &whole))
		must(t, yaml.Unmarshal([]byte(changes), &part))
		put(whole, part)
		raw, err = yaml.Marshal(whole)
		must(t, err)
	}
	cfg, err := config.Example(raw, os.DirFS("."), config.Overrides{DataDir: t.TempDir(),
		IDKey: strings.Repeat("0123456789abcdef", 4)})
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, changes)
	}
	m, err := cfg.Model()
	must(t, err)
	return m
}

// put puts part into whole, key by key. Policies are replaced all together.
func put(whole, part map[string]any) {
	for key, value := range part {
		below, isMap := value.(map[string]any)
		there, was := whole[key].(map[string]any)
		if isMap && was && key != "policies" {
			put(there, below)
			continue
		}
		whole[key] = value
	}
}

// play plays a story line by line. A line that is set in belongs to the one before it.
func (w *world) play(page string, b block) {
	w.t.Helper()
	for i := 0; i < len(b.text); i++ {
		w.at = fmt.Sprintf("%s:%d", page, b.line+i)
		line, below := b.text[i], []string{}
		for i+1 < len(b.text) && strings.HasPrefix(b.text[i+1], "  ") {
			i++
			below = append(below, squeeze(b.text[i]))
		}
		if strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") {
			w.tell(line, below)
		}
	}
	w.at = page + ", at the end of the story"
	w.nothingUnsaid()
}

// playInAnyOrder plays the records of a story in every order, and then all of them once more, and
// compares what the story says in the end of each profile.
func playInAnyOrder(t *testing.T, page string, b block) {
	t.Helper()
	var records []sentence
	last := map[string]sentence{}
	for _, line := range b.text {
		switch s := parse(line); s.words[0] {
		case "=":
			last[s.words[1]] = s
		default:
			records = append(records, s)
		}
	}
	if len(records) > 5 || len(last) == 0 {
		t.Fatalf("%s:%d: want at most 5 records, and a profile in the end", page, b.line)
	}
	m := model(t, "")
	for _, order := range permute.Orders(len(records)) {
		w := newWorld(t, m)
		w.at = fmt.Sprintf("%s:%d, in the order %v", page, b.line, order)
		for range 2 {
			for _, i := range order {
				r, _ := w.record(&records[i])
				w.send(records[i].words[0], r)
			}
		}
		for _, s := range last {
			w.tellProfile(&s, "")
		}
		w.close()
	}
}

// squeeze gives a line with single blanks.
func squeeze(line string) string { return strings.Join(strings.Fields(line), " ") }
