package system

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/diagnose"
	"github.com/goipsec/goipsec/test/interop/lab"
)

// diagnosis runs goipsec ping on a host and returns what it found. The exit code must be that of the first layer that failed.
func (w *world) diagnosis(h *lab.Host, socket, args string) diagnose.Trace {
	w.t.Helper()
	text, err := h.Try(fmt.Sprintf("%s ping --json --socket %s %s", w.Binary(), socket, args))
	var trace diagnose.Trace
	if bad := json.Unmarshal([]byte(text), &trace); bad != nil {
		w.t.Fatalf("goipsec ping %s: %v, %v\n%s", args, err, bad, text)
	}
	code := 0
	if err != nil {
		fmt.Sscanf(err.Error(), "exit status %d", &code)
	}
	if code != trace.ExitCode || len(trace.Layers) != len(diagnose.Layers) {
		w.t.Errorf("exit code %d (%v), want %d; %d layers", code, err, trace.ExitCode, len(trace.Layers))
	}
	return trace
}

// expect fails the test unless the first layer that fails is the one named ("": none), and its words hold a text.
func expect(t *testing.T, trace diagnose.Trace, layer, says string) {
	t.Helper()
	var b strings.Builder
	_ = trace.WriteText(&b)
	f := trace.FirstFailure()
	switch {
	case f == nil && layer == "":
	case f == nil || f.Name != layer:
		t.Errorf("want %q to fail first:\n%s", layer, &b)
	case !strings.Contains(f.What+"\n"+f.Why, says) || f.Next == "":
		t.Errorf("it does not say %q and what to do:\n%s", says, &b)
	}
	if f != nil && trace.ExitCode != diagnose.FirstExitCode+indexOf(f.Name) {
		t.Errorf("exit code %d for %s", trace.ExitCode, f.Name)
	}
	t.Logf("%s", &b)
}

func indexOf(layer string) int {
	for i, name := range diagnose.Layers {
		if name == layer {
			return i
		}
	}
	return -1
}

// state is how one layer stands.
func state(trace diagnose.Trace, layer string) diagnose.State {
	return trace.Layers[indexOf(layer)].State
}

const between = "10.1.0.1 <-> 10.1.0.2"

// TestPingSaysThatEveryLayerWorks for a rule, a peer, an address behind a peer, and a name; of both families and modes.
func TestPingSaysThatEveryLayerWorks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Goipsec(w.b, file(site(2), rule("hosts6", `"fd01::2 <-> fd01::1"`, ""), rule("hosts", "10.1.0.2 <-> 10.1.0.1", "")))
	ga := w.Goipsec(w.a, file(site(1), rule("hosts6", `"fd01::1 <-> fd01::2"`, ""), rule("hosts", between, "")))
	for target, inner := range map[string]string{"site": "192.168.2.1", "192.168.2.9": "192.168.2.9", "fd01::2": "fd01::2", "hosts": "10.1.0.2"} {
		trace := w.diagnosis(w.a, ga.Socket, target)
		expect(t, trace, "", "")
		if trace.Inner != inner || trace.ExitCode != 0 {
			t.Errorf("%s: echoes to %s, want %s", target, trace.Inner, inner)
		}
		for _, f := range trace.Layers {
			if f.State != diagnose.OK {
				t.Errorf("%s: %s is %s: %s", target, f.Name, f.State, f.What)
			}
		}
	}
	if text := ga.Must("ping site"); !strings.Contains(text, "every layer works") {
		t.Errorf("it says:\n%s", text)
	}
}

// TestPingNamesTheLayerThatFails makes each layer fail in turn, in a world where all the others work.
func TestPingNamesTheLayerThatFails(t *testing.T) {
	const drop = "nft add table inet t; nft add chain inet t c '{ type filter hook prerouting priority -300; }'; nft add rule inet t c "
	// Where the device takes what leaves: what comes in directly is past the network stack.
	const dropOut = "nft add table netdev t; nft add chain netdev t c '{ type filter hook egress device eth0 priority 0; }'; nft add rule netdev t c "
	peer := file(rule("hosts", "10.1.0.2 <-> 10.1.0.1", ""), site(2))
	for _, c := range []struct {
		name         string
		here, there  string // policies; "": the ordinary ones
		break_       func(w *world, ga, gb *lab.Goipsec)
		target       string
		flags        string
		layer, says  string
		also         string // a layer that must be ok all the same
		skippedAfter string
	}{
		{name: "unknown name", target: "no-such-peer.invalid", layer: diagnose.LayerResolution, says: "no rule is called", skippedAfter: diagnose.LayerRoute},
		{name: "no route", target: "198.51.100.9", layer: diagnose.LayerRoute, says: "no route to 198.51.100.9", skippedAfter: diagnose.LayerIKE},
		{name: "peer host down", target: "hosts", layer: diagnose.LayerIKE, says: "cannot be reached", also: diagnose.LayerRoute, skippedAfter: diagnose.LayerMainMode,
			break_: func(w *world, _, gb *lab.Goipsec) { gb.Stop(); w.b.Run("ip addr flush dev eth0") }},
		{name: "IKE not running", target: "hosts", layer: diagnose.LayerIKE, says: "nobody listens on UDP 500", break_: func(_ *world, _, gb *lab.Goipsec) { gb.Stop() }},
		{name: "UDP 500 dropped", target: "hosts", layer: diagnose.LayerIKE, says: "firewall drops UDP 500", skippedAfter: diagnose.LayerMainMode,
			break_: func(w *world, _, _ *lab.Goipsec) { w.b.Run(drop + "udp dport 500 drop") }},
		{name: "UDP 4500 dropped", target: "hosts", layer: diagnose.LayerNAT, says: "firewall drops UDP 4500", also: diagnose.LayerEcho,
			break_: func(w *world, _, _ *lab.Goipsec) { w.b.Run(drop + "udp dport 4500 drop") }},
		{name: "main-mode proposals", target: "hosts", layer: diagnose.LayerMainMode, says: "refused all main-mode proposals", also: diagnose.LayerIKE,
			there: "key_exchange: {methods: [aes-cbc-256 sha512 ecp521]}\n" + peer},
		{name: "pre-shared key", target: "hosts", layer: diagnose.LayerAuthentication, says: "pre-shared key", also: diagnose.LayerMainMode, skippedAfter: diagnose.LayerQuickMode,
			there: strings.ReplaceAll(peer, psk, "another key than that of the other end")},
		{name: "selectors", target: "site", layer: diagnose.LayerQuickMode, says: "INVALID-ID-INFORMATION", also: diagnose.LayerAuthentication,
			there: strings.ReplaceAll(peer, "192.168.1.0/24", "192.168.1.0/25")},
		{name: "quick-mode proposals", target: "hosts", layer: diagnose.LayerQuickMode, says: "NO-PROPOSAL-CHOSEN", also: diagnose.LayerAuthentication,
			there: file(rule("hosts", "10.1.0.2 <-> 10.1.0.1", "", "negotiate: {methods: [ah hmac-sha512-256]}"))},
		{name: "no rule", target: "10.1.0.2", layer: diagnose.LayerQuickMode, says: "no rule of the policy is about packets to 10.1.0.2", here: file(rule("other", "10.1.0.1 <-> 10.1.0.7", ""))},
		{name: "ESP dropped", target: "hosts", layer: diagnose.LayerESP, says: "drops ESP", also: diagnose.LayerQuickMode, skippedAfter: diagnose.LayerEcho,
			break_: func(w *world, _, _ *lab.Goipsec) { w.b.Run(dropOut + "ip protocol esp drop") }},
		{name: "inner echo dropped", target: "site", layer: diagnose.LayerEcho, says: "drops echoes", also: diagnose.LayerESP, skippedAfter: diagnose.LayerPath,
			break_: func(w *world, _, _ *lab.Goipsec) { w.b.Run(drop + "icmp type echo-request drop") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			here, there := file(rule("hosts", between, ""), site(1)), peer
			if c.here != "" {
				here = c.here
			}
			if c.there != "" {
				there = c.there
			}
			gb := w.Goipsec(w.b, there)
			ga := w.Goipsec(w.a, here)
			if c.break_ != nil {
				c.break_(w, ga, gb)
			}
			trace := w.diagnosis(w.a, ga.Socket, c.target+" "+c.flags)
			expect(t, trace, c.layer, c.says)
			if c.also != "" && state(trace, c.also) != diagnose.OK {
				t.Errorf("%s is %s", c.also, state(trace, c.also))
			}
			if c.skippedAfter != "" && state(trace, c.skippedAfter) != diagnose.Skipped {
				t.Errorf("%s is %s, although what it needs failed", c.skippedAfter, state(trace, c.skippedAfter))
			}
		})
	}
}

// TestPingMeasuresThePath through a router with a narrow link: with its reports all is well and the size is told; without them large packets vanish.
func TestPingMeasuresThePath(t *testing.T) {
	for _, c := range []struct{ name, block, layer string }{
		{"reported", "", ""},
		{"black hole", "nft add table inet t; nft add chain inet t c '{ type filter hook output priority 0; }'; nft add rule inet t c icmp type destination-unreachable drop", diagnose.LayerPath},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := &world{Lab: lab.New(t), t: t}
			w.a, w.b = w.quiet("a"), w.quiet("b")
			router := w.quiet("router")
			w.Link(w.a, "eth0=10.1.0.1/24", router, "west=10.1.0.254/24")
			w.Link(w.b, "eth0=10.2.0.2/24", router, "east=10.2.0.254/24")
			router.Forward()
			router.Run("ip link set east mtu 1300")
			if c.block != "" {
				router.Run(c.block)
			}
			w.a.Run("ip route add 10.2.0.0/24 via 10.1.0.254; ip addr add 192.168.1.1/32 dev lo")
			w.b.Run("ip route add 10.1.0.0/24 via 10.2.0.254; ip addr add 192.168.2.1/32 dev lo")
			w.Goipsec(w.b, "tun: {mtu: 1400}\n"+file(rule("site", "192.168.2.0/24 -> 192.168.1.0/24", "local: 10.2.0.2, remote: 10.1.0.1")))
			ga := w.Goipsec(w.a, "tun: {mtu: 1400}\n"+file(rule("site", "192.168.1.0/24 -> 192.168.2.0/24", "local: 10.1.0.1, remote: 10.2.0.2")))
			trace := w.diagnosis(w.a, ga.Socket, "site")
			expect(t, trace, c.layer, "vanishes")
			var size int
			if _, err := fmt.Sscanf(trace.Layers[indexOf(diagnose.LayerPath)].What, "packets of up to %d bytes pass", &size); err != nil || size < 1200 || size > 1300-20-8-16-2 {
				t.Errorf("%v; largest packet %d, want what ESP leaves of 1300", err, size)
			}
		})
	}
}

// TestPingWithoutAnInstance tries what can be tried, and says what cannot be told.
func TestPingWithoutAnInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Goipsec(w.b, file(rule("hosts", "10.1.0.2 <-> 10.1.0.1", "")))
	policy := w.WriteFile("policy.yaml", file(rule("hosts", between, "")))
	trace := w.diagnosis(w.a, w.Dir()+"/nobody.sock", "hosts -c "+policy)
	expect(t, trace, "", "")
	if state(trace, diagnose.LayerIKE) != diagnose.OK || state(trace, diagnose.LayerNAT) != diagnose.OK {
		t.Error("the ports were not reached")
	}
	f := trace.Layers[indexOf(diagnose.LayerMainMode)]
	if f.State != diagnose.Skipped || !strings.Contains(f.What, "no instance is running") {
		t.Errorf("%+v", f)
	}
}
