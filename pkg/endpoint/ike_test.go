package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func (e *ends) connect(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := e.a.Connect(ctx, "to-2"); err != nil {
		t.Fatal(err)
	}
}

func TestIKEKeysTrafficBothWays(t *testing.T) {
	e := ikePair(t)
	carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5") // the first packet waits for the negotiation
	for range 5 {
		carry(t, e.b, e.a, "10.2.0.5", "10.1.0.5")
		carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
	}
	for _, x := range []*end{e.a, e.b} {
		s := x.Status()
		if len(s.Peers) != 1 || len(s.Children) != 1 || len(s.Failures) != 0 {
			t.Fatalf("%d peers, %d children, failures %v", len(s.Peers), len(s.Children), s.Failures)
		}
	}
	a, b := e.a.Status().Children[0], e.b.Status().Children[0]
	if a.Protocols[0].SPIIn != b.Protocols[0].SPIOut || a.PacketsOut != 6 || b.PacketsIn != 6 || a.PacketsIn != 5 {
		t.Fatalf("%+v\n%+v", a, b)
	}
}

func TestConnectByRulePeerAndFilter(t *testing.T) {
	e := ikePair(t)
	e.connect(t)
	e.connect(t) // up already: nothing to do
	if err := e.a.Connect(t.Context(), "192.0.2.2"); err != nil {
		t.Fatal(err)
	}
	if err := e.a.Connect(t.Context(), e.a.Status().Children[0].FilterID); err != nil {
		t.Fatal(err)
	}
	if err := e.a.Connect(t.Context(), "nobody"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("%v", err)
	}
}

// F3: new keys take over while packets flow, and none is lost.
func TestRekeyLosesNothing(t *testing.T) {
	e := ikePair(t)
	e.connect(t)
	for round := range 10 {
		for _, c := range e.a.Status().Children {
			if c.State == "installed" {
				if err := e.a.Rekey(fmt.Sprint(c.ID)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if round%3 == 2 {
			for _, p := range e.b.Status().Peers {
				if err := e.b.Rekey(fmt.Sprint(p.ID)); err != nil {
					t.Fatal(err)
				}
				break
			}
		}
		for range 20 {
			carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
			carry(t, e.b, e.a, "10.2.0.5", "10.1.0.5")
		}
	}
	for _, x := range []*end{e.a, e.b} {
		for reason, n := range x.Status().Drops {
			t.Errorf("%d packets were dropped: %s", n, reason)
		}
	}
}

func TestDeleteTellsThePeer(t *testing.T) {
	e := ikePair(t)
	e.connect(t)
	if err := e.a.Delete(fmt.Sprint(e.a.Status().Children[0].ID)); err != nil {
		t.Fatal(err)
	}
	if n := len(e.a.Status().Children); n != 0 {
		t.Fatalf("%d children are left", n)
	}
	eventually(t, func() bool { return len(e.b.Status().Children) == 0 })
	carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5") // and traffic brings a new one
}

func TestStopDeletesAtThePeer(t *testing.T) {
	e := ikePair(t)
	e.connect(t)
	e.a.Stop()
	eventually(t, func() bool { s := e.b.Status(); return len(s.Children) == 0 && len(s.Peers) == 0 })
}

func TestWrongPreSharedKeyIsNamed(t *testing.T) {
	other := strings.Replace(defaultIKE, "0123456789", "9876543210", 1)
	e := join(t, ikePolicy(1, 2, defaultIKE), ikePolicy(2, 1, other))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := e.a.Connect(ctx, "to-2"); err == nil {
		t.Fatal("two different keys were accepted")
	}
	eventually(t, func() bool {
		for _, f := range append(e.b.Status().Failures, e.a.Status().Failures...) {
			if strings.Contains(f.Why+f.What, "pre-shared key") {
				return true
			}
		}
		return false
	})
}

func TestMismatchIsShownSideBySide(t *testing.T) {
	other := strings.Replace(defaultIKE, "negotiate: {}", "negotiate: {methods: [esp 3des hmac-md5-96]}", 1)
	e := join(t, ikePolicy(1, 2, defaultIKE), ikePolicy(2, 1, other))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := e.a.Connect(ctx, "to-2"); err == nil {
		t.Fatal("nothing in common, and yet an SA")
	}
	eventually(t, func() bool {
		s := e.b.Status()
		return len(s.Failures) > 0 && strings.Contains(strings.ToLower(s.Failures[0].Detail), "3des")
	})
}

func TestReloadKeepsWhatItDoesNotTouch(t *testing.T) {
	e := ikePair(t)
	e.connect(t)
	before := e.a.Status().Children[0].ID
	e.a.setText(ikePolicy(1, 2, defaultIKE) + "  - {name: more, filters: [me <-> 203.0.113.7], action: block}\n")
	if _, err := e.a.Reload(); err != nil {
		t.Fatal(err)
	}
	if s := e.a.Status(); len(s.Children) != 1 || s.Children[0].ID != before || s.Policy.Rules != 2 {
		t.Fatalf("%+v", s.Children)
	}
	carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
	e.a.setText("policy: [")
	if _, err := e.a.Reload(); !errors.Is(err, ErrPolicyFile) {
		t.Fatalf("%v", err)
	}
	carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
	e.a.setText("policy: empty\nrules:\n  - {name: more, filters: [me <-> 203.0.113.7], action: block}\n")
	if _, err := e.a.Reload(); err != nil {
		t.Fatal(err)
	}
	if n := len(e.a.Status().Children); n != 0 {
		t.Fatalf("%d children outlived their rule", n)
	}
}

func TestExplainNamesFilterAndCarrier(t *testing.T) {
	e := ikePair(t)
	e.connect(t)
	x, err := e.a.Explain(Question{Src: netip.MustParseAddr("10.1.0.9"), Dst: netip.MustParseAddr("10.2.0.9")})
	if err != nil || x.Rule != "to-2" || x.Action != "negotiate" || len(x.Carriers) != 1 {
		t.Fatalf("%+v, %v", x, err)
	}
	x, err = e.a.Explain(Question{Src: netip.MustParseAddr("10.1.0.9"), Dst: netip.MustParseAddr("8.8.8.8")})
	if err != nil || x.Action != "none" {
		t.Fatalf("%+v, %v", x, err)
	}
}

// eventually waits for what another goroutine brings about, in steps that the endpoint itself paces: each question is answered by its loop.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("it did not come to pass within 20 s")
		}
	}
}

// A gateway for peers that call from anywhere has an SA for each inner address.
func TestRoadWarriorsShareATunnelRule(t *testing.T) {
	warrior := `policy: warrior
rules:
  - name: to-2
    filters: [me -> 10.2.0.0/24]
    tunnel: {remote: 192.0.2.2, address: 10.9.0.5/32}
    encapsulation: udp
` + defaultIKE + "\n"
	gateway := `policy: gateway
rules:
  - name: warriors
    filters: [10.2.0.0/24 -> 10.9.0.0/24]
    tunnel: {local: 192.0.2.2, remote: any}
` + defaultIKE + "\n"
	e := join(t, warrior, gateway)
	carry(t, e.a, e.b, "10.9.0.5", "10.2.0.7")
	carry(t, e.b, e.a, "10.2.0.7", "10.9.0.5")
	if err := e.b.host.Send(datagram("10.2.0.7", "10.9.0.6", []byte("nobody has this address"))); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { c := e.b.plane.Counters(); return c.Held.Load() > c.Released.Load() })
	e.b.slept.Add(int64(2 * time.Minute)) // longer than anything is held
	eventually(t, func() bool { return e.b.Status().Drops["no-sa"] == 1 })
}
