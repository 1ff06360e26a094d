// Package null is a tunnel without cryptography, policy and key exchange: what a TUN device gives goes into UDP, and what UDP gives goes into the TUN device. It moves packets by the very functions that
// goipsec's data plane moves them by: superpackets are read whole and cut into datagrams with real checksums, equal ones leave in one segmented send, and what
// arrives is verified, joined to superpackets again and written with its payloads where they lie. So it shows the ceiling: what a data plane would
// reach whose filters, SAs and ciphers cost nothing.
//
// Each datagram on the wire is an inner IP packet with as many bytes around it as ESP with AES-GCM has in a tunnel in UDP ([Overhead]), so that both
// move the same number of bytes; and it is copied once, as sealing would. **Nothing is protected: it is for measurements between namespaces.**
//
// The life of a forwarder: [Run] makes the device and the socket, says so by Options.Ready, and forwards with one goroutine a direction until its context ends.
package null
