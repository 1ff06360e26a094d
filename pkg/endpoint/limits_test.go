package endpoint

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/dataplane"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// The prefixes of a range make it up exactly, and there are no fewer.
func TestPrefixesOfARange(t *testing.T) {
	a := netip.MustParseAddr
	for _, c := range []struct{ from, to, want string }{
		{"10.0.0.0", "10.0.0.255", "10.0.0.0/24"},
		{"10.0.0.1", "10.0.0.6", "10.0.0.1/32 10.0.0.2/31 10.0.0.4/31 10.0.0.6/32"},
		{"0.0.0.1", "255.255.255.255", ""},
		{"fd00::ffff", "fd00::1:0", "fd00::ffff/128 fd00::1:0/128"},
	} {
		list := prefixes(classifier.Range{From: a(c.from), To: a(c.to)})
		var text []string
		for _, p := range list {
			text = append(text, p.String())
		}
		if got := strings.Join(text, " "); c.want != "" && got != c.want {
			t.Errorf("%s to %s: %s", c.from, c.to, got)
		}
		if c.want == "" && (len(list) != 32 || list[31].String() != "128.0.0.0/1") {
			t.Errorf("%s to %s: %s", c.from, c.to, text)
		}
	}
}

// buildChild makes what each kind of protocol needs, ties the ESP of a bundle to its AH, and refuses keys that do not fit.
func TestBuildChildOfEveryKind(t *testing.T) {
	key := make([]byte, 36)
	esp := isakmp.ProtocolKeys{Protocol: suite.ESP, SPIIn: 0x1000, SPIOut: 0x2000, Encr: suite.AESGCM16, KeyBits: 128, EncrIn: key[:20], EncrOut: key[:20]}
	ah := isakmp.ProtocolKeys{Protocol: suite.AH, SPIIn: 0x1001, SPIOut: 0x2001, Integ: suite.HMACSHA256_128, IntegIn: key[:32], IntegOut: key[:32]}
	local, remote := netip.MustParseAddrPort("192.0.2.1:0"), netip.MustParseAddrPort("192.0.2.2:0")
	build := func(ks ...isakmp.ProtocolKeys) (*child, error) {
		return buildChild(&isakmp.ChildSA{ID: 7, Local: local, Remote: remote, Protocols: ks, Seconds: 3600}, &policy.Rule{}, 1500, time.Now())
	}
	c, err := build(esp, ah)
	if err != nil || c.in[0].Config().Under != c.in[1] || !c.in[1].Config().Bundled || c.bundle.Outer != c.bundle.AH.Config() || c.outermost() != c.bundle.AH {
		t.Fatalf("the bundle: %v", err)
	}
	if life := c.in[0].Config().Lifetime; life.SoftTime != 0 || life.HardTime != time.Hour {
		t.Errorf("%+v", life)
	}
	if c, err = build(ah); err != nil || c.in[0].Config().Bundled || c.bundle.ESP != nil {
		t.Errorf("AH alone: %v", err)
	}
	short := func(k isakmp.ProtocolKeys) []isakmp.ProtocolKeys {
		in, out := k, k
		in.EncrIn, in.IntegIn = nil, nil
		out.EncrOut, out.IntegOut = nil, nil
		return []isakmp.ProtocolKeys{in, out}
	}
	for _, bad := range slices.Concat(short(esp), short(ah), []isakmp.ProtocolKeys{{Protocol: 99}}) {
		if _, err := build(bad); err == nil {
			t.Errorf("%v was built", bad.Protocol)
		}
	}
	if _, err := build(); err == nil {
		t.Error("a child without a protocol was built")
	}
}

// What cannot be used is deleted, and said: manual keys that are used up, a child that has no rule or no place.
func TestWhatCannotBeUsedIsSaid(t *testing.T) {
	e := manualPair(t)
	id := e.a.Status().Children[0].ID
	e.a.on(t, func(now time.Time) {
		e.a.planeEvent(now, dataplane.Event{Kind: dataplane.Expired, Child: id})
		e.a.planeEvent(now, dataplane.Event{Kind: dataplane.Expired, Child: 12345})
		e.a.planeEvent(now, dataplane.Event{Kind: dataplane.Expiring, Child: id})
		e.a.planeEvent(now, dataplane.Event{Kind: dataplane.DeviceChanged})
		f := e.a.compiled.Outbound[0]
		e.a.planeEvent(now, dataplane.Event{Kind: dataplane.Acquire, Filter: f, Pair: dataplane.Pair{}})
		w := &waiter{filters: map[string]bool{"gone": true}, result: make(chan error, 1)}
		e.a.waiters = append(e.a.waiters, w)
		e.a.childUp(now, &isakmp.ChildSA{ID: 77, Filter: "gone", Rule: "gone"})
		if err := <-w.result; err == nil || e.a.children[77] != nil {
			t.Error("a child without a rule is used")
		}
		w = &waiter{filters: map[string]bool{f.ID: true}, result: make(chan error, 1)}
		e.a.waiters = append(e.a.waiters, w)
		e.a.childUp(now, &isakmp.ChildSA{ID: 78, Filter: f.ID, Rule: f.Rule.Name, Protocols: []isakmp.ProtocolKeys{{Protocol: suite.ESP}}})
		if err := <-w.result; err == nil || e.a.children[78] != nil {
			t.Error("a child without keys is used")
		}
	})
	s := e.a.Status()
	if len(s.Failures) != 2 || !strings.Contains(s.Failures[1].What, "used up") || !strings.Contains(s.Failures[0].What, "could not be installed") {
		t.Errorf("%+v", s.Failures)
	}
	if len(s.Children) != 1 {
		t.Errorf("%d children", len(s.Children))
	}
}
