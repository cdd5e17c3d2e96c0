package story

import (
	"fmt"
	"strings"
	"testing"
)

const short = `# a comment
told

story A one
namespaces crm unique, mail email limit 2, web cookie
crm:1 web:a
> linked web:a -> crm:1: web:a
batch
refused missing_identity crm:%20
@7 ~same web:a mail:x
= crm:1 mail:x web:a
out web:a crm:1 unique crm
was web:a crm:1 crm:2

story B
use A
link crm:1 crm:2
`

func TestParse(t *testing.T) {
	stories, err := parse("short.txt", short)
	if err != nil || len(stories) != 2 {
		t.Fatalf("%d stories, %v", len(stories), err)
	}
	a, b := stories[0], stories[1]
	got := fmt.Sprintf("%+v %+v %+v %+v %v", a.Steps, a.Clusters, a.LeftOut, a.Was, a.Told)
	want := "[{Kind:record Line:1 Time:1 Batch:0 ID:e1" +
		" Claims:[{Namespace:crm Value:1 Primary:false} {Namespace:web Value:a Primary:false}]" +
		" Refused: Says:[linked web:a -> crm:1: web:a]}" +
		" {Kind:record Line:2 Time:2 Batch:1 ID:e2" +
		" Claims:[{Namespace:crm Value:  Primary:false}] Refused:missing_identity Says:[]}" +
		" {Kind:record Line:3 Time:7 Batch:1 ID:same" +
		" Claims:[{Namespace:web Value:a Primary:false} {Namespace:mail Value:x Primary:false}]" +
		" Refused: Says:[]}]" +
		" [{Root:crm:1 Members:[crm:1 mail:x web:a]}] [crm:1 web:a unique crm]" +
		" [{Identity:web:a Roots:[crm:1 crm:2]}] true"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(b.Steps) != 4 || b.Steps[3].Kind != Link || b.Steps[3].Batch != 1 ||
		len(b.Namespaces) != 3 || len(a.Steps) != 3 {
		t.Errorf("used: %+v", b)
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "holds no story",
		"crm:1":                      "f.txt:1: no story yet",
		"story A\nstory A":           "f.txt:2: a second story A",
		"story A\ncrm":               `f.txt:2: "crm" is neither`,
		"story A\n@x crm:1":          "f.txt:2: the time after @",
		"story A\nlink crm:1":        "f.txt:2: link wants 2 identities",
		"story A\nuse B":             `f.txt:2: no story "B"`,
		"story A\ncrm:1\nuse A":      "f.txt:3: use comes first",
		"story A\nbatch":             "f.txt:2: a batch ends before",
		"story A\n> x":               "f.txt:2: the topic says something before",
		"story A\nout a:1 b:2":       "f.txt:2: out wants two identities and a rule",
		"story A\n=":                 "f.txt:2: = wants identities",
		"story A\nnamespaces a,":     "f.txt:2: a namespace has no name",
		"story A\nnamespaces a what": "f.txt:2: unknown identity type",
	} {
		if _, err := parse("f.txt", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
