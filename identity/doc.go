// Package identity decides who is who: it turns the identifiers of a record into normalised
// identities, and the links between identities into clusters, one cluster per self.
//
// It is pure: no clock, no goroutine, no randomness, no I/O; maps never order a result. The store
// implements [View], the pipeline calls [Rules.ResolveRecord] or [Rules.ResolveEvent] for each
// record, writes the links that [Rules.Links] gives, and calls [Rules.Decide] for what changed:
//
//	claims --Resolve--> primary + identities --Links--> links (stored) --Decide--> clusters
//	members of a cluster --Root--> root identity --NewProfileID--> profile id
//
// # How clusters follow from links
//
// All live links are walked in one fixed order, strongest first, and a link is accepted when the
// cluster it makes keeps every rule. The order: (1) the rank of the weaker end, strongest layer
// first; (2) newest first; (3) the sum of both ranks, lower first; (4) the identities. The rules:
// at most one identity of a unique namespace, at most limit of a limited one, at most
// max_identities in all. Links left out stay in the link set, and count again when the conflict
// goes away.
//
// Operators win over records ([Orders]): a forced link is walked before all others, and the values
// that forced links join count as one; a forbidden pair is never in one cluster, and beats a forced
// link.
//
// Nobody walks all links. Two facts make a local decision exact:
//
//   - Rules are hereditary: every part of a legal cluster is legal. So all links inside a final
//     cluster are accepted or redundant, and what the cluster of n was at any point of the walk is
//     what n reaches, inside its final cluster, through links before that point. Nothing but links
//     and the assignment identity -> cluster has to be stored.
//   - A change of the links between some identities can only change the clusters of these, unless
//     a link to an outside cluster, which the old walk left out, is now accepted. Only then does
//     the decision widen, by that cluster, and from that point of the walk on.
//
// # Guarantees
//
//  1. Clusters are a function of the link set and the rules: not of the order of arrival, of
//     repetition, or of how changes were grouped into calls of [Rules.Decide].
//  2. A new or refreshed link inside one cluster changes nothing, nor does the removal of a link
//     that was left out ([Rules.Inside]).
//  3. Every cluster that Decide returns keeps every rule.
//  4. The outcome of a Resolve call does not depend on the order of the claims, errors included.
//  5. Normalisation is idempotent: an identity that comes out goes in again unchanged.
//  6. Errors name namespaces and reasons, never values.
package identity
