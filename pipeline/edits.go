package pipeline

import (
	"slices"
	"strconv"
	"strings"

	"selfsame/profile"
	"selfsame/schemas"
)

// takeEdits turns the arrays that the array header names into edits: what the record has at such a
// path is not the array but what to add to it or take out of it.
func (in *Input) takeEdits(leaves []profile.Leaf) ([]profile.Leaf, *Rejection) {
	header, ok := in.Record.Header(HeaderArray)
	if !ok {
		return leaves, nil
	}
	if in.Op != OpUpsert {
		return nil, &Rejection{Reason: ReasonBadOperation, Path: "header " + HeaderArray,
			Wanted: "an upsert", Found: "another operation"}
	}
	for text := range strings.SplitSeq(string(header), ",") {
		path, kind, rejection := in.Dataset.readEdit(text)
		if rejection != nil {
			return nil, rejection
		}
		at := slices.IndexFunc(leaves, func(l profile.Leaf) bool { return l.Path == path })
		if at < 0 || leaves[at].Value.Kind() != profile.KindArray {
			found := "nothing"
			if at >= 0 {
				found = leaves[at].Value.Kind().String()
			}
			return nil, &Rejection{Reason: ReasonBadOperation, Path: in.within(path.String()),
				Wanted: "an array of the elements to " + kind, Found: found}
		}
		in.edit(leaves[at], kind)
		leaves = slices.Delete(leaves, at, at+1)
	}
	return leaves, nil
}

// readEdit reads "path=append", "path=union" or "path=remove".
func (ds *Dataset) readEdit(text string) (path profile.Path, kind string, rejection *Rejection) {
	eq := strings.LastIndexByte(text, '=')
	if eq < 0 {
		eq = len(text)
	}
	kind = strings.TrimSpace(strings.TrimPrefix(text[eq:], "="))
	if _, ok := profile.ParseEditKind(kind); !ok {
		return "", "", &Rejection{Reason: ReasonBadOperation, Path: "header " + HeaderArray,
			Wanted: "path=append, path=remove or path=union", Found: "something else"}
	}
	path = profile.ParsePath(strings.TrimSpace(text[:eq]))
	t, known := ds.Schema.Lookup(path)
	switch {
	case !known || path == "":
		return "", "", &Rejection{Reason: ReasonSchemaViolation, Path: "header " + HeaderArray,
			Wanted: "a path of the schema", Found: "unknown path"}
	case t.Kind != schemas.KindArray:
		return "", "", &Rejection{Reason: ReasonBadOperation, Path: "header " + HeaderArray,
			Wanted: "the path of an array", Found: t.String()}
	}
	return path, kind, nil
}

// readUnset reads one path of the unset header.
func (ds *Dataset) readUnset(text string) (profile.Path, *Rejection) {
	path := profile.ParsePath(strings.TrimSpace(text))
	if _, known := ds.Schema.Lookup(path); !known || path == "" {
		return "", &Rejection{Reason: ReasonSchemaViolation, Path: "header " + HeaderUnset,
			Wanted: "a path of the schema", Found: "unknown path"}
	}
	return path, nil
}

// CheckEdits says why the texts of the headers HeaderUnset and HeaderArray would be refused, each
// "" where there is none. What the value of a record has is not looked at.
func (ds *Dataset) CheckEdits(unset, array string) *Rejection {
	for text := range strings.SplitSeq(unset, ",") {
		if _, rejection := ds.readUnset(text); unset != "" && rejection != nil {
			return rejection
		}
	}
	for text := range strings.SplitSeq(array, ",") {
		if _, _, rejection := ds.readEdit(text); array != "" && rejection != nil {
			return rejection
		}
	}
	return nil
}

// edit notes the elements of an array as edits under the union's path.
func (in *Input) edit(array profile.Leaf, word string) {
	kind, _ := profile.ParseEditKind(word)
	if kind == profile.EditRemove {
		in.removed = append(in.removed, array.Path)
	}
	path := in.Dataset.UnionPath(array.Path)
	for i := range array.Value.Len() {
		edit := profile.NewEdit(path, in.Stamp, kind, i, array.Value.Item(i))
		in.Fragment.Edits = append(in.Fragment.Edits, edit)
	}
}

// checkFragment says which limit a fragment exceeds.
func checkFragment(f *profile.Fragment, limits Limits) *Rejection {
	if n := f.Places(); n > limits.LeavesPerFragment {
		return tooManyLeaves(n, limits)
	}
	if n, path := f.MostEdited(); n > limits.ArrayEdits {
		return &Rejection{Reason: ReasonTooLarge, Path: path.String(),
			Found: strconv.Itoa(n) + " edits", Wanted: "at most " +
				strconv.Itoa(limits.ArrayEdits) + " since the array was last written whole"}
	}
	return nil
}
