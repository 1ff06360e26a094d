// Package dataplane moves packets: out of the TUN device through the policy and an SA to a socket, and back.
//
// A Plane is made from a Config, given a policy with Apply and SAs with Install, and started with Run, which lives until
// its context ends. One goroutine reads each queue of the TUN device and one each socket; each runs a packet to completion and never
// hands it to another. outbound.go and inbound.go begin with the numbered path of a packet.
//
// Concurrency: Apply, Install, Uninstall and the counters may be called from any goroutine at any time. The policy is an immutable
// snapshot behind an atomic pointer; the outbound SAs hang on its entries; the inbound SAs are found in the sa.DB by SPI.
//
// The law of conservation: every packet that was read is delivered, sent, answered, held for a negotiation, or stands in exactly one
// drop counter (see Counters).
package dataplane
