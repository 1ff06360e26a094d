// Package inspect makes views for people: what a policy says and expands into, why one filter decides and another does not, and what
// stands in a packet capture. Every view has a form for programs too, as JSON with a schema version.
//
// Life of an object: the functions take what they show, write it and keep nothing; only Capture holds state, for the length of one file
// (conversations, reassembly), and all of it is bounded.
//
// Strings that a peer or a captured packet chose are escaped and cut before they are printed (security.md P20). Keys and secrets are never printed.
// Captures are hostile input: the packets are read by goipsec's own parsers, which hold every length; the file format is read by gopacket behind
// a check of its block lengths.
//
// Concurrency: every function may be called from several goroutines at once.
package inspect
