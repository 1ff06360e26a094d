package dataplane

import (
	"time"

	"github.com/goipsec/goipsec/pkg/suite"
)

// InnerMTU is the largest datagram, in bytes and without options or extension headers, that b carries whole at now: what is left of the path's MTU as far
// as that is known.
func (b *Bundle) InnerMTU(now time.Time) int {
	mtu, ip := int(b.MTU), ipHeaderLen(b.Outer.Remote.Addr())
	if m := b.outermost().PMTU(now); m > 0 && m < mtu {
		mtu = m
	}
	switch {
	case b.Mode == suite.Tunnel && b.inUDP():
		return b.maxPayload(mtu, 0)
	case b.Mode == suite.Tunnel:
		return b.maxPayload(mtu, ip)
	case b.inUDP():
		return b.maxPayload(mtu, 0) + ip
	}
	return b.maxPayload(mtu, ip) + ip
}
