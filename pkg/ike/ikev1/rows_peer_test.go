package ikev1

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Rows about a peer that has proved itself and is broken or malicious.

// TestA2Identities sends quick mode message 1 with identities of every type and shape: none but the right ones makes a child, and the SA stays.
func TestA2Identities(t *testing.T) {
	c := newCouple(t, suite.GroupNone)
	c.want(0)
	c.deliver(start, 100)
	chain := seeds(t)[0]
	ps, err := isakmp.ParsePayloads(isakmp.PayloadType(chain[1]), chain[4:], false)
	if err != nil {
		t.Fatal(err)
	}
	var base []isakmp.Payload
	for _, p := range ps {
		if p.Type != isakmp.PayloadID {
			base = append(base, p)
		}
	}
	right := isakmp.AddrID(hostA).Append(nil)
	other := isakmp.AddrID(hostB).Append(nil)
	n, id := 0, uint32(100)
	try := func(name string, ids ...[]byte) {
		list := append([]isakmp.Payload(nil), base...)
		for _, b := range ids {
			list = append(list, isakmp.Payload{Type: isakmp.PayloadID, Body: b})
		}
		body, err := isakmp.AppendPayloads(nil, list)
		if err != nil {
			t.Fatal(err)
		}
		id++
		n++
		c.inject(1, isakmp.QuickMode, id, isakmp.FirstType(list), body)
		c.deliver(start, 20)
		if len(c.m[1].children) != 1 || len(c.m[1].established) != 1 {
			t.Fatalf("%s: %d children, %d main-mode SAs", name, len(c.m[1].children), len(c.m[1].established))
		}
	}
	for kind := range 256 {
		for _, size := range []int{0, 1, 4, 8, 16, 32, 255} {
			b := append([]byte{byte(kind), 0, 0, 0}, bytes.Repeat([]byte{0xee}, size)...)
			try(fmt.Sprintf("type %d, %d bytes", kind, size), b, other)
		}
	}
	wide := []byte{4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	for name, ids := range map[string][][]byte{
		"one": {right}, "three": {right, other, other}, "swapped": {other, right}, "everything": {wide, wide},
		"start after end": {{7, 0, 0, 0, 192, 0, 2, 9, 192, 0, 2, 1}, other}, "a mask with a hole": {{4, 0, 0, 0, 192, 0, 2, 1, 255, 0, 255, 255}, other},
		"two families": {append([]byte{5, 0, 0, 0}, make([]byte, 16)...), other}, "port without protocol": {{1, 0, 1, 0xbb, 192, 0, 2, 1}, other},
		"protocols differ": {{1, 6, 0, 80, 192, 0, 2, 1}, other},
	} {
		try(name, ids...)
	}
	c.untilQuiet()
}

// TestA3DeleteThenMore: the payloads of a message are read before any has an effect, and each has it once.
func TestA3DeleteThenMore(t *testing.T) {
	c := newCouple(t, suite.GroupNone)
	c.want(0)
	c.deliver(start, 100)
	var child *child
	for _, child = range c.m[1].children {
	}
	s := c.sa(1)
	spi := be32(child.sa.Protocols[0].SPIOut)
	del := isakmp.Payload{Type: isakmp.PayloadDelete, Body: isakmp.Delete{DOI: 1, Protocol: isakmp.ProtoESP, SPIs: [][]byte{spi, spi}}.Append(nil)}
	all := isakmp.Payload{Type: isakmp.PayloadDelete, Body: isakmp.Delete{DOI: 1, Protocol: isakmp.ProtoISAKMP,
		SPIs: [][]byte{isakmp.CookieSPI(s.cookies.initiator, s.cookies.responder)}}.Append(nil)}
	note := isakmp.Payload{Type: isakmp.PayloadNotify, Body: isakmp.Notify{DOI: 1, Protocol: isakmp.ProtoESP, Type: isakmp.InvalidSPI, SPI: spi}.Append(nil)}
	send := func(id uint32, ps ...isakmp.Payload) {
		body, err := isakmp.AppendPayloads(nil, ps)
		if err != nil {
			t.Fatal(err)
		}
		c.inject(1, isakmp.Informational, id, isakmp.FirstType(ps), body)
	}
	for n, broken := range [][]byte{{}, {0, 0, 0, 1}, {0, 0, 0, 1, 3, 4, 0, 9, 1, 2, 3, 4}} {
		send(uint32(200+n), del, isakmp.Payload{Type: isakmp.PayloadDelete, Body: broken})
	}
	send(300, del, isakmp.Payload{Type: isakmp.PayloadSA, Body: []byte{1}})
	if child.gone || s.state != Established {
		t.Fatal("a deletion took effect although its message was malformed")
	}
	send(301, del, del, note, all, all, del)
	downs, peers := 0, 0
	for ev, ok := c.m[1].Next(); ok; ev, ok = c.m[1].Next() {
		switch ev.(type) {
		case isakmp.ChildDown:
			downs++
		case isakmp.PeerDown:
			peers++
		}
	}
	if downs != 1 || peers != 1 || !child.gone || len(c.m[1].established) != 0 {
		t.Errorf("%d children and %d main-mode SAs went, want one each", downs, peers)
	}
}

// TestA4TwoRekeysOfOneChild: a confused peer renews a child twice before it deletes the old one. Both ends end with one.
func TestA4TwoRekeysOfOneChild(t *testing.T) {
	for side := range 2 {
		c := newCouple(t, suite.GroupNone)
		c.want(0)
		c.deliver(start, 100)
		m := c.m[side]
		var old *child
		for _, old = range m.children {
		}
		for range 3 {
			w := &want{filter: old.filter, selector: old.sa.Selector, replaces: old.sa.ID}
			old.peer.wants = append(old.peer.wants, w)
			m.startQuickMode(start, c.sa(side), w)
		}
		c.deliver(start, 100)
		for later := time.Second; later < 3*time.Minute; later += time.Second {
			for _, m := range c.m {
				m.Advance(start.Add(later))
			}
			c.deliver(start.Add(later), 100)
		}
		for n, m := range c.m {
			if len(m.children) != 1 || c.spis[n] != 1 {
				t.Errorf("side %d: host %d has %d children, %d SPIs", side, n, len(m.children), c.spis[n])
			}
		}
		for _, a := range c.m[0].children {
			for _, b := range c.m[1].children {
				if a.sa.Protocols[0].SPIIn != b.sa.Protocols[0].SPIOut || !a.up || !b.up {
					t.Errorf("side %d: the ends keep different children", side)
				}
			}
		}
	}
}

// TestA5WiderSelectors: neither a responder nor an initiator takes selectors that are wider than its policy, first or on rekey.
func TestA5WiderSelectors(t *testing.T) {
	rng := func(from, to string) isakmp.Range {
		return isakmp.Range{From: netip.MustParseAddr(from), To: netip.MustParseAddr(to)}
	}
	wider := map[string]func(*isakmp.Selector){
		"a subnet": func(s *isakmp.Selector) { s.Src = rng("192.0.2.0", "192.0.2.255") },
		"all IPv4": func(s *isakmp.Selector) {
			s.Src, s.Dst = rng("0.0.0.0", "255.255.255.255"), rng("0.0.0.0", "255.255.255.255")
		},
		"a neighbour": func(s *isakmp.Selector) { s.Src = rng("192.0.2.1", "192.0.2.3") },
		"another":     func(s *isakmp.Selector) { s.Dst = rng("192.0.2.9", "192.0.2.9") },
	}
	for name, change := range wider {
		// The initiator asks for too much.
		c := newCouple(t, suite.GroupNone)
		c.want(0)
		c.deliver(start, 100)
		m := c.m[0]
		var old *child
		for _, old = range m.children {
		}
		w := &want{filter: old.filter, selector: old.sa.Selector, replaces: old.sa.ID}
		change(&w.selector)
		old.peer.wants = append(old.peer.wants, w)
		m.startQuickMode(start, c.sa(0), w)
		c.deliver(start, 100)
		for n, m := range c.m {
			if len(m.children) != 1 {
				t.Errorf("%s asked: host %d has %d children", name, n, len(m.children))
			}
		}
		// The responder answers with too much.
		c = newCouple(t, suite.GroupNone)
		c.want(0)
		answered := false
		c.relay(start, func(_, to int, d isakmp.Datagram) bool {
			h, _ := isakmp.ParseHeader(d.Data)
			if h.Exchange != isakmp.QuickMode || to != 0 {
				return false
			}
			answered = true
			o := c.open(to, d)
			sel := c.m[0].policy.Outbound[0].Filter
			change(&sel)
			ci, cr, err := clientIDs(sel)
			if err != nil {
				t.Fatal(err)
			}
			var ps []isakmp.Payload
			ids := [][]byte{ci.Append(nil), cr.Append(nil)}
			for _, p := range o.ps {
				if p.Type == isakmp.PayloadID {
					p.Body, ids = ids[0], ids[1:]
				}
				ps = append(ps, p)
			}
			c.m[0].Receive(start, isakmp.Datagram{Local: d.Local, Remote: d.Remote, Data: o.write(t, ps)})
			return true
		})
		if !answered || len(c.m[0].children) != 0 {
			t.Errorf("%s answered: %v, %d children", name, answered, len(c.m[0].children))
		}
		for _, ch := range c.m[1].children {
			if ch.up {
				t.Errorf("%s answered: the responder's child is up", name)
			}
		}
		c.untilQuiet()
	}
}

// TestD16IKEFollowsOnlyFreshMessagesOfAPeerBehindNAT: replays and peers that are behind no NAT move nothing.
func TestD16IKEFollowsOnlyFreshMessagesOfAPeerBehindNAT(t *testing.T) {
	home, attacker := netip.AddrPortFrom(hostA, 500), netip.MustParseAddrPort("192.0.2.1:6666")
	for name, nat := range map[string]natState{"none": {}, "ours": {local: true}, "forced by us": {forced: true}, "theirs": {remote: true}} {
		c := newCouple(t, suite.GroupNone)
		c.want(0)
		c.deliver(start, 100)
		s := c.sa(1)
		s.nat = nat
		ask := func(id, seq uint32, from netip.AddrPort) {
			n := isakmp.Notify{DOI: 1, Protocol: isakmp.ProtoISAKMP, Type: isakmp.DPDRequest, SPI: isakmp.CookieSPI(s.cookies.initiator, s.cookies.responder), Data: be32(seq)}
			ps := []isakmp.Payload{{Type: isakmp.PayloadHash, Body: make([]byte, s.suite.hash.Size())}, {Type: isakmp.PayloadNotify, Body: n.Append(nil)}}
			o := opened{h: isakmp.Header{InitiatorCookie: s.cookies.initiator, ResponderCookie: s.cookies.responder, Version: isakmp.Version1,
				Exchange: isakmp.Informational, Flags: isakmp.FlagEncryption, MessageID: id}, s: s, iv: s.firstIV(id)}
			c.m[1].Receive(start, isakmp.Datagram{Local: s.local, Remote: from, Data: o.write(t, ps)})
		}
		ask(900, 1, home)
		ask(900, 1, attacker) // a replay
		if s.remote != home {
			t.Errorf("NAT %s: a replay moved the peer to %v", name, s.remote)
		}
		c.m[1].Receive(start, isakmp.Datagram{Local: s.local, Remote: attacker, Data: make([]byte, 200)})
		ask(901, 2, attacker) // fresh
		want := home
		if nat.remote {
			want = attacker
		}
		if s.remote != want {
			t.Errorf("NAT %s: after a fresh message from another port the peer is at %v", name, s.remote)
		}
	}
}

// TestD18UnknownSPIsAreToldSparingly: a flood of packets with SPIs that are not there draws one protected message a second and no state.
func TestD18UnknownSPIsAreToldSparingly(t *testing.T) {
	c := newCouple(t, suite.GroupNone)
	c.want(0)
	c.deliver(start, 100)
	m, sent := c.m[1], 0
	used := len(c.sa(1).usedIDs)
	for i := range 100_000 {
		m.UnknownSPI(start.Add(time.Duration(i)*100*time.Microsecond), hostB, netip.AddrPortFrom(hostA, 500), suite.ESP, uint32(i))
		m.UnknownSPI(start, hostB, netip.MustParseAddrPort("203.0.113.5:500"), suite.ESP, uint32(i)) // of a stranger
		for ev, ok := m.Next(); ok; ev, ok = m.Next() {
			if tx, ok := ev.(isakmp.Transmit); ok {
				sent++
				if h, _ := isakmp.ParseHeader(tx.Data); h.Flags&isakmp.FlagEncryption == 0 {
					t.Fatal("it was told in the clear")
				}
			}
		}
	}
	if sent < 9 || sent > 11 || len(c.sa(1).usedIDs) != used+sent || len(m.peers) != 1 {
		t.Errorf("%d messages in ten seconds, %d peers", sent, len(m.peers))
	}
}

// TestA7ChildrenOfOnePeerAreCapped: a peer that makes children without end is refused at 1024, and those that it has go on.
func TestA7ChildrenOfOnePeerAreCapped(t *testing.T) {
	c := newCouple(t, suite.GroupNone)
	c.want(0)
	c.deliver(start, 100)
	var old *child
	for _, old = range c.m[0].children {
	}
	s := c.sa(0)
	made := 1
	for range 2 * maxChildren {
		w := &want{filter: old.filter, selector: old.sa.Selector, replaces: old.sa.ID}
		old.peer.wants = append(old.peer.wants, w)
		c.m[0].startQuickMode(start, s, w)
		c.deliver(start, 20)
		// Exchanges that have ended are remembered for a while; let that while be over for this test.
		for _, m := range c.m {
			for _, s := range m.established {
				clear(s.phase2)
			}
		}
		if len(c.m[1].children) > maxChildren {
			t.Fatalf("%d children", len(c.m[1].children))
		}
		if c.m[1].stats.Refused > 0 {
			break
		}
		made++
	}
	if made != maxChildren || c.m[1].stats.Refused != 1 || len(c.m[1].children) != maxChildren {
		t.Errorf("%d children were made, %d are there, %d refused", made, len(c.m[1].children), c.m[1].stats.Refused)
	}
}

// recompile gives a machine another policy, as if it had started with it.
func (c *couple) recompile(n int, rules ...*policy.Rule) {
	c.tb.Helper()
	p, err := policy.Compile(&policy.Policy{Rules: rules, KeyExchange: c.m[n].policy.Policy.KeyExchange}, []netip.Addr{[]netip.Addr{hostA, hostB}[n]})
	if err != nil {
		c.tb.Fatal(err)
	}
	c.m[n].adopt(p)
}

// tunnelRule protects one network towards another.
func tunnelRule(local, remote netip.Addr, from, to string) *policy.Rule {
	net := func(s string) policy.AddrSpec {
		return policy.AddrSpec{Kind: policy.Subnet, Range: classifier.RangeOf(netip.MustParsePrefix(s))}
	}
	return &policy.Rule{Name: "tunnel", Action: policy.FilterAction{Kind: policy.Negotiate, Methods: []policy.Method{method}}, Tunnel: &policy.Tunnel{Local: local, Remote: remote},
		Auth:    []policy.AuthMethod{{Kind: policy.PSK, PSK: policy.NewSecret([]byte("for the fuzzer only, no secret"))}},
		Filters: []policy.GenericFilter{{Src: net(from), Dst: net(to), Mirrored: true}}}
}

// TestA5ResponderHoldsToItsRules: a peer that may have a tunnel gets no transport SA, none for another network or a part of one, and none that a rule for
// somebody else allows.
func TestA5ResponderHoldsToItsRules(t *testing.T) {
	other := netip.MustParseAddr("192.0.2.99")
	elsewhere := &policy.Rule{Name: "elsewhere", Action: policy.FilterAction{Kind: policy.Negotiate, Methods: []policy.Method{method}},
		Auth:    []policy.AuthMethod{{Kind: policy.PSK, PSK: policy.NewSecret([]byte("for somebody else, no secret"))}},
		Filters: []policy.GenericFilter{{Src: policy.AddrSpec{Kind: policy.Me}, Dst: policy.AddrSpec{Kind: policy.Host, Range: classifier.HostRange(other)}, Mirrored: true}}}
	for name, asked := range map[string]*policy.Rule{
		"transport": nil, "the right tunnel": tunnelRule(hostA, hostB, "10.1.0.0/24", "10.2.0.0/24"),
		"a wider network here": tunnelRule(hostA, hostB, "10.1.0.0/24", "10.2.0.0/16"), "a wider network there": tunnelRule(hostA, hostB, "10.0.0.0/8", "10.2.0.0/24"),
		"everything": tunnelRule(hostA, hostB, "0.0.0.0/0", "0.0.0.0/0"), "a part": tunnelRule(hostA, hostB, "10.1.0.0/25", "10.2.0.0/24"),
		"another network": tunnelRule(hostA, hostB, "10.9.0.0/24", "10.2.0.0/24"),
	} {
		c := newCouple(t, suite.GroupNone)
		c.recompile(1, tunnelRule(hostB, hostA, "10.2.0.0/24", "10.1.0.0/24"), elsewhere)
		if asked != nil {
			c.recompile(0, asked)
		}
		c.want(0)
		c.deliver(start, 100)
		want := 0
		if name == "the right tunnel" {
			want = 1
		}
		if len(c.m[0].children) != want || len(c.m[1].children) != want || len(c.m[1].established) == 0 {
			t.Errorf("%s: %d and %d children, want %d", name, len(c.m[0].children), len(c.m[1].children), want)
		}
	}
}
