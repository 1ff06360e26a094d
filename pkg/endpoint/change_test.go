package endpoint

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/sa"
)

// stubborn is a host that refuses some changes.
type stubborn struct {
	host
	refuse  int
	applied []*policy.Compiled
}

func (h *stubborn) apply(c *policy.Compiled, dynamic []*policy.QuickModeFilter) error {
	h.applied = append(h.applied, c)
	if h.refuse--; h.refuse >= 0 {
		return errors.New("the kernel says no")
	}
	return nil
}

// on runs f on an endpoint's own goroutine.
func (x *end) on(t *testing.T, f func(now time.Time)) {
	t.Helper()
	if err := x.do(f); err != nil {
		t.Fatal(err)
	}
}

// A reload that the host refuses halfway is taken back, and SAs live on under the old policy.
func TestReloadThatTheHostRefusesIsTakenBack(t *testing.T) {
	e := ikePair(t)
	carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
	h := &stubborn{refuse: 1}
	var old *policy.Compiled
	e.a.on(t, func(time.Time) { h.host, e.a.Endpoint.host, old = e.a.Endpoint.host, h, e.a.compiled })
	e.a.setText(strings.Replace(e.a.text, "10.2.0.0/24", "10.2.0.0/16", 1))
	if _, err := e.a.Reload(); err == nil || !strings.Contains(err.Error(), "the kernel says no") {
		t.Fatalf("%v", err)
	}
	e.a.on(t, func(time.Time) {
		if e.a.compiled != old || len(h.applied) != 2 || h.applied[1] != old {
			t.Error("the old policy was not put back")
		}
	})
	if s := e.a.Status(); !strings.HasPrefix(s.LastReload, "refused") || len(s.Children) != 1 {
		t.Errorf("%q, %d children", s.LastReload, len(s.Children))
	}
	carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
}

// A change of addresses that cannot be followed at once is followed as soon as it can be.
func TestAddressesAreFollowedOnceTheHostLetsIt(t *testing.T) {
	e := ikePair(t)
	h := &stubborn{refuse: 2} // the change, and taking it back
	e.a.on(t, func(now time.Time) {
		h.host, e.a.Endpoint.host = e.a.Endpoint.host, h
		if e.a.addressesChanged(now) || !e.a.behind {
			t.Error("the refusal went unnoticed")
		}
	})
	eventually(t, func() (follows bool) {
		e.a.on(t, func(time.Time) { follows = !e.a.behind && len(h.applied) == 3 })
		return follows
	})
	if !strings.Contains(e.a.log.String(), "follows the host's addresses again") {
		t.Error("nothing is said of it")
	}
}

// A manual rule whose SPI is taken leaves the rest in force, and the report says so.
func TestReloadThatCanOnlyBePartlyApplied(t *testing.T) {
	e := manualPair(t)
	e.a.on(t, func(now time.Time) {
		taken := sa.NewInbound(sa.InboundConfig{SPI: 0x3001, Protocol: 50}, now)
		if err := e.a.db.InstallManual(taken); err != nil {
			t.Fatal(err)
		}
	})
	e.a.setText(strings.Replace(e.a.text, "0x2001", "0x3001", 1))
	if _, err := e.a.Reload(); !errors.Is(err, errPartly) {
		t.Fatalf("%v", err)
	}
	if s := e.a.Status(); !strings.HasPrefix(s.LastReload, "applied in part") || len(s.Children) != 0 {
		t.Errorf("%q, %d children", s.LastReload, len(s.Children))
	}
}

// Nobody who has stopped waiting is remembered.
func TestWaitersThatGaveUpAreForgotten(t *testing.T) {
	e := join(t, ikePolicy(1, 2, defaultIKE), strings.Replace(ikePolicy(2, 1, defaultIKE), "192.0.2.1}", "192.0.2.9}", 1)) // the peer knows nothing of us
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := e.a.Connect(ctx, "to-2"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v", err)
	}
	e.a.on(t, func(time.Time) {
		if n := len(e.a.waiters); n != 0 {
			t.Errorf("%d waiters are left", n)
		}
	})
}

// A peer answers to where it was called from, so that the source is one that the endpoint listens on.
func TestSourceIsListenedOn(t *testing.T) {
	a := func(s string) netip.Addr { return netip.MustParseAddr(s) }
	for _, c := range []struct {
		listen               []netip.Addr
		remote, source, want string
	}{
		{nil, "203.0.113.1", "192.0.2.1", "192.0.2.1"},
		{[]netip.Addr{a("2001:db8::5"), a("192.0.2.5")}, "203.0.113.1", "192.0.2.1", "192.0.2.5"},
		{[]netip.Addr{a("192.0.2.5"), a("192.0.2.1")}, "203.0.113.1", "192.0.2.1", "192.0.2.1"},
		{[]netip.Addr{a("0.0.0.0")}, "203.0.113.1", "192.0.2.1", "192.0.2.1"},
	} {
		if got, err := listening(c.listen, a(c.remote), a(c.source), nil); err != nil || got != a(c.want) {
			t.Errorf("%v: %v, %v", c, got, err)
		}
	}
	if _, err := listening([]netip.Addr{a("192.0.2.5")}, a("2001:db8::1"), a("2001:db8::2"), nil); err == nil {
		t.Error("a family that is not listened on has a source")
	}
}
