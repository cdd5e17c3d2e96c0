// Package lint holds the rules of the house as tests. `go test ./internal/lint` walks the
// repository and fails with file:line for each breach. There is nothing to import.
//
// The files:
//
//	tidy_test.go    the list of rules, the walk, and the proof that each rule can fail
//	layers_test.go  who may import what
//	budget_test.go  how large things may get
//	naming_test.go  names and documentation
//	state_test.go   package-level state, goroutines, panics, errors
//	links_test.go   links between the pages of the documentation
//
// A limit is a ratchet: tightened when the worst file allows it, never loosened. A new rule comes
// with a snippet that breaks it and one that keeps it; without them its test fails.
package lint

// sleepCall is what tests may not call.
const sleepCall = "time.Sleep"
