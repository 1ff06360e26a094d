// Package pipeline measures the data plane alone: the whole way of a packet out and in, in memory, against the bare cipher in the same run.
//
// [Run] builds a dataplane.Plane for each suite and number of SAs, with a device that hands out batches of packets and a socket that hands out runs of
// sealed ones; what comes out of either is counted and swallowed. Only the time between the end of one read and the beginning of the next is
// counted, so making the packets costs nothing and neither do system calls, of which there are none. Everything else is in: header, filter, SA,
// framing, cipher, window, selectors, counters, queues. Before anything is measured, what leaves is opened and what is delivered compared,
// byte for byte, at least one packet of each SA each way; after each measurement every packet must have been counted as sealed or delivered.
//
// Of many SAs each has a filter, keys, an SPI and a peer of its own, and every packet belongs to another than the one before it: the SAs take turns in a
// random order, the same in every run. Outbound that is a flow, a look-up and a message for each packet; inbound a message of one datagram, of which a read
// gives sixteen. So the rows with many SAs show what cold memory costs.
//
// Superpackets are of TCP: outbound the device hands them out whole, and the path cuts them and computes the checksums; inbound it verifies the checksums
// and joins the datagrams, and the device takes the result. All figures are for each datagram that a superpacket stands for.
//
// The bare cipher is that of Go's libraries (crypto/aes, crypto/cipher, crypto/hmac, golang.org/x/crypto) on one buffer that never leaves the first cache: the
// least that a packet can cost with them, whatever [Cipher] the path uses; each case says which.
//
// [RunWorkers] measures several workers at once, a queue, a flow and a socket each, by the clock on the wall: with an SA for each worker, and out with one SA for all. What
// comes in was sealed before the time begins. The machine must have that many processors, and nothing else to do.
//
// Concurrency: a Plane runs in goroutines of its own, and Run measures one direction of one Plane at a time. One Run at a time.
package pipeline
