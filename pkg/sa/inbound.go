package sa

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/suite"
)

// InboundConfig describes an inbound SA. It does not change while the SA lives.
type InboundConfig struct {
	SPI      uint32 // our choice, or the administrator's
	Protocol suite.Protocol
	Mode     suite.Mode
	ESN      bool
	// Bundled is set on an AH SA that ESP SAs name in Under: what it carries must be ESP.
	Bundled bool
	Opener  Opener
	// Local and Remote are the outer addresses. Ports that are not zero mean UDP encapsulation.
	// Remote is where the peer began; Inbound.Remote is where it is now.
	Local, Remote netip.AddrPort
	Lifetime      Lifetime
	// Window is the replay window in packets: 0 for 1024, else 32 to 65536. A negative one turns anti-replay off, as manual keys may need
	// (RFC 4303 §3.4.3); with ESN it cannot be off.
	Window int
	// Under is the AH SA through which this SA's packets must arrive (AH and ESP on one packet), or nil.
	Under *Inbound
	// HighestSequence is the highest number that counts as received: 0, but in tests.
	HighestSequence uint64
	Selector        classifier.Filter // as inbound packets look: Src is remote
	ID              uint64            // of the child SA
}

// Inbound is one inbound SA. The way of a packet (RFC 4303 §3.4):
//
//  1. Opener.Sequence: the shortest length, before any cryptography.
//  2. The lifetime; the 64-bit sequence number; the window, unchanged.
//  3. Opener.Open: ICV, then decryption, then padding.
//  4. The window again, now with effect; the counters.
//  5. The caller parses what is inside and asks Fits.
type Inbound struct {
	config  InboundConfig
	created instant

	mu       sync.Mutex
	run      inboundRun
	window   window
	failures uint32 // wrong ICVs in a row (for resynchronisation)
	soft     atomic.Bool

	packets, bytes, highest atomic.Uint64
	drops                   atomic.Pointer[dropCounts] // nil until there was one; made under mu
	used                    atomic.Int64               // nanoseconds after created
	remote                  atomic.Pointer[netip.AddrPort]
}

// inboundRun is what a run of packets changes, guarded by mu. Others see it when the run ends.
type inboundRun struct {
	age            time.Duration // of the SA, at the time of the run
	packets, bytes uint64
}

// dropCounts are refused packets by reason. Most SAs never have any.
type dropCounts [Reasons]atomic.Uint64

func (i *Inbound) drop(r Reason) {
	d := i.drops.Load()
	if d == nil {
		d = new(dropCounts)
		i.drops.Store(d)
	}
	d[r].Add(1)
}

// NewInbound makes an inbound SA that is born now. It is found by packets only after DB.Install.
func NewInbound(c InboundConfig, now time.Time) *Inbound {
	size := c.Window
	if size == 0 || size < 0 && c.ESN {
		size = DefaultWindow
	}
	i := &Inbound{config: c, created: instantOf(now), window: newWindow(size, c.HighestSequence)}
	i.highest.Store(c.HighestSequence)
	i.remote.Store(&i.config.Remote)
	return i
}

// Begin takes the SA for a run of packets that arrived at one time. End it.
func (i *Inbound) Begin(now time.Time) {
	i.mu.Lock()
	i.run.age = i.created.until(now)
}

// End ends a run and makes its counters seen.
func (i *Inbound) End() {
	if i.run.packets != i.packets.Load() {
		i.packets.Store(i.run.packets)
		i.bytes.Store(i.run.bytes)
		i.highest.Store(i.window.top)
		i.used.Store(int64(max(i.run.age, 1)))
	}
	i.mu.Unlock()
}

// Open is OpenNext for a run of one packet.
func (i *Inbound) Open(pkt []byte, hlen int, now time.Time) (off, n int, next uint8, fresh bool, err error) {
	i.Begin(now)
	defer i.End()
	return i.OpenNext(pkt, hlen)
}

// OpenNext authenticates and decrypts the packet whose ESP or AH header starts at pkt[hlen], in place. The payload is pkt[off:off+n], of protocol
// next. fresh says that it has the highest sequence number so far: only such a packet may move the peer's address. On error
// the packet is counted and its bytes are undefined; the errors are ErrMalformed, ErrHardLimit, ErrSequenceZero, ErrTooOld, ErrReplayed
// and ErrAuthentication. The caller has called Begin.
func (i *Inbound) OpenNext(pkt []byte, hlen int) (off, n int, next uint8, fresh bool, err error) {
	off, n, next, fresh, err = i.open(pkt, hlen)
	if err != nil {
		i.drop(ReasonOf(err))
		return 0, 0, 0, false, err
	}
	i.run.packets++
	i.run.bytes += uint64(n)
	return off, n, next, fresh, nil
}

func (i *Inbound) open(pkt []byte, hlen int) (off, n int, next uint8, fresh bool, err error) {
	low, err := i.config.Opener.Sequence(pkt, hlen)
	if err != nil {
		return 0, 0, 0, false, ErrMalformed
	}
	if i.State() == Hard {
		return 0, 0, 0, false, ErrHardLimit
	}
	seq, err := i.sequence(low)
	if err != nil {
		return 0, 0, 0, false, err
	}
	if i.resyncDue() {
		off, n, next, seq, err = i.resync(pkt, hlen, seq)
	} else {
		off, n, next, err = i.config.Opener.Open(pkt, hlen, seq)
	}
	if err != nil {
		i.failures++
		return 0, 0, 0, false, ErrAuthentication
	}
	i.failures = 0
	return off, n, next, i.accept(seq), nil
}

// State is Check within a run, at its time.
func (i *Inbound) State() State {
	return i.config.Lifetime.state(i.run.age, i.run.bytes, i.window.top)
}

// sequence returns the packet's 64-bit sequence number if the window would have it.
func (i *Inbound) sequence(low uint32) (uint64, error) {
	if i.window.off {
		return uint64(low), nil
	}
	seq := uint64(low)
	if i.config.ESN {
		var ok bool
		if seq, ok = i.window.infer(low); !ok {
			return 0, ErrTooOld
		}
	}
	return seq, i.window.check(seq)
}

// accept moves the window after the ICV was found right.
func (i *Inbound) accept(seq uint64) (fresh bool) {
	if i.window.off {
		// Deviation: without a window the edge is only a hint for NAT rebinding and for status.
		fresh = seq > i.window.top
		i.window.top = max(i.window.top, seq)
		return fresh
	}
	return i.window.accept(seq)
}

// Fits reports whether a decrypted packet is one of those the SA is for (RFC 4301 §5.2). Others must be dropped.
func (i *Inbound) Fits(k *packet.Key) bool { return i.config.Selector.Match(k) }

// Config returns what the SA was made from; it must not be changed.
func (i *Inbound) Config() *InboundConfig { return &i.config }

// Remote returns where the peer's packets come from now.
func (i *Inbound) Remote() netip.AddrPort { return *i.remote.Load() }

// SetRemote moves the peer's end, after a fresh packet came from elsewhere.
func (i *Inbound) SetRemote(peer netip.AddrPort) { i.remote.Store(&peer) }

// Check says where the SA stands at now.
func (i *Inbound) Check(now time.Time) State {
	return i.config.Lifetime.state(i.created.until(now), i.bytes.Load(), i.highest.Load())
}

// SoftOnce returns true the first time it is called, so that a successor is asked for once.
func (i *Inbound) SoftOnce() bool { return !i.soft.Load() && i.soft.CompareAndSwap(false, true) }

// Rearm lets SoftOnce return true once more, after an attempt to make a successor failed.
func (i *Inbound) Rearm() { i.soft.Store(false) }

// Format prints the SA without its keys, whatever the verb.
func (i *Inbound) Format(s fmt.State, _ rune) {
	formatSA(s, "inbound", i.config.Protocol, i.config.SPI)
}
