package ike

import (
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// responding is a world in which host 1 has no rule but the default response rule.
func responding(t *testing.T, change func(a, b *settings)) *world {
	a, b := defaults(), defaults()
	b.respond = true
	if change != nil {
		change(&a, &b)
	}
	return newWorld(t, a, b)
}

// TestP19DefaultResponseAnswersOnlyWhereItIsActivated: without it nobody whom no rule covers gets an answer; with it everybody does, and gets an SA for exactly what he asked for.
func TestP19DefaultResponseAnswersOnlyWhereItIsActivated(t *testing.T) {
	w := responding(t, nil)
	w.want(0)
	w.run(time.Minute)
	w.agree(1)
	for _, c := range w.hosts[1].children {
		want := isakmp.Selector{Src: classifier.HostRange(addrB), Dst: classifier.HostRange(addrA)}
		if !c.Dynamic || c.Selector != want || c.Mode != suite.Transport || c.Rule != "r" {
			t.Errorf("%+v", c)
		}
	}
	for _, c := range w.hosts[0].children {
		if c.Dynamic {
			t.Error("the initiator's own filter is called dynamic")
		}
	}
	w = responding(t, nil)
	none, err := policy.Compile(&policy.Policy{Name: "none"}, w.hosts[1].compiled.Host.Addresses)
	if err != nil {
		t.Fatal(err)
	}
	w.hosts[1].e.SetPolicy(w.now, none)
	sent := 0
	w.fate = func(_, from int, _ isakmp.Datagram) []time.Duration {
		sent += from
		return []time.Duration{time.Millisecond}
	}
	w.want(0)
	w.run(2 * time.Minute)
	if sent != 0 || len(w.hosts[0].children) != 0 || w.hosts[1].e.Stats().Uncovered == 0 {
		t.Errorf("%d answers without the default response rule", sent)
	}
}

// TestDefaultResponseIsNeverWiderThanTwoHosts: a network, or a tunnel, is refused.
func TestDefaultResponseIsNeverWiderThanTwoHosts(t *testing.T) {
	w := responding(t, func(a, _ *settings) { a.tunnel = true })
	w.want(0)
	w.run(2 * time.Minute)
	if len(w.hosts[1].children)+len(w.hosts[1].ready) != 0 {
		t.Error("a child came up")
	}
	if f := w.hosts[0].failed; len(f) == 0 || !f[0].Failure.Answered {
		t.Errorf("%+v", f)
	}
}

// TestDefaultResponseFiltersArePortsAndCapped: each port that is asked for is a filter of its own, and there are 16 for a peer at most.
func TestDefaultResponseFiltersArePortsAndCapped(t *testing.T) {
	var ports []uint16
	for p := range uint16(20) {
		ports = append(ports, 1000+p)
	}
	w := responding(t, func(a, _ *settings) { a.ports = ports })
	h := w.hosts[0]
	for _, f := range h.compiled.Outbound {
		key := packet.Key{Src: addrA, Dst: addrB, Proto: 6, DstPort: f.Filter.DstPorts.From, Flags: packet.ProtoKnown | packet.PortsKnown}
		h.e.Acquire(w.now, f, key, addrA, addrB)
		w.run(2 * time.Second)
	}
	w.run(2 * time.Minute)
	filters := map[string]bool{}
	for _, c := range w.hosts[1].children {
		filters[c.Filter] = true
		if s := c.Selector; s.Proto != 6 || !s.SrcPorts.Given || s.SrcPorts.From != s.SrcPorts.To || s.DstPorts.Given {
			t.Errorf("%+v", s)
		}
	}
	if len(filters) != 16 {
		t.Errorf("%d dynamic filters", len(filters))
	}
	// A renewal of one of them needs no room.
	for _, c := range h.children {
		if err := h.e.Rekey(w.now, c.ID); err != nil {
			t.Fatal(err)
		}
		break
	}
	failed := len(h.failed)
	w.run(10 * time.Second)
	if len(h.failed) != failed {
		t.Errorf("a renewal failed: %+v", h.failed[failed:])
	}
}

// TestDefaultResponseRenewsAndReloads: both ends renew the SAs of a dynamic filter; a policy that has the same default response rule keeps them, another does not.
func TestDefaultResponseRenewsAndReloads(t *testing.T) {
	w := responding(t, nil)
	w.want(0)
	w.run(time.Minute)
	for n := range 2 {
		for id := range w.hosts[n].children {
			if err := w.hosts[n].e.Rekey(w.now, id); err != nil {
				t.Fatal(err)
			}
			break
		}
		w.run(3 * time.Minute)
		w.agree(1)
		if len(w.hosts[1].children) != 1 {
			t.Errorf("%d children after the renewal by host %d", len(w.hosts[1].children), n)
		}
	}
	same := compile(t, settings{psk: defaults().psk, methods: defaults().methods, main: defaults().main, respond: true}, addrB, addrA, 1)
	w.hosts[1].e.SetPolicy(w.now, same)
	w.run(time.Second)
	w.agree(1)
	blocks := *same.Policy
	blocks.Rules = []*policy.Rule{{Name: "closed", Action: policy.FilterAction{Kind: policy.Block}, Filters: []policy.GenericFilter{
		{Src: policy.AddrSpec{Kind: policy.Any}, Dst: policy.AddrSpec{Kind: policy.Any}, Mirrored: true}}}}
	blocked, err := policy.Compile(&blocks, same.Host.Addresses)
	if err != nil {
		t.Fatal(err)
	}
	w.hosts[1].e.SetPolicy(w.now, blocked)
	w.run(time.Second)
	if len(w.hosts[1].children) != 0 {
		t.Error("the SA stays although a filter of the policy decides now")
	}
	w = responding(t, nil)
	w.want(0)
	w.run(time.Minute)
	w.hosts[1].e.SetPolicy(w.now, compile(t, settings{psk: "another pre-shared key for tests", methods: defaults().methods, main: defaults().main, respond: true}, addrB, addrA, 1))
	w.run(time.Second)
	if len(w.hosts[1].children)+len(w.hosts[1].peersUp) != 0 {
		t.Error("SAs stay although the default response rule has another key")
	}
}
