package endpoint

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/netio"
)

// firewall counts how often the host's firewall is told of soft SAs, and refuses if it is told to.
type firewall struct {
	host
	told   int
	pairs  int
	refuse bool
}

func (h *firewall) soften(pairs map[string][]dataplane.Pair) error {
	h.told++
	if h.refuse {
		return errors.New("the kernel says no")
	}
	h.pairs = 0
	for _, list := range pairs {
		h.pairs += len(list)
	}
	return nil
}

// softEnd is an endpoint whose one rule falls back to clear for everybody, and its firewall.
func softEnd(t *testing.T) (*end, *firewall) {
	t.Helper()
	e := &ends{t: t, wire: netio.NewWire(netio.WireConfig{}, time.Time{})}
	e.a = e.start(outerA, "10.1.0.1", "rules:\n  - {name: all, filters: [me <-> any], negotiate: {fallback_to_clear: true}, "+testAuth+"}\n")
	h := &firewall{}
	e.a.on(t, func(time.Time) { h.host, e.a.Endpoint.host = e.a.Endpoint.host, h })
	t.Cleanup(func() { e.a.on(t, func(time.Time) { e.a.Endpoint.host = h.host }) })
	return e.a, h
}

// silence makes the event that the n-th peer gave no reply.
func (x *end) silence(n int) isakmp.Unanswered {
	remote := netip.AddrFrom4([4]byte{198, 51, byte(n >> 8), byte(n)})
	for _, f := range x.compiled.Outbound {
		if f.Filter.Src == classifier.HostRange(outerA) {
			sel := f.Filter
			sel.Dst = classifier.HostRange(remote)
			return isakmp.Unanswered{Filter: f.ID, Selector: sel, Local: outerA, Remote: remote}
		}
	}
	panic("no filter")
}

// TestManyFallBacksAreFewChangesOfTheFirewall: two hundred peers fall silent one after the other, and later speak: the firewall is told some dozens of times at most, everything is
// in force within a second, and at the end nothing is open.
func TestManyFallBacksAreFewChangesOfTheFirewall(t *testing.T) {
	x, h := softEnd(t)
	x.on(t, func(now time.Time) {
		for n := range 200 {
			x.soft.silent = append(x.soft.silent, x.silence(n))
			x.fallBack(now)
		}
		if h.told > softBurst+1 || len(x.soft.list) < softBurst {
			t.Errorf("%d changes for %d soft SAs", h.told, len(x.soft.list))
		}
		now = now.Add(softPause)
		x.keepSoft(now)
		if len(x.soft.list) != 200 || h.pairs != 200 {
			t.Errorf("after a second there are %d soft SAs, and the firewall knows %d", len(x.soft.list), h.pairs)
		}
		before := h.told
		for n := range 200 {
			ev := x.silence(n)
			x.endSoftOf(now, ev.Filter, dataplane.Pair{Local: ev.Local, Remote: ev.Remote}, "a test")
		}
		if h.told > before+1 || len(x.soft.list) != 0 {
			t.Errorf("%d changes for 200 ends; %d soft SAs are left", h.told-before, len(x.soft.list))
		}
		x.keepSoft(now.Add(softPause))
		if h.pairs != 0 {
			t.Errorf("%d pairs stand open", h.pairs)
		}
	})
}

// TestFallBackWithoutAFirewallIsNone: if the firewall cannot be told, nothing flows in clear; and the end of a soft SA is told until it is heard.
func TestFallBackWithoutAFirewallIsNone(t *testing.T) {
	x, h := softEnd(t)
	x.on(t, func(now time.Time) {
		h.refuse = true
		x.soft.silent = append(x.soft.silent, x.silence(1))
		x.fallBack(now)
		if len(x.soft.list) != 0 || len(x.failures) != 1 || x.soft.begun != 0 {
			t.Errorf("%d soft SAs, failures %+v", len(x.soft.list), x.failures)
		}
		h.refuse = false
		now = now.Add(2 * softPause)
		x.keepSoft(now)
		x.soft.silent = append(x.soft.silent, x.silence(1))
		x.fallBack(now)
		h.refuse = true
		now = now.Add(5 * time.Minute)
		x.keepSoft(now)
		if len(x.soft.list) != 0 || h.pairs != 1 {
			t.Errorf("%d soft SAs, the firewall knows %d", len(x.soft.list), h.pairs)
		}
		h.refuse = false
		x.keepSoft(now.Add(time.Second))
		if h.pairs != 0 {
			t.Error("the firewall was not told again")
		}
	})
}

// TestFallBackThatWaitsIsForgottenOnceThePeerSpeaks: between the peer's silence and the change of the firewall it may have replied.
func TestFallBackThatWaitsIsForgottenOnceThePeerSpeaks(t *testing.T) {
	x, h := softEnd(t)
	x.on(t, func(now time.Time) {
		ev := x.silence(1)
		for _, spoke := range []isakmp.Event{
			isakmp.Failed{Filter: ev.Filter, Local: netip.AddrPortFrom(ev.Local, 500), Remote: netip.AddrPortFrom(ev.Remote, 500), Failure: isakmp.Failure{What: "it said no", Answered: true}},
			isakmp.PeerUp{Peer: isakmp.PeerInfo{Local: netip.AddrPortFrom(ev.Local, 500), Remote: netip.AddrPortFrom(ev.Remote, 500)}},
		} {
			x.applyAll(now, []isakmp.Event{ev, spoke})
			if len(x.soft.list) != 0 || h.told != 0 {
				t.Errorf("%T: a soft SA was made", spoke)
			}
		}
		x.applyAll(now, []isakmp.Event{ev, isakmp.Failed{Filter: ev.Filter, Local: netip.AddrPortFrom(ev.Local, 500), Remote: netip.AddrPortFrom(ev.Remote, 500)}})
		if len(x.soft.list) != 1 {
			t.Error("a failure without an answer took the fall-back away")
		}
		// A reply, and then a failure, ends a soft SA that there is.
		x.applyAll(now, []isakmp.Event{isakmp.Failed{Filter: ev.Filter, Local: netip.AddrPortFrom(ev.Local, 500), Remote: netip.AddrPortFrom(ev.Remote, 500), Failure: isakmp.Failure{Answered: true}}})
		if len(x.soft.list) != 0 {
			t.Error("the soft SA outlives a refusal")
		}
	})
}
