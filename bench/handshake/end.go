package handshake

import (
	"bytes"
	"fmt"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/ike"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
)

// end is an engine with what its owner would keep: what it reported.
type end struct {
	engine   *ike.Engine
	filter   func(peer netip.Addr) *policy.QuickModeFilter // an initiator's
	peersUp  int
	children []*isakmp.ChildSA // that came into use, in this order
}

// begin asks an initiator for an SA pair with the responder, from the n-th address.
func (e *end) begin(now time.Time, n int) {
	local := peer(n)
	e.engine.Acquire(now, e.filter(local), packet.Key{Src: local, Dst: responder}, local, responder)
}

// drain obeys all events that are ready. Those that mean that something went wrong are errors.
func (e *end) drain(send func(isakmp.Datagram)) error {
	for {
		ev, ok := e.engine.Next()
		if !ok {
			return nil
		}
		switch ev := ev.(type) {
		case isakmp.Transmit:
			send(ev.Datagram)
		case isakmp.PeerUp:
			e.peersUp++
		case isakmp.ChildUp:
			e.children = append(e.children, ev.Child)
		case isakmp.ChildDown:
			return fmt.Errorf("handshake: an SA pair is gone: %s", ev.Reason)
		case isakmp.PeerDown:
			return fmt.Errorf("handshake: a main-mode SA is gone: %s", ev.Reason)
		case isakmp.Failed:
			return fmt.Errorf("handshake: %v with %v: %s: %s", ev.Local, ev.Remote, ev.Failure.What, ev.Failure.Why)
		}
	}
}

// compare is an error if a and b, the two ends of one negotiation, do not have the same keys for what the one sends and the other takes.
func compare(a, b *isakmp.ChildSA) error {
	if len(a.Protocols) != 1 || len(b.Protocols) != 1 {
		return fmt.Errorf("handshake: SA pairs with %d and %d protocols", len(a.Protocols), len(b.Protocols))
	}
	x, y := &a.Protocols[0], &b.Protocols[0]
	switch {
	case x.Encr != y.Encr || x.Integ != y.Integ || x.KeyBits != y.KeyBits || a.Mode != b.Mode || a.Selector != b.Selector.Mirror():
		return fmt.Errorf("handshake: the ends agreed on different things")
	case x.SPIIn != y.SPIOut || x.SPIOut != y.SPIIn:
		return fmt.Errorf("handshake: the ends have different SPIs")
	case len(x.EncrIn) == 0 || !bytes.Equal(x.EncrIn, y.EncrOut) || !bytes.Equal(x.EncrOut, y.EncrIn) || bytes.Equal(x.EncrIn, x.EncrOut):
		return fmt.Errorf("handshake: the ends have different keys")
	case !bytes.Equal(x.IntegIn, y.IntegOut) || !bytes.Equal(x.IntegOut, y.IntegIn):
		return fmt.Errorf("handshake: the ends have different integrity keys")
	}
	return nil
}

// verify is an error if the two ends did not come to n main-mode SAs and n SA pairs in use, all with the same keys at both.
func verify(a, b *end, n int) error {
	if a.peersUp != n || b.peersUp != n || len(a.children) != n || len(b.children) != n {
		return fmt.Errorf("handshake: of %d negotiations %d and %d came to a main-mode SA and %d and %d to an SA pair",
			n, a.peersUp, b.peersUp, len(a.children), len(b.children))
	}
	theirs := make(map[netip.Addr]*isakmp.ChildSA, n)
	for _, c := range b.children {
		theirs[c.Remote.Addr()] = c
	}
	for _, c := range a.children {
		other := theirs[c.Local.Addr()]
		if other == nil {
			return fmt.Errorf("handshake: %v has an SA pair that the responder has not", c.Local)
		}
		delete(theirs, c.Local.Addr()) // each counts once
		if err := compare(c, other); err != nil {
			return err
		}
	}
	for _, e := range []*end{a, b} {
		if s := e.engine.Stats(); s.Panics != 0 || s.HalfOpen != 0 || s.Children != n || s.MainModes != n {
			return fmt.Errorf("handshake: %d panics, %d half-open, %d main-mode SAs, %d SA pairs at the end of %d negotiations", s.Panics, s.HalfOpen, s.MainModes, s.Children, n)
		}
	}
	return nil
}
