package config

import "embed"

//go:embed starter/selfsame.yaml starter/schemas/customers.avsc
var starter embed.FS

// Starter returns the files of a fresh configuration, by path, without the id key.
func Starter() map[string][]byte {
	files := map[string][]byte{}
	for _, name := range []string{"selfsame.yaml", "schemas/customers.avsc"} {
		text, err := starter.ReadFile("starter/" + name)
		if err != nil {
			panic(err) // invariant: the files are embedded by name
		}
		files[name] = text
	}
	return files
}
