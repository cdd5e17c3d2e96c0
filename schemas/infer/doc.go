// Package infer guesses the schema of a dataset from a sample of its records, and which of its
// fields are identities, the time and the id, because that is how people start.
//
// Who calls it: the command schema new. It is pure: lines in, texts out.
//
//	lines --Sample.Add--> Sample --Guess--> Draft --Suggest--> Plan
//
// How types are found: every scalar of a place is put to every candidate type, and those that do
// not take it drop out; of what is left the narrowest is chosen. The decoder of package schemas is
// asked, so what is guessed takes the sample by construction.
//
// Guarantees:
//  1. The schema takes every record that was added, where unknown fields are ignored if the draft
//     has left something out.
//  2. What is a guess says so in the field's doc.
//  3. The same records in the same order give the same draft.
//  4. Memory is bounded by the number of places and by limits per place, not by that of records.
package infer
