// Package pipeline measures the data plane alone: the whole way of a packet out and in, in memory, against the bare cipher in the same run.
//
// [Run] builds a dataplane.Plane for each suite, with a device that hands out batches of one packet and a socket that hands out runs of
// sealed ones; what comes out of either is counted and swallowed. Only the time between the end of one read and the beginning of the next is
// counted, so making the packets costs nothing and neither do system calls, of which there are none. Everything else is in: header, filter, SA,
// framing, cipher, window, selectors, counters, queues. Before anything is measured, what leaves is opened and what is delivered compared,
// byte for byte; after each measurement every packet must have been counted as sealed or delivered.
//
// The bare cipher is the standard library's on one buffer that never leaves the first cache: the least that a packet can cost.
//
// Concurrency: a Plane runs in goroutines of its own, and Run measures one direction of one Plane at a time. One Run at a time.
package pipeline
