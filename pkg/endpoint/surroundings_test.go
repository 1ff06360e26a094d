package endpoint

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/policy"
)

// A server counts at once, and for three seconds after it was named last.
func TestServersLinger(t *testing.T) {
	a, b := netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.1")
	f, start := follower{}, time.Unix(1000, 0)
	for _, step := range []struct {
		after time.Duration
		said  []netip.Addr
		want  string
	}{
		{0, []netip.Addr{a}, "[192.0.2.2]"},
		{time.Second, []netip.Addr{b, a}, "[192.0.2.1 192.0.2.2]"},
		{2 * time.Second, nil, "[192.0.2.1 192.0.2.2]"}, // the file is being written anew
		{3 * time.Second, []netip.Addr{b}, "[192.0.2.1 192.0.2.2]"},
		{4 * time.Second, []netip.Addr{b}, "[192.0.2.1]"}, // the other was named last at one second
		{6 * time.Second, nil, "[192.0.2.1]"},
		{7 * time.Second, nil, "[]"},
	} {
		got := f.merge(start.Add(step.after), map[policy.AddrKind][]netip.Addr{policy.LiveDNS: step.said})
		if s := fmt.Sprint(got[policy.LiveDNS]); s != step.want {
			t.Errorf("after %v: %s, want %s", step.after, s, step.want)
		}
	}
}

// moving is a host whose surroundings a test changes.
type moving struct {
	host
	now     policy.LocalHost
	applied int
	looked  int
}

func (h *moving) look(*policy.Policy, bool) policy.LocalHost {
	h.looked++
	l := h.now
	l.Live = map[policy.AddrKind][]netip.Addr{policy.LiveDNS: h.now.Live[policy.LiveDNS]}
	return l
}

func (h *moving) apply(c *policy.Compiled, dynamic []*policy.QuickModeFilter) error {
	h.applied++
	return h.host.apply(c, dynamic)
}

// The filters of a live keyword follow the servers within a tick, and a change that means nothing expands nothing.
func TestPolicyFollowsTheServers(t *testing.T) {
	e := join(t, strings.Replace(ikePolicy(1, 2, defaultIKE), "rules:", "rules:\n  - {name: names, action: block, filters: [10.1.0.1 -> dns udp any 53]}", 1), ikePolicy(2, 1, defaultIKE))
	h := &moving{}
	e.a.on(t, func(time.Time) {
		h.host, e.a.Endpoint.host = e.a.Endpoint.host, h
		h.now = policy.LocalHost{Addresses: []netip.Addr{outerA, netip.MustParseAddr("10.1.0.1")}}
	})
	if s := e.a.Status(); !strings.Contains(strings.Join(s.Warnings, "\n"), "dns stands for no address now") {
		t.Errorf("status does not say that a keyword is empty: %v", s.Warnings)
	}
	carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
	child := e.a.Status().Children[0].ID
	decides := func(server string) string {
		x, err := e.a.Explain(Question{Src: netip.MustParseAddr("10.1.0.1"), Dst: netip.MustParseAddr(server), Proto: 17, ProtoGiven: true, SrcPort: 1, DstPort: 53, PortsGiven: true})
		if err != nil {
			t.Fatal(err)
		}
		return x.Rule
	}
	for _, server := range []string{"203.0.113.1", "203.0.113.2"} {
		e.a.on(t, func(time.Time) {
			h.now.Live = map[policy.AddrKind][]netip.Addr{policy.LiveDNS: {netip.MustParseAddr(server)}}
		})
		eventually(t, func() bool { return decides(server) == "names" })
	}
	eventually(t, func() bool { return decides("203.0.113.1") == "" })
	s := e.a.Status()
	if fmt.Sprint(s.Live["dns"]) != "[203.0.113.2]" || len(s.Warnings) != 0 {
		t.Errorf("status: %v, %v", s.Live, s.Warnings)
	}
	if len(s.Children) != 1 || s.Children[0].ID != child {
		t.Error("an SA that has nothing to do with it is gone")
	}
	// Nothing has changed: the firewall and the routes are gone over, and nothing is expanded.
	e.a.on(t, func(now time.Time) {
		compiled, applied := e.a.compiled, h.applied
		if !e.a.addressesChanged(now) || e.a.compiled != compiled || h.applied != applied+1 {
			t.Error("a change of nothing was expanded, or not gone over")
		}
		h.now.Addresses = append(h.now.Addresses, netip.MustParseAddr("10.1.0.77"))
		if !e.a.addressesChanged(now) || e.a.compiled == compiled {
			t.Error("a new address was not followed")
		}
	})
	// A policy without live keywords does not ask every second.
	e.a.setText(ikePolicy(1, 2, defaultIKE))
	if _, err := e.a.Reload(); err != nil {
		t.Fatal(err)
	}
	e.a.on(t, func(now time.Time) {
		looked := h.looked
		e.a.housekeeping(now)
		if h.looked != looked || e.a.usesLive {
			t.Error("the host is asked for what no rule needs")
		}
	})
}
