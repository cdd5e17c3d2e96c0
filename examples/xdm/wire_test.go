package xdm

import (
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"selfsame/pipeline"
	"selfsame/profile"
)

// wireName is a name as it is on the wire, where it may be a path. The standard's documents name
// things as JSON-LD does: with a prefix, with an @, or with an address. The table is in
// docs/formats.md.
func wireName(name string) []string {
	if address, ok := strings.CutPrefix(name, "https://ns."); ok {
		parts := strings.Split(address, "/")
		return []string{"_" + parts[len(parts)-2], parts[len(parts)-1]}
	}
	if bare, ok := strings.CutPrefix(name, "@"); ok {
		return []string{"_" + bare}
	}
	prefix, bare, prefixed := strings.Cut(name, ":")
	switch {
	case !prefixed || strings.Contains(bare, "/"): // an address as a key is data
		return []string{name}
	case prefix == "xdm":
		return []string{bare}
	}
	return []string{"_" + prefix, bare}
}

// wire brings all names to the form on the wire.
func wire(v any) any {
	switch v := v.(type) {
	case map[string]any:
		object := map[string]any{}
		for name, item := range v {
			put(object, wireName(name), wire(item))
		}
		return object
	case []any:
		items := make([]any, len(v))
		for i := range v {
			items[i] = wire(v[i])
		}
		return items
	}
	return v
}

// put sets the value at a path of names.
func put(object map[string]any, path []string, v any) {
	for _, name := range path[:len(path)-1] {
		inner, ok := object[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			object[name] = inner
		}
		object = inner
	}
	object[path[len(path)-1]] = v
}

// get gives the value at a path of names, nil where there is none.
func get(v any, path []string) any {
	for _, name := range path {
		object, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = object[name]
	}
	return v
}

// mount makes an entity of a part: at is its place, and [] an array around what follows.
func mount(part any, at string) any {
	if at == "" {
		return part
	}
	steps := strings.Split(at, ".")
	for _, step := range slices.Backward(steps) {
		name, list := strings.CutSuffix(step, "[]")
		if list {
			part = []any{part}
		}
		part = map[string]any{name: part}
	}
	return part
}

// envelope wraps an entity as the reference product's inlet takes it.
func envelope(t *testing.T, entity any) []byte {
	t.Helper()
	message, err := json.Marshal(map[string]any{"header": map[string]any{},
		"body": map[string]any{"xdmMeta": map[string]any{}, "xdmEntity": entity}})
	must(t, err)
	return message
}

// namespaceCodes are the short names of namespaces that some examples name by an address.
var namespaceCodes = map[string]string{
	"https://data.adobe.io/entities/namespace/4":  "ECID",
	"https://data.adobe.io/entities/namespace/9":  "TNTID",
	"https://data.adobe.io/entities/namespace/10": "AAID",
}

// complete gives an entity what the dataset needs and the example, which shows a part only, does
// not have, and what docs/formats.md tells users to change where records are produced. It says
// what that was. name is used for whatever has to be called something.
func complete(ds *pipeline.Dataset, entity map[string]any, name string) (added []string) {
	add := func(path []string, v any) {
		added = append(added, strings.Join(path, "."))
		put(entity, path, v)
	}
	if misnamed := entity[" engagement"]; misnamed != nil {
		delete(entity, " engagement")
		added = append(added, "a name without a blank")
		entity["engagement"] = misnamed
	}
	if textual(get(entity, []string{"_marketo", "activityLog", "_marketo",
		"attributeValues"})) {
		added = append(added, "texts for numbers")
	}
	need := func(p profile.Path, v any) {
		if path := p.Segments(); len(path) > 0 && get(entity, path) == nil {
			add(path, v)
		}
	}
	need(ds.EventID, name)
	need(ds.Timestamp, "2026-12-31T23:59:59Z")
	spaces, _ := entity["identityMap"].(map[string]any)
	if renamed(spaces) {
		added = append(added, "codes of namespaces")
	}
	switch {
	case ds.IdentityMap == "":
		for _, f := range ds.Identities {
			if f.Primary || ds.EventID != "" {
				need(f.Path, name)
			}
		}
	case ds.EventID == "" && !flagsPrimary(spaces):
		add([]string{"identityMap", "CRM"},
			[]any{map[string]any{"id": name, "primary": true}})
	case len(spaces) == 0:
		add([]string{"identityMap", "ECID"}, []any{map[string]any{"id": name}})
	}
	return added
}

// flagsPrimary reports whether an identity map says which identity is primary.
func flagsPrimary(spaces map[string]any) bool {
	for _, list := range spaces {
		for _, item := range list.([]any) {
			if item.(map[string]any)["primary"] == true {
				return true
			}
		}
	}
	return false
}

// renamed puts codes in the place of addresses, and reports whether there were any.
func renamed(spaces map[string]any) (some bool) {
	for address, code := range namespaceCodes {
		if list, ok := spaces[address]; ok {
			delete(spaces, address)
			spaces[code], some = list, true
		}
	}
	return some
}

// textual makes texts of the numbers in an object, and reports whether there were any.
func textual(v any) (some bool) {
	object, _ := v.(map[string]any)
	for name, item := range object {
		if number, ok := item.(json.Number); ok {
			object[name], some = number.String(), true
		}
	}
	return some
}

// same compares what was sent with what came out: numbers by their value, times by their instant,
// all else as it is.
func same(sent, got any) bool {
	switch sent := sent.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok || len(object) != len(sent) {
			return false
		}
		for name := range sent {
			if !same(sent[name], object[name]) {
				return false
			}
		}
		return true
	case []any:
		items, ok := got.([]any)
		return ok && slices.EqualFunc(sent, items, same)
	case json.Number:
		number, ok := got.(json.Number)
		a, aOK := new(big.Rat).SetString(sent.String())
		b, bOK := new(big.Rat).SetString(number.String())
		return ok && aOK && bOK && a.Cmp(b) == 0
	case string:
		text, ok := got.(string)
		a, aErr := time.Parse(time.RFC3339, sent)
		b, bErr := time.Parse(time.RFC3339, text)
		return ok && (text == sent || aErr == nil && bErr == nil && a.Equal(b))
	}
	return sent == got
}
