package pipeline

import (
	"context"
	"fmt"
	"slices"

	"selfsame/profile"
	"selfsame/store"
)

// ParseIdentities reads identities of a class, NAMESPACE:VALUE, and normalises them; without a
// class as each class does that has the namespace, so that one of them can become several.
// *QueryError where one cannot be read.
func (m *Model) ParseIdentities(class string, texts []string) ([]profile.Identity, error) {
	entities, of := m.Entities, "any class"
	if class != "" {
		entity := m.Entity(class)
		if entity == nil {
			return nil, &QueryError{fmt.Sprintf("there is no entity class %q", class)}
		}
		entities, of = []*Entity{entity}, "class "+class
	}
	var all []profile.Identity
	for i, text := range texts {
		given, ok := profile.ParseIdentity(text)
		if !ok {
			return nil, &QueryError{fmt.Sprintf("identity %d is not NAMESPACE:VALUE", i+1)}
		}
		ids, err := normalised(entities, given)
		if err != nil {
			return nil, &QueryError{err.Error()}
		}
		if len(ids) == 0 {
			return nil, &QueryError{fmt.Sprintf("there is no namespace %q in %s", given.Namespace,
				of)}
		}
		all = append(all, ids...)
	}
	return all, nil
}

// normalised lists what an identity is in classes, each once.
func normalised(entities []*Entity, given profile.Identity) (ids []profile.Identity, err error) {
	for _, e := range entities {
		if _, ok := e.Rules.Namespace(given.Namespace); !ok {
			continue
		}
		id, _, err := e.Rules.Normalize(given.Namespace, given.Value)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// Verify compacts the store and looks for the values of identities in all of it. *QueryError where
// the identities cannot be read.
func (l *Lookup) Verify(ctx context.Context, class string, texts []string) ([]store.Trace, error) {
	ids, err := l.model.ParseIdentities(class, texts)
	if err != nil {
		return nil, err
	}
	if err := l.store.Compact(ctx); err != nil {
		return nil, err
	}
	return l.store.Search(ctx, ids)
}
