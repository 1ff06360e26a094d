package sa

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// pmtuAge is after what time a learned path MTU is forgotten and a larger one tried again (RFC 4301 §8.2.2; RFC 1191 §6.3 asks for ten minutes).
const pmtuAge = 10 * time.Minute

// Floors of the path MTU. An ICMP message can be forged: it may make packets small, never absurdly so (RFC 8200 §5 for IPv6).
const (
	minPMTU4 = 576
	minPMTU6 = 1280
)

// pathMTU is what was learned about the path of one SA. Safe for concurrent use.
type pathMTU struct{ learned atomic.Pointer[learnedMTU] }

type learnedMTU struct {
	mtu int
	at  time.Time
}

// set lowers the path MTU; a value that is not below the one in force changes nothing, for only time may raise it. It reports a change.
func (p *pathMTU) set(now time.Time, mtu int, peer netip.Addr) bool {
	floor := minPMTU4
	if peer.Is6() && !peer.Is4In6() {
		floor = minPMTU6
	}
	mtu = max(mtu, floor)
	old := p.learned.Load()
	if old != nil && now.Sub(old.at) < pmtuAge && old.mtu <= mtu {
		return false
	}
	return p.learned.CompareAndSwap(old, &learnedMTU{mtu, now})
}

// get returns the path MTU in bytes, 0 where nothing is known.
func (p *pathMTU) get(now time.Time) int {
	l := p.learned.Load()
	if l == nil || now.Sub(l.at) >= pmtuAge {
		return 0
	}
	return l.mtu
}
