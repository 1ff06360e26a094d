package sa

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goipsec/goipsec/pkg/suite"
)

// OutboundConfig describes an outbound SA. It does not change while the SA lives.
type OutboundConfig struct {
	SPI      uint32 // the peer's choice
	Protocol suite.Protocol
	Mode     suite.Mode
	ESN      bool
	Sealer   Sealer
	// Local and Remote are the outer addresses. Ports that are not zero mean UDP encapsulation.
	// Remote is where the SA began; Outbound.Remote is where it sends now.
	Local, Remote netip.AddrPort
	Lifetime      Lifetime
	// FirstSequence is the last sequence number that counts as used: 0, but in tests of exhaustion.
	FirstSequence uint64
}

// Outbound is one outbound SA. The way of a packet:
//
//  1. Check, once for a run of packets: is the SA past its time, is a successor due.
//  2. Lock, once for the run.
//  3. Next: the hard limits, then the next sequence number.
//  4. Sealer.Seal: padding, encryption, ICV, in place.
//  5. The counters; after the run Unlock.
type Outbound struct {
	config  OutboundConfig
	created instant
	direct  DirectSealer  // nil if the Sealer is none
	trailer int32         // what direct needs behind a payload
	marks   atomic.Uint32 // dead, renewed

	mu  sync.Mutex
	run outboundRun

	seq    atomic.Uint64 // last used; written under mu
	bytes  atomic.Uint64
	wasted atomic.Uint64 // sequence numbers that went with no packet
	used   atomic.Int64  // nanoseconds after created
	seen   atomic.Uint64
	remote atomic.Pointer[netip.AddrPort]
	pmtu   pathMTU
}

// Marks of an outbound SA.
const (
	dead    = 1 << iota // Check found it past its hard time
	renewed             // SoftOnce has returned true
)

// outboundRun is what a run of packets changes, guarded by the lock. Others see it when the lock is given back: an atomic store a packet
// would cost as much as everything else that is done here for one.
type outboundRun struct{ seq, bytes uint64 }

// NewOutbound makes an outbound SA that is born now.
func NewOutbound(c OutboundConfig, now time.Time) *Outbound {
	o := &Outbound{config: c, created: instantOf(now)}
	if d, ok := c.Sealer.(DirectSealer); ok {
		o.direct, o.trailer = d, int32(d.MaxTrailer())
	}
	o.run.seq = c.FirstSequence
	o.seq.Store(c.FirstSequence)
	o.seen.Store(c.FirstSequence)
	o.remote.Store(&o.config.Remote)
	return o
}

// last is the last sequence number there is.
func (o *Outbound) last() uint64 {
	if o.config.ESN {
		return maxSequenceESN
	}
	return maxSequence
}

// Lock gives the caller the SA's Sealer for a run of Next and Seal.
func (o *Outbound) Lock() { o.mu.Lock() }

// Unlock ends the run and makes its counters seen.
func (o *Outbound) Unlock() {
	o.seq.Store(o.run.seq)
	o.bytes.Store(o.run.bytes)
	o.mu.Unlock()
}

// Next uses up a sequence number and returns it. It never wraps: ErrSequenceExhausted after the last (2^32-1, with ESN 2^64-1),
// ErrHardLimit past a hard limit. The caller holds the lock.
func (o *Outbound) Next() (seq uint64, err error) {
	seq = o.run.seq
	if seq >= o.last() {
		return 0, ErrSequenceExhausted
	}
	l := &o.config.Lifetime
	if o.marks.Load()&dead != 0 || reached(o.run.bytes, l.HardBytes) || reached(seq, l.HardPackets) {
		return 0, ErrHardLimit
	}
	o.run.seq = seq + 1
	return seq + 1, nil
}

// Seal protects the payload of n bytes that lies in pkt as Sealer describes, under the next sequence number, and counts it.
// The errors are those of Next, and ErrSeal. The caller holds the lock.
func (o *Outbound) Seal(pkt []byte, hlen, n int, next uint8) error {
	seq, err := o.Next()
	if err != nil {
		return err
	}
	return o.sealed(o.config.Sealer.Seal(pkt, hlen, n, next, seq), n)
}

// SealFrom is Seal for a payload that lies in src[:n]; pkt[:hlen] is the IP header. What lies in src behind the payload, as far as its capacity
// goes, is used meanwhile, and then as it was. The caller holds the lock.
func (o *Outbound) SealFrom(pkt []byte, hlen int, src []byte, n int, next uint8) error {
	if o.direct == nil || cap(src)-n < int(o.trailer) {
		copy(pkt[hlen+o.config.Sealer.Head():], src[:n])
		return o.Seal(pkt, hlen, n, next)
	}
	seq, err := o.Next()
	if err != nil {
		return err
	}
	return o.sealed(o.direct.SealFrom(pkt, hlen, src, n, next, seq), n)
}

// sealed counts a packet with n bytes of payload, and a sequence number that was wasted if err says so.
func (o *Outbound) sealed(err error, n int) error {
	if err != nil {
		o.seq.Store(o.run.seq) // not after wasted, which is taken off it
		o.wasted.Add(1)
		return ErrSeal
	}
	o.run.bytes += uint64(n)
	return nil
}

// Config returns what the SA was made from; it must not be changed.
func (o *Outbound) Config() *OutboundConfig { return &o.config }

// Remote returns where packets are sent to now.
func (o *Outbound) Remote() netip.AddrPort { return *o.remote.Load() }

// SetRemote moves the peer's end, after its NAT gave it another port or address.
func (o *Outbound) SetRemote(peer netip.AddrPort) { o.remote.Store(&peer) }

// Check says where the SA stands at now. Past the hard limit it also ends the SA: Next will refuse. Call it before each run of packets,
// for the lifetime in seconds is looked at here only (an SA may have expired while the host slept). It is also how the SA learns when it was last used.
func (o *Outbound) Check(now time.Time) State {
	age := o.created.until(now)
	seq := o.seq.Load()
	if o.seen.Swap(seq) != seq {
		o.used.Store(int64(age))
	}
	state := o.config.Lifetime.state(age, o.bytes.Load(), seq)
	if seq >= o.last() {
		state = Hard
	}
	if state == Hard {
		o.marks.Or(dead)
	}
	return state
}

// SoftOnce returns true the first time it is called, so that a successor is asked for once.
func (o *Outbound) SoftOnce() bool {
	return o.marks.Load()&renewed == 0 && o.marks.Or(renewed)&renewed == 0
}

// Rearm lets SoftOnce return true once more, after an attempt to make a successor failed.
func (o *Outbound) Rearm() { o.marks.And(^uint32(renewed)) }

// SetPMTU lowers the path MTU (bytes of outer packet) to mtu, but not below 576 (IPv4) or 1280 (IPv6), and reports whether that changed it.
// The caller has made sure that the message quotes a packet of this SA (see Sent).
func (o *Outbound) SetPMTU(now time.Time, mtu int) bool {
	return o.pmtu.set(now, mtu, o.Remote().Addr())
}

// PMTU returns the learned path MTU in bytes, or 0. It is forgotten ten minutes after it was learned (RFC 4301 §8.2.2).
func (o *Outbound) PMTU(now time.Time) int { return o.pmtu.get(now) }

// Sent reports whether the low half of a sequence number that an ICMP message quotes is one that this SA used lately, that is among its last
// 65536: a forger who has not seen the packets does not know it (RFC 4301 §6.1).
func (o *Outbound) Sent(low uint32) bool {
	seq := o.seq.Load()
	behind := uint32(seq) - low
	return behind < 65536 && uint64(behind) < seq-o.config.FirstSequence
}

// Format prints the SA without its keys, whatever the verb.
func (o *Outbound) Format(s fmt.State, _ rune) {
	formatSA(s, "outbound", o.config.Protocol, o.config.SPI)
}
