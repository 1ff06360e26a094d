package dataplane

import (
	"sync/atomic"

	"github.com/goipsec/goipsec/pkg/sa"
)

// Drop is why a packet went no further. The inbound SA's own reasons (replay, bad ICV, …) follow in the same space: see sa.Reason.
type Drop uint8

const (
	// Malformed: not a well-formed IP datagram.
	Malformed Drop = iota
	// Blocked: a filter says block.
	Blocked
	// NoSA: the hold queue of a filter without an SA was full, or its time was up.
	NoSA
	// Oversize: too big for the path and not to be fragmented; answered with ICMP.
	Oversize
	// OutboundLimit: the SA's hard lifetime or its last sequence number is reached.
	OutboundLimit
	// Reassembly: a fragment that did not become a whole datagram.
	Reassembly
	// SendFailed: the system refused the datagram.
	SendFailed
	// NoPath: no socket can carry the datagram (no raw socket, or none for that address).
	NoPath
	// DeviceNoise: link-local and multicast packets that the system itself emits on the TUN device.
	DeviceNoise
	// Runt: a UDP payload too short for ESP or IKE (RFC 3948).
	Runt
	// Keepalive: a NAT keepalive, consumed.
	Keepalive
	// UnknownSPI: no inbound SA has this SPI.
	UnknownSPI
	// WrongWrapping: the SA exists but for another encapsulation (raw or UDP) or must come inside AH.
	WrongWrapping
	// NextHeader: the decrypted packet's protocol does not fit the SA's mode.
	NextHeader
	// Dummy: an authenticated dummy packet, protocol 59 (RFC 4303 §2.6).
	Dummy
	// InnerMalformed: the decrypted packet is no well-formed IP datagram.
	InnerMalformed
	// SelectorMismatch: the decrypted packet is outside the SA's selectors (RFC 4301 §5.2).
	SelectorMismatch
	// ECNViolation: congestion experienced outside, not ECN-capable inside (RFC 6040 §4.2).
	ECNViolation
	// ControlBusy: an IKE datagram found the control queue full.
	ControlBusy
	// EventLost: an event found its queue full (no packet).
	EventLost
	// TUNWrite: the TUN device refused the packet.
	TUNWrite
	// ReadError: a read failed and was tried again (no packet).
	ReadError
	// UnfitTransform: the packet cannot be carried by the SA (IPv6 extension headers in UDP transport mode).
	UnfitTransform
	// SourceRouted: the decrypted packet has a source route or routing header that is not used up.
	SourceRouted

	drops
)

var dropNames = [drops]string{"malformed", "blocked", "no-sa", "oversize", "outbound-limit", "reassembly", "send-failed", "no-path",
	"device-noise", "runt", "keepalive", "unknown-spi", "wrong-wrapping", "next-header", "dummy", "inner-malformed", "selector-mismatch",
	"ecn-violation", "control-busy", "event-lost", "tun-write", "read-error", "unfit-transform", "source-routed"}

// String is the name that status shows.
func (d Drop) String() string {
	if int(d) < len(dropNames) {
		return dropNames[d]
	}
	return "unknown"
}

// Counters counts packets since the Plane was made. Reading while it runs gives each counter exactly, not all of one instant.
type Counters struct {
	drop    [drops]atomic.Uint64
	inbound [sa.Reasons]atomic.Uint64

	FromTUN   atomic.Uint64 // packets read from the TUN device
	Sealed    atomic.Uint64 // packets protected and handed to a socket
	Permitted atomic.Uint64 // packets sent in clear as the policy says
	Soft      atomic.Uint64 // packets sent in clear under a soft SA
	Held      atomic.Uint64 // packets put into a hold queue, counted again when they leave it
	Released  atomic.Uint64 // packets that left a hold queue
	FromWire  atomic.Uint64 // datagrams read from the sockets
	IKE       atomic.Uint64 // datagrams handed to the control queue
	Opened    atomic.Uint64 // packets authenticated, decrypted and fit
	Delivered atomic.Uint64 // packets written to the TUN device
	Fragments atomic.Uint64 // fragments taken into reassembly: those that wait, those joined, and the drops of Reassembly
	Joined    atomic.Uint64 // fragments that became part of a whole datagram
	Whole     atomic.Uint64 // datagrams that reassembly gave back
	Split     atomic.Uint64 // packets that fragmentation before sealing made, beyond the one that there was
	Replies   atomic.Uint64 // ICMP errors written to the TUN device
}

func (c *Counters) add(d Drop) { c.drop[d].Add(1) }

// Drops returns every counter that is not zero, by the name of its reason.
func (c *Counters) Drops() map[string]uint64 {
	m := map[string]uint64{}
	for d := range c.drop {
		if n := c.drop[d].Load(); n != 0 {
			m[Drop(d).String()] = n
		}
	}
	for r := range c.inbound {
		if n := c.inbound[r].Load(); n != 0 {
			m[sa.Reason(r).String()] += n // "malformed" is a reason of both
		}
	}
	return m
}

// Refused returns the packets that inbound SAs dropped for one reason.
func (c *Counters) Refused(r sa.Reason) uint64 { return c.inbound[r].Load() }

// Count returns one counter.
func (c *Counters) Count(d Drop) uint64 { return c.drop[d].Load() }

// Counters returns the Plane's counters.
func (p *Plane) Counters() *Counters { return &p.count }
