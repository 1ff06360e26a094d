package endpoint

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/policy"
)

// counting is a host that counts how often it is changed.
type counting struct {
	host
	changes int
}

func (h *counting) apply(c *policy.Compiled, dynamic []*policy.QuickModeFilter) error {
	h.changes++
	return h.host.apply(c, dynamic)
}

// TestOnePeersDynamicFiltersLeaveRoomForOthers: a peer makes a child for one port after the other and deletes each. Those that linger count too, so the host is changed a few times only, and another
// peer gets its filter. After the minute the first one may have new ones.
func TestOnePeersDynamicFiltersLeaveRoomForOthers(t *testing.T) {
	e := &ends{t: t, wire: netio.NewWire(netio.WireConfig{}, time.Time{})}
	x := e.start(outerA, "10.1.0.1", "policy: p\ndefault_response: {"+testAuth+"}\n")
	greedy, modest := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")
	child := func(remote netip.Addr, port int) *isakmp.ChildSA {
		sel := classifier.Filter{Src: classifier.HostRange(outerA), Dst: classifier.HostRange(remote), Proto: 6, DstPorts: classifier.Port(uint16(port))}
		f := x.compiled.Dynamic(sel)
		if f == nil {
			t.Fatalf("no filter for %v", sel)
		}
		return &isakmp.ChildSA{Filter: f.ID, Selector: sel, Dynamic: true}
	}
	x.on(t, func(now time.Time) {
		h := &counting{host: x.Endpoint.host}
		x.Endpoint.host = h
		defer func() { x.Endpoint.host = h.host }()
		made := 0
		for port := 1; port <= 3*maxDynamicPerPeer; port++ {
			if x.respond(now, child(greedy, port)) {
				made++
			}
			x.keepDynamic(now) // its child is gone already
			now = now.Add(dynamicLinger / 1000)
		}
		if made != maxDynamicPerPeer || h.changes != made {
			t.Errorf("%d filters, %d changes", made, h.changes)
		}
		if !x.respond(now, child(greedy, 1)) {
			t.Error("a filter that is there is refused")
		}
		if !x.respond(now, child(modest, 1)) {
			t.Error("another peer has no filter")
		}
		now = now.Add(dynamicLinger)
		x.keepDynamic(now)
		x.keepDynamic(now.Add(dynamicLinger))
		if !x.respond(now, child(greedy, 3*maxDynamicPerPeer)) {
			t.Error("the peer has no new filter after the minute")
		}
	})
	if !strings.Contains(x.log.String(), "a peer has as many dynamic filters as one may have") {
		t.Error("nothing is said of it")
	}
}
