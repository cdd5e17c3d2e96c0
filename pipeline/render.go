package pipeline

import (
	"crypto/sha256"
	"strconv"

	"selfsame/profile"
	"selfsame/store"
)

// Headers of output records.
const (
	HeaderID         = "selfsame-id"          // profile id
	HeaderVersion    = "selfsame-version"     // rises with each record of a key
	HeaderPolicy     = "selfsame-policy"      // merge policy
	HeaderNewest     = "selfsame-newest"      // RFC 3339, time of the newest contributing record
	HeaderCause      = "selfsame-cause"       // topic/partition/offset of the causing record
	HeaderMergedInto = "selfsame-merged-into" // of a tombstone: the surviving profile
	HeaderOversize   = "selfsame-oversize"    // of a marker: bytes of the profile left out

	// Of every record, in this order, after all others.
	HeaderShard       = "selfsame-shard"       // of the writer
	HeaderIncarnation = "selfsame-incarnation" // the life that its store was in
	HeaderSequence    = "selfsame-sequence"    // of the outbox entry; rises within a partition
	// HeaderPositions is on the last record of a batch: what of the input had been consumed.
	HeaderPositions = "selfsame-positions"
)

// visible leaves out what is deprecated, unless the policy shows it.
func visible(e *Entity, policy *PolicyTopic, merged profile.Merged) profile.Merged {
	if policy.ShowDeprecated || e.Union == nil || !e.Union.Hides() {
		return merged
	}
	kept := merged.Leaves[:0]
	for _, leaf := range merged.Leaves {
		var ok bool
		if leaf.Value, ok = e.Union.Visible(leaf.Path, leaf.Value); ok {
			kept = append(kept, leaf)
		}
	}
	merged.Leaves = kept
	return merged
}

// contentOf renders what a merged profile says, without id and version: what "no change" compares.
//
//	"identities":{ns:[value...]},"attributes":{...},"datasets":[...]
//
// and before the datasets, where the class has computed attributes,
//
//	"computed":{...},"computed_flags":{name:[flag...]}
//
// of which the flags are left out where there are none.
func contentOf(e *Entity, g *Gathered, merged profile.Merged) []byte {
	b := make([]byte, 0, 256+32*len(merged.Leaves))
	b = appendIdentities(append(b, `"identities":`...), e, g.Members)
	b = profile.AppendAttributes(append(b, `,"attributes":`...), merged.Leaves)
	if g.Computed != nil {
		b = g.Computed.append(b)
	}
	b = append(b, `,"datasets":[`...)
	for i, name := range g.Datasets {
		if i > 0 {
			b = append(b, ',')
		}
		b = profile.AppendString(b, name)
	}
	return append(b, ']')
}

// appendIdentities lists values by namespace, strongest namespace first.
func appendIdentities(b []byte, e *Entity, members []profile.Identity) []byte {
	b = append(b, '{')
	for _, namespace := range e.Rules.Names() {
		first := true
		for _, id := range members {
			if id.Namespace != namespace {
				continue
			}
			switch {
			case first && b[len(b)-1] != '{':
				b = append(profile.AppendString(append(b, ','), namespace), ':', '[')
			case first:
				b = append(profile.AppendString(b, namespace), ':', '[')
			default:
				b = append(b, ',')
			}
			first = false
			b = profile.AppendString(b, id.Value)
		}
		if !first {
			b = append(b, ']')
		}
	}
	return append(b, '}')
}

// digest condenses content to what the store keeps of it.
func digest(content []byte) (d [16]byte) {
	sum := sha256.Sum256(content)
	copy(d[:], sum[:])
	return d
}

// profileValue is the value of an output record.
func profileValue(ref store.ProfileRef, version uint64, content []byte) []byte {
	b := make([]byte, 0, 128+len(content))
	b = append(append(b, `{"id":"`...), ref.ID.String()...)
	b = profile.AppendString(append(b, `","class":`...), ref.Class)
	b = profile.AppendString(append(b, `,"policy":`...), ref.Policy)
	b = strconv.AppendUint(append(b, `,"version":`...), version, 10)
	b = append(append(b, ','), content...)
	return append(b, '}')
}

func profileHeaders(ref store.ProfileRef, row *store.Profile) []Header {
	headers := make([]Header, 0, 10) // those of every record included
	headers = append(headers,
		Header{Key: HeaderID, Value: []byte(ref.ID.String())},
		Header{Key: HeaderVersion, Value: strconv.AppendUint(nil, row.Version, 10)},
		Header{Key: HeaderPolicy, Value: []byte(ref.Policy)},
	)
	if row.Cause.Topic != "" || row.Time != 0 { // or it ends what the store has no memory of
		newest := []byte(formatTime(row.Time))
		headers = append(headers, Header{Key: HeaderNewest, Value: newest})
	}
	if row.Cause.Topic != "" { // or a change of the policy is
		headers = append(headers, Header{Key: HeaderCause, Value: []byte(row.Cause.String())})
	}
	if row.Dead && !row.Survivor.IsZero() {
		into := Header{Key: HeaderMergedInto, Value: []byte(row.Survivor.String())}
		headers = append(headers, into)
	}
	return headers
}

// assignmentKey is the key of an identity on the assignment topic.
func assignmentKey(id profile.Identity) []byte { return []byte(id.String()) }

// assignmentValue says which profile an identity belongs to.
func assignmentValue(row *store.Identity) []byte {
	b := append([]byte(`{"profile":"`), row.Cluster.String()...)
	b = strconv.AppendUint(append(b, `","version":`...), row.Version, 10)
	return append(b, '}')
}
