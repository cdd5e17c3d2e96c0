package pipeline

import (
	"context"
	"fmt"

	"selfsame/profile"
	"selfsame/store"
)

// ParseIdentities reads identities of a class, NAMESPACE:VALUE, and normalises them. *QueryError
// where one cannot be read.
func (m *Model) ParseIdentities(class string, texts []string) ([]profile.Identity, error) {
	entity := m.Entity(class)
	if entity == nil {
		return nil, &QueryError{fmt.Sprintf("there is no entity class %q", class)}
	}
	ids := make([]profile.Identity, len(texts))
	for i, text := range texts {
		given, ok := profile.ParseIdentity(text)
		if !ok {
			return nil, &QueryError{fmt.Sprintf("identity %d is not NAMESPACE:VALUE", i+1)}
		}
		if _, ok := entity.Rules.Namespace(given.Namespace); !ok {
			return nil, &QueryError{fmt.Sprintf("class %s has no namespace %q", class,
				given.Namespace)}
		}
		var err error
		if ids[i], _, err = entity.Rules.Normalize(given.Namespace, given.Value); err != nil {
			return nil, &QueryError{err.Error()}
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
