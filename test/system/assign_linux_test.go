package system

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/test/interop/lab"
)

// named is one policy of a file that has several.
func named(name string, rules ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  - name: %s\n    rules:\n", name)
	for line := range strings.Lines(strings.Join(rules, "")) {
		b.WriteString("    " + line)
	}
	return b.String()
}

// TestPoliciesAreAssignedUnderTraffic changes the policy of a running endpoint while UDP flows between two hosts that protect it: what two policies have in common goes on
// without a gap, what one blocks stops, and no packet of what is protected leaves in clear, until no policy is assigned, and again from the moment on in which one is.
func TestPoliciesAreAssignedUnderTraffic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	peer := rule("peer", "me <-> 10.1.0.2", "", quickDPD)
	text := "assign: work\npolicies:\n" + named("work", peer) +
		named("more", peer, "  - {name: far, action: block, filters: [me <-> 10.9.0.0/16]}\n") +
		named("closed", "  - {name: closed, action: block, filters: [me <-> 10.1.0.2]}\n")
	gb := w.Goipsec(w.b, hosts("10.1.0.0/24"))
	ga := w.Goipsec(w.a, text)
	w.pingable(w.a, "10.1.0.1", "10.1.0.2", ga)
	wire := w.b.Capture("eth0")
	s := w.stream(w.a, "10.1.0.1", w.b, "10.1.0.2", 5, 1000)
	s.flowing(10 * time.Second)
	from, spi := s.mark(), newest(t, ga).Protocols[0].SPIIn
	for n := range 10 {
		name := []string{"more", "work"}[n%2]
		ga.Must("policy assign " + name)
		if p := ga.Status().Policy; p.Name != name || p.ByCommand != (name == "more") {
			t.Errorf("%q was assigned, and in force is %+v", name, p)
		}
	}
	if gap := s.gapsSoFar(from); gap != "" {
		t.Errorf("what both policies have in common was disturbed: %s", gap)
	}
	if now := newest(t, ga).Protocols[0].SPIIn; now != spi {
		t.Errorf("the SA %08x was replaced by %08x", spi, now)
	}
	if said, err := ga.Command("policy assign wrok"); err == nil || !strings.Contains(said, `it holds "work", "more", "closed"`) {
		t.Errorf("a policy that there is not: %v\n%s", err, said)
	}

	ga.Must("policy assign closed")
	before := s.mark()
	w.Until(10*time.Second, "the SAs to be gone at both ends", func() (bool, string) {
		return len(ga.Status().Children)+len(gb.Status().Children) == 0 || ga.Status().Drops["blocked"] > 100, ga.Must("sa list") + gb.Must("sa list")
	})
	ga.Must("reload") // the choice holds
	if p := ga.Status().Policy; p.Name != "closed" {
		t.Errorf("after a reload %+v is in force", p)
	}
	s.mu.Lock()
	if s.last >= before+10*burst {
		t.Errorf("datagram %d arrived, and from %d on they were blocked", s.last, before)
	}
	s.mu.Unlock()
	ga.Must("policy assign work")
	s.flowing(20 * time.Second)
	w.NoClear(wire.Stop())

	wire = w.b.Capture("eth0")
	ga.Must("policy unassign")
	w.Until(10*time.Second, "clear packets, which nothing protects now", func() (bool, string) {
		return lab.Clear(wire.Frames()) != "", fmt.Sprint(lab.Kinds(wire.Frames()))
	})
	status := ga.Status()
	if !status.Policy.Unassigned || len(status.Children)+len(status.Peers) != 0 || len(status.TUN.Routes) != 0 {
		t.Errorf("after unassign: %+v, %d and %d SAs, routes %v", status.Policy, len(status.Children), len(status.Peers), status.TUN.Routes)
	}
	if text := ga.Must("status"); !strings.Contains(text, "no policy is assigned") {
		t.Errorf("status says:\n%s", text)
	}
	w.Until(20*time.Second, "the peer's negotiation to be left without an answer", func() (bool, string) {
		w.b.Ping("10.1.0.1", 1, "-W", "0.2")
		status := ga.Status()
		return status.IKE.Refused["uncovered"] > 0, fmt.Sprintf("%+v", status.IKE)
	})
	wire.Stop()
	ga.Must("policy assign work")
	wire = w.b.Capture("eth0")
	s.flowing(20 * time.Second)
	w.NoClear(wire.Stop())
	s.end()
	t.Log(s)
}

// TestHundredsOfAddressesCostNothing: a host of 500 addresses with 200 filters for me. A reload and a change of addresses take effect within seconds, and a flow
// does not notice.
func TestHundredsOfAddressesCostNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var batch, filters strings.Builder
	for n := range 500 {
		fmt.Fprintf(&batch, "addr add 172.16.%d.%d/32 dev in\n", n/250, n%250+1)
	}
	for n := range 199 {
		fmt.Fprintf(&filters, "me <-> 10.20.%d.0/24, ", n)
	}
	w.a.Run("ip -batch " + w.WriteFile("addresses", batch.String()))
	text := file(rule("peer", "me <-> 10.1.0.2", "", quickDPD), "  - {name: far, action: block, filters: ["+strings.TrimSuffix(filters.String(), ", ")+"]}\n")
	w.Goipsec(w.b, hosts("10.1.0.0/24"))
	ga := w.Goipsec(w.a, text)
	w.pingable(w.a, "10.1.0.1", "10.1.0.2", ga)
	if n := ga.Status().Policy.OutboundFilters; n < 100_000 {
		t.Fatalf("%d filters", n)
	}
	wire := w.b.Capture("eth0")
	s := w.stream(w.a, "10.1.0.1", w.b, "10.1.0.2", 5, 1000)
	s.flowing(10 * time.Second)
	from := s.mark()
	timed := func(what string, limit time.Duration, do func()) {
		watch := lab.StartWatch()
		do()
		t.Logf("%s took %.2f s", what, watch.Elapsed().Seconds())
		if watch.Elapsed() > limit {
			t.Errorf("%s took %v, more than %v", what, watch.Elapsed(), limit)
		}
	}
	timed("a reload that changes nothing", 20*time.Second, func() { ga.Must("reload") })
	ga.Write(strings.Replace(text, "10.20.7.0/24", "10.21.7.0/24", 1))
	timed("a reload with one filter changed", 20*time.Second, func() { ga.Must("reload") })
	timed("a new address", 20*time.Second, func() {
		w.a.Run("ip addr add 172.16.9.9/32 dev in")
		w.Until(30*time.Second, "the new address to be expanded", func() (bool, string) {
			x := ga.Must("policy explain -c " + ga.Policy + " 172.16.9.9 10.20.8.1")
			return ga.Status().Policy.OutboundFilters >= 200*503, x
		})
	})
	if gap := s.gaps(from); gap != "" {
		t.Errorf("the flow noticed: %s", gap)
	}
	w.NoClear(wire.Stop())
	t.Log(s)
}
