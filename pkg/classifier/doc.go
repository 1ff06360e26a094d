// Package classifier says which filter a packet hits.
//
// A [Filter] is a set of packets: two address ranges, a protocol, ports. It can be asked about one packet at a time ([Filter.Match]) and about other
// filters ([Filter.Contains], [Filter.Overlaps]). Filters have a weight ([Filter.Compare]): of all that match a packet, the heaviest
// decides, and a filter whose packets are a proper subset of another's always weighs more, so that the order in which rules were written never matters.
//
// An [Index] gives the answers of a sorted list of entries without walking it:
//
//	entries ─► Sort ─► Build ─► Lookup, Lookup, Lookup …
//	                     └────► Insert, Delete ─► Lookup, Lookup …
//
// Filters from one address to one address sit in a hash table; any number of them costs a look-up no more than a cache miss or two. It leads to the one
// filter of a pair that has no protocol or port, or to the few of the same pair (see pairs.go and family.go). The rest lie in trees that cut the space
// of packets by planes (see tree.go), many small ones for what is narrow on one side (see cells.go) and one for the rest. A hash hit bounds
// the search but does not end it: what is heavier may lie in the next part.
//
// Who has several packets in hand asks for all at once ([Index.LookupBatch], batch.go): the answers are the same, but while one look-up waits for
// memory the others go on.
//
// An Index never changes. [Index.Insert] and [Index.Delete] give another, in microseconds, that shares all but a few pages and nodes with
// the old one; its owner puts it in the old one's place through an atomic pointer. So readers take no lock, each look-up answers by one
// state of the policy and never by a mixture of two, and look-ups do not allocate. Which of several filters wins is a matter of [Rank]: Build
// gives ascending ones, with room between them. Several goroutines may change one Index at once, and each gets its own. Filters and ranges are plain values.
//
// What could not be read of a packet (an upper-layer protocol behind unknown headers, the ports of a later fragment) is opaque: filters that name it do
// not match (RFC 4301 §4.4.1.1). Whether to reassemble first is the caller's decision.
package classifier
