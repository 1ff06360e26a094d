// Package packet reads and edits IP datagrams: headers, selector keys, checksums, fragments, and the ICMP messages of path MTU discovery.
//
// A datagram is parsed once, into a [Header] that its owner uses again for the next one. The header holds the selector [Key] that a
// classifier asks about and says where the parts of the datagram lie, so that no later stage looks at the bytes again:
//
//	datagram ─► Header.Parse ─► Key ─► classifier
//	                       └──► offsets ─► framing of ESP and AH, edits, fragments, ICMP
//
// Parsing is strict, because what one reader forgives and another does not is a way round a filter. A length that reaches past the end, a
// header chain that is cut, jumbograms, and IPv4-mapped addresses in IPv6 are errors. An upper-layer protocol that is unknown, or too short to have
// ports, is no error: the key says what could be read, and a filter that asks for more does not match (OPAQUE, RFC 4301 §4.4.1.1).
//
// Edits keep checksums right by adjusting them (RFC 1624), so that an error made elsewhere stays visible. ECN follows RFC 6040.
//
// A [Reassembler] lives as long as its interface. It takes fragments, and the time, from its owner; what it holds is bounded in bytes, per source, per
// datagram and in time, and every fragment that does not become part of a datagram is counted by its reason.
//
// All functions work on the caller's bytes and keep no reference to them. They may be called from any number of goroutines on different datagrams;
// a Header and a Reassembler belong to one goroutine at a time. Parsing, edits and checksums do not allocate; fragments, reassembled datagrams and
// ICMP answers (unless a buffer is passed) do.
package packet
