// Package isakmp holds what both versions of IKE share on the wire and on the way to it: the 28-byte header, the chain of payloads,
// attributes, proposals, identities, notifications and deletions (RFC 2408 §3), the runner that steps an exchange through its
// script, and the events by which an engine tells its owner what to do.
//
// # The life of a message
//
// A datagram is parsed by ParseHeader, then its payloads by ParsePayloads, which hands each payload's body out as a slice of the
// message: nothing is copied, so that what is later hashed is what arrived. A payload's own parser (ParseSA, ParseNotify, …)
// consumes its body to the last byte or fails. The other way round, a step builds Payload values with the Append functions and
// AppendPayloads chains them.
//
// # Concurrency
//
// Everything here is a value or works on values; nothing is shared, nothing is safe to change from two goroutines at once.
package isakmp
