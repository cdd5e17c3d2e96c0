// Package config reads the configuration: one YAML file, checked as a whole, turned into the values
// that the other packages work with. cmd is its only user.
//
// Guarantees:
//  1. An unknown key is an error. No mistake is hidden by a default.
//  2. Everything that is wrong is reported at once, each with file, line and key.
//  3. A [Config] does not change after it was read.
//  4. A [Secret] is never printed.
package config
