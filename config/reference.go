package config

import (
	"reflect"
	"strings"
)

// knownKeys lists the keys of one of the file's structs, by the struct's name.
func knownKeys(structName string) []string {
	var keys []string
	for _, whole := range []reflect.Type{reflect.TypeFor[file](), reflect.TypeFor[mergeFile]()} {
		walk(whole, nil, func(owner reflect.Type, path []string) {
			if owner.Name() == structName {
				keys = append(keys, path[len(path)-1])
			}
		})
	}
	return keys
}

// walk visits every key of the file below t: maps as *, sequences as their items.
func walk(t reflect.Type, path []string, visit func(owner reflect.Type, path []string)) {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer || t.Kind() == reflect.Map {
		if t.Kind() == reflect.Map {
			path = append(path[:len(path):len(path)], "*")
		}
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[Secret]() {
		return
	}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		next := append(path[:len(path):len(path)], name)
		visit(t, next)
		walk(t.Field(i).Type, next, visit)
	}
}
