package config

import (
	"fmt"
	"regexp"
	"strings"
)

var wrongType = regexp.MustCompile("^cannot unmarshal (\\S+)(?: `(.*)`)? into \\**(.+)$")

// wantedType says in words of YAML what the library says in types of this program: that a value is
// not of the type of its key.
func wantedType(text string) string {
	m := wrongType.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	return fmt.Sprintf("want %s, not %s", typeInWords(m[3]), valueInWords(m[1], m[2]))
}

func typeInWords(goType string) string {
	switch {
	case goType == "string":
		return "a text"
	case goType == "bool":
		return "true or false"
	case strings.HasPrefix(goType, "int"), strings.HasPrefix(goType, "uint"):
		return "an integer"
	case strings.HasPrefix(goType, "float"):
		return "a number"
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	}
	return "keys with values"
}

func valueInWords(tag, value string) string {
	switch tag {
	case "!!seq":
		return "a list"
	case "!!map":
		return "keys with values"
	}
	return fmt.Sprintf("%q", value)
}
