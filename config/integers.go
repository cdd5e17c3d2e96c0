package config

import (
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// checkIntegers finds fractions where whole numbers belong; the YAML library cuts them off.
func checkIntegers(p *problems, n *yaml.Node, kind reflect.Type, path []string) {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	for kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	if n == nil || reflect.PointerTo(kind).Implements(reflect.TypeFor[yaml.Unmarshaler]()) {
		return
	}
	switch kind.Kind() {
	case reflect.Int, reflect.Int16, reflect.Int32:
		if n.ShortTag() == "!!float" {
			p.add(path, "%s is no whole number", n.Value)
		}
	case reflect.Slice:
		for i, item := range n.Content {
			checkIntegers(p, item, kind.Elem(), append(path[:len(path):len(path)], strconv.Itoa(i)))
		}
	case reflect.Map, reflect.Struct:
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if value := valueOf(kind, key); value != nil {
				checkIntegers(p, n.Content[i+1], value, append(path[:len(path):len(path)], key))
			}
		}
	}
}

// valueOf is the type of the value of a key; nil where there is no such key.
func valueOf(kind reflect.Type, key string) reflect.Type {
	if kind.Kind() == reflect.Map {
		return kind.Elem()
	}
	for i := range kind.NumField() {
		field := kind.Field(i)
		if name, _, _ := strings.Cut(field.Tag.Get("yaml"), ","); name == key {
			return field.Type
		}
	}
	return nil
}
