// Package ike is the Internet Key Exchange of an endpoint: datagrams, wishes and time go in, effects come out. It has no sockets, no
// clock and no goroutines.
//
// # Life of an SA
//
// The owner calls Acquire when traffic wants protection, Receive for each datagram of UDP 500 and 4500 (the non-ESP marker
// removed), and Advance when Deadline has come. After each call it takes the effects with Next until there are none: datagrams to
// transmit, children to put into use or to remove, and words for people. IKE version 1 is spoken (package ikev1); a version 2 datagram
// draws at most one INVALID-MAJOR-VERSION and leaves no trace.
//
// # Faults
//
// Receive and Advance hold a recover boundary each: a fault of ours costs the exchange whose datagram caused it, and is counted in
// Stats.Panics, which every test expects to be 0.
//
// # Concurrency
//
// An Engine is not safe for concurrent use.
package ike
