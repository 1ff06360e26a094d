// Package handshake measures IKE negotiations: main mode and quick mode between two engines, each with a peer that neither has met.
//
// [Run] measures each case of [Exchanges] in memory, where two engines hand each other their datagrams in one goroutine, and between two engines with
// sockets of pkg/netio on the loopback, a goroutine each, with many negotiations under way at once; both with one pair of engines and with a pair
// for each processor. Beside it stands what the group's arithmetic costs alone, for both ends: the least that a negotiation can cost.
// Processor time is that of the whole process, so that both ends, the kernel and the garbage collector are in it.
//
// A negotiation counts if both ends reported a main-mode SA and an SA pair in use, and the two ends' SPIs and keys are the same; anything else is an
// error and no figure. Every measurement has new engines, and nothing that was negotiated is deleted before its end.
//
// Concurrency: a Run starts goroutines of its own and ends them. One Run at a time.
package handshake
