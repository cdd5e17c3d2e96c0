// Package story reads stories about the identity graph: text files that say what records and
// operators claim, and who is who in the end. Package identity plays them on a graph in memory,
// package pipeline through logs, commits and crashes; identity/testdata/README explains the
// language.
package story
