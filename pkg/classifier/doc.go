// Package classifier says which filter a packet hits.
//
// A [Filter] is a set of packets: two address ranges, a protocol, ports. It can be asked about one packet at a time ([Filter.Match]) and about other
// filters ([Filter.Contains], [Filter.Overlaps]). Filters have a weight ([Filter.Compare]): of all that match a packet, the heaviest
// decides, and a filter whose packets are a proper subset of another's always weighs more, so that the order in which rules were written never matters.
//
// An [Index] gives the answers of a sorted list of entries without walking it:
//
//	entries ─► Sort ─► Build ─► Lookup, Lookup, Lookup …
//
// Filters from one address to one address sit in hash maps; any number of them costs a look-up no more than a cache miss or two. One map holds those with
// no protocol or port, a second leads to the few of the same pair that have one (see pairs.go and groups.go). The rest lie in a tree
// that cuts the space of packets by planes (see tree.go). A hash hit bounds the search but does not end it: what is heavier may lie in the next part.
//
// An Index is built once and never changes. A policy change builds a new one, which its owner puts in the old one's place through an
// atomic pointer; readers take no lock, and look-ups do not allocate. Filters and ranges are plain values.
//
// What could not be read of a packet (an upper-layer protocol behind unknown headers, the ports of a later fragment) is opaque: filters that name it do
// not match (RFC 4301 §4.4.1.1). Whether to reassemble first is the caller's decision.
package classifier
