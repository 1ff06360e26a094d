// Package revocation finds out whether certificates were revoked: from files, from lists and responders that the certificates name, and from what was fetched
// before. Its norms are RFC 5280 §5 and §6.3 (lists, delta lists, issuing distribution points) and RFC 6960 with RFC 5019 (OCSP).
//
// # How strictly
//
// The level of [pki.Rules] decides. 0: nothing is looked at. 1: a certificate fails only if it is known to be revoked; that a list cannot be had, is stale or has a
// wrong signature, is logged and does no harm. 2: whatever keeps it from being known is a failure.
//
// # What is looked at, in this order
//
// Files of the policy; lists in the cache that have not expired; OCSP; lists over the network. The first definite answer counts. A list that has expired, delta lists too, still proves what it
// says is revoked, but for certificates on hold. A delta list, where one is named, goes over its base.
//
// # Bounds
//
// [Checker.Check] is called only with chains that end in a configured authority, so that nobody else can have this host fetch anything. One check takes [MaxTime] and
// reads [MaxBytes] at most, over all that it fetches, from [MaxURLs] places at most, by plain HTTP, which is enough since all answers are signed. What could not be had is
// not asked for again for a minute.
//
// # Life of an object
//
// An endpoint has one [Checker] while it runs. What it fetches it keeps in memory and in a directory, there until it expires, so that it survives a restart; [List] and
// [Flush] show and empty the directory, and a Checker notices. A cache that is damaged or cannot be written is a warning: the check goes on without it.
//
// # Concurrency
//
// A Checker is safe for concurrent use; what several checks need at once is fetched once. It starts no goroutine of its own. It takes the time as an argument.
package revocation
