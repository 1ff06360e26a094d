package ikev1

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// caller is a rule of a host that calls the gateway hostB as who it is.
func caller(name, key string, aggressive bool) *policy.Rule {
	return &policy.Rule{Name: name, Action: policy.FilterAction{Kind: policy.Negotiate, Methods: []policy.Method{method}}, Aggressive: aggressive,
		Auth:   []policy.AuthMethod{{Kind: policy.PSK, PSK: policy.NewSecret([]byte(key)), LocalID: name, RemoteID: "gateway.example"}},
		Tunnel: &policy.Tunnel{Local: hostA, Remote: hostB},
		Filters: []policy.GenericFilter{{Src: policy.AddrSpec{Kind: policy.Host, Range: classifier.HostRange(innerOf(name))},
			Dst: policy.AddrSpec{Kind: policy.Subnet, Range: classifier.RangeOf(netip.MustParsePrefix("10.2.0.0/24"))}}}}
}

// called is the gateway's rule for that host, wherever it calls from.
func called(name, key string, aggressive bool) *policy.Rule {
	r := caller(name, key, aggressive)
	r.Auth[0].LocalID, r.Auth[0].RemoteID = "gateway.example", name
	r.Tunnel = &policy.Tunnel{Local: hostB}
	f := &r.Filters[0]
	f.Src, f.Dst = f.Dst, f.Src
	return r
}

func innerOf(name string) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, 0, name[0]}) }

func machine(tb testing.TB, seed byte, local netip.Addr, group suite.Group, rules ...*policy.Rule) *Machine {
	tb.Helper()
	p, err := policy.Compile(&policy.Policy{Rules: rules, KeyExchange: policy.KeyExchange{Methods: []policy.MainModeMethod{
		{Encr: suite.AESCBC, KeyBits: 128, Hash: suite.SHA1, Group: group}}}}, []netip.Addr{local})
	if err != nil {
		tb.Fatal(err)
	}
	next := uint32(0x1000) * uint32(seed+1)
	m, err := New(Config{Policy: p, Rand: rand.NewChaCha8([32]byte{seed}), NewSPI: func(suite.Protocol, int) (uint32, error) {
		next++
		return next, nil
	}})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// call is a client and a gateway in aggressive mode.
func call(tb testing.TB, client *policy.Rule, gateway ...*policy.Rule) *couple {
	return &couple{tb: tb, m: [2]*Machine{machine(tb, 0, hostA, suite.Curve25519, client), machine(tb, 1, hostB, suite.Curve25519, gateway...)}}
}

// TestAggressiveModeFindsTheRuleByIdentity (RFC 2409 §5.4): peers behind one address pattern have a rule and a key each; nobody gets in as another, or has a part in
// another's rule.
func TestAggressiveModeFindsTheRuleByIdentity(t *testing.T) {
	ann, bob, eve := called("ann.example", "the key of ann", true), called("bob.example", "the key of bob", true), called("eve.example", "the key of eve", true)
	for _, x := range []struct {
		client *policy.Rule
		rule   string // "": nobody
	}{
		{caller("ann.example", "the key of ann", true), "ann.example"},
		{caller("bob.example", "the key of bob", true), "bob.example"},
		{caller("eve.example", "the key of eve", true), "eve.example"},
		{caller("ann.example", "the key of eve", true), ""},
		{caller("bob.example", "the key of ann", true), ""},
		{caller("zoe.example", "the key of ann", true), ""},
	} {
		c := call(t, x.client, ann, bob, eve)
		c.want(0)
		c.deliver(start, 100)
		var got []string
		for _, s := range c.m[1].established {
			if s.state == Established {
				got = append(got, s.rule.Name)
			}
		}
		if want := (map[bool][]string{true: nil, false: {x.rule}})[x.rule == ""]; !slices.Equal(got, want) {
			t.Errorf("%s with %q: established under %v, want %q", x.client.Name, x.client.Auth[0].PSK.Bytes(), got, x.rule)
		}
		if n := len(c.m[1].children); n != map[bool]int{false: 1}[x.rule == ""] {
			t.Errorf("%s: %d children", x.client.Name, n)
		}
	}
	// Eve, who is who she says, asks for what is Ann's.
	client := caller("eve.example", "the key of eve", true)
	client.Filters[0].Src.Range = classifier.HostRange(innerOf("ann.example"))
	c := call(t, client, ann, bob, eve)
	c.want(0)
	c.deliver(start, 100)
	if len(c.m[1].children) != 0 {
		t.Error("one peer got what another's rule allows")
	}
}

// TestP27AggressiveModeOnlyWhereARuleNamesIt: a rule that does not is never begun or answered so, and one that does in no other way.
func TestP27AggressiveModeOnlyWhereARuleNamesIt(t *testing.T) {
	for _, begins := range []bool{false, true} {
		for _, answers := range []bool{false, true} {
			c := call(t, caller("ann.example", "the key of ann", begins), called("ann.example", "the key of ann", answers))
			c.want(0)
			answered := false
			c.relay(start, func(n, to int, d isakmp.Datagram) bool {
				if n == 0 && (d.Data[18] == byte(isakmp.Aggressive)) != begins {
					t.Errorf("it began with exchange %d", d.Data[18])
				}
				answered = answered || to == 0
				return false
			})
			if answered != (begins == answers) {
				t.Errorf("begins %v, answers %v: answered %v", begins, answers, answered)
			}
			if st := c.m[1].Stats(); !answered && (st.Unsupported != 1 || st.HalfOpen != 0 || len(c.m[1].established) != 0) {
				t.Errorf("%+v", st)
			}
		}
	}
}

// TestP2P12AggressiveMode takes each payload out of each message, or puts it in twice: nobody is established by such a message. And between messages 2 and 3, when there
// are keys already, nothing else is obeyed.
func TestP2P12AggressiveMode(t *testing.T) {
	runs := 0
	for message := range 3 {
		for at := range 12 {
			for _, twice := range []bool{false, true} {
				c := call(t, caller("ann.example", "the key of ann", true), called("ann.example", "the key of ann", true))
				c.want(0)
				done := false
				c.relay(start, func(n, to int, d isakmp.Datagram) bool {
					if n != message {
						return n > message
					}
					o := c.open(to, d)
					if at >= len(o.ps) || !single(o.ps[at].Type) {
						return true
					}
					ps := append([]isakmp.Payload(nil), o.ps[:at]...)
					if twice {
						ps = append(ps, o.ps[at], o.ps[at])
					}
					if ps = append(ps, o.ps[at+1:]...); len(ps) == 0 {
						return true
					}
					done = true
					c.m[to].Receive(start, isakmp.Datagram{Local: d.Local, Remote: d.Remote, Data: o.write(t, ps)})
					return true
				})
				if !done {
					continue
				}
				runs++
				for n, m := range c.m {
					for _, s := range m.established {
						if s.state == Established && (message < 2 || n == 1) {
							t.Errorf("message %d, payload %d, twice %v: host %d is established", message+1, at, twice, n)
						}
					}
				}
			}
		}
	}
	if runs < 15 {
		t.Errorf("only %d damaged messages", runs)
	}
	c := call(t, caller("ann.example", "the key of ann", true), called("ann.example", "the key of ann", true))
	c.want(0)
	c.relay(start, func(n, _ int, _ isakmp.Datagram) bool { return n > 0 })
	if s := c.sa(1); s.state != Negotiating || s.cipher == nil {
		t.Fatalf("%v", s.state)
	}
	for i, x := range seeds(t) {
		for exchange := range 256 {
			if exchange == int(isakmp.Aggressive) {
				continue
			}
			c.inject(1, isakmp.ExchangeType(exchange), uint32(1000+256*i+exchange), isakmp.PayloadType(x[1]), x[4:])
		}
	}
	for ev, ok := c.m[1].Next(); ok; ev, ok = c.m[1].Next() {
		t.Errorf("%T", ev)
	}
	if s := c.sa(1); s.state != Negotiating || len(c.m[1].children) != 0 {
		t.Errorf("%v", s.state)
	}
}

// TestP33AggressiveAnswersThatAreForged: answers with another's key, with a damaged proof or with our own value end nothing; the right one still counts.
func TestP33AggressiveAnswersThatAreForged(t *testing.T) {
	client := caller("ann.example", "the key of ann", true)
	forger := call(t, client, called("ann.example", "another key", true))
	c := call(t, client, called("ann.example", "the key of ann", true))
	c.want(0)
	c.relay(start, func(n, to int, d isakmp.Datagram) bool {
		if n == 0 {
			forger.m[1].Receive(start, d)
			for ev, ok := forger.m[1].Next(); ok; ev, ok = forger.m[1].Next() {
				if tx, ok := ev.(isakmp.Transmit); ok {
					c.m[0].Receive(start, isakmp.Datagram{Local: tx.Remote, Remote: tx.Local, Data: tx.Data})
				}
			}
			back := bytes.Clone(d.Data)
			back[8] = 1
			c.m[0].Receive(start, isakmp.Datagram{Local: d.Remote, Remote: d.Local, Data: back})
		}
		if n == 1 {
			o := c.open(to, d)
			for i := range o.ps {
				if t := o.ps[i].Type; t == isakmp.PayloadHash || t == isakmp.PayloadNonce || t == isakmp.PayloadKE {
					ps := slices.Clone(o.ps)
					ps[i].Body = flip(ps[i].Body)
					c.m[0].Receive(start, isakmp.Datagram{Local: d.Local, Remote: d.Remote, Data: o.write(c.tb, ps)})
				}
			}
		}
		return false
	})
	if st := c.m[0].stats; len(c.m[0].children) != 1 || st.BadProofs == 0 || st.Malformed == 0 {
		t.Errorf("%d children, %+v", len(c.m[0].children), st)
	}
}

// firstOf is message 1 of a client with a cookie of its own.
func firstOf(t *testing.T, client *policy.Rule, group suite.Group) []byte {
	t.Helper()
	m := machine(t, 0, hostA, group, client)
	c := &couple{tb: t, m: [2]*Machine{m, nil}}
	c.want(0)
	for ev, ok := m.Next(); ok; ev, ok = m.Next() {
		if tx, ok := ev.(isakmp.Transmit); ok {
			return tx.Data
		}
	}
	t.Fatal("no message")
	return nil
}

// sentBy takes what a machine has sent.
func sentBy(m *Machine) (out [][]byte) {
	for ev, ok := m.Next(); ok; ev, ok = m.Next() {
		if tx, ok := ev.(isakmp.Transmit); ok {
			out = append(out, tx.Data)
		}
	}
	return out
}

// TestP16AggressiveMode: one answer to each request, never by itself, and at most 128 bytes longer; a request so short that its answer would be longer gets none.
func TestP16AggressiveMode(t *testing.T) {
	from, to := netip.AddrPortFrom(hostA, 500), netip.AddrPortFrom(hostB, 500)
	first := firstOf(t, caller("ann.example", "the key of ann", true), suite.Curve25519)
	m := machine(t, 1, hostB, suite.Curve25519, called("ann.example", "the key of ann", true))
	for n := range 3 {
		m.Receive(start, isakmp.Datagram{Local: to, Remote: from, Data: bytes.Clone(first)})
		if out := sentBy(m); len(out) != 1 || len(out[0]) > len(first)+maxAmplification {
			t.Fatalf("request %d: %d answers, %d bytes for %d", n, len(out), len(out[0]), len(first))
		}
	}
	if m.Advance(start.Add(halfOpenLife)); len(sentBy(m)) != 0 || len(m.established) != 0 || m.Stats().HalfOpen != 0 || len(m.aggressive.waiting) != 0 {
		t.Errorf("after its time: %+v", m.Stats())
	}
	// Another body under the same cookie is no duplicate.
	m.Receive(start, isakmp.Datagram{Local: to, Remote: from, Data: bytes.Clone(first)})
	sentBy(m)
	m.Receive(start, isakmp.Datagram{Local: to, Remote: from, Data: flip(first)})
	if out := sentBy(m); len(out) != 0 {
		t.Error("another request under the same cookie is answered")
	}
	// A gateway with a long name, and a caller who sends the least that is possible.
	long := called("ann.example", "the key of ann", true)
	long.Auth[0].LocalID = fmt.Sprintf("%0200d.example", 0)
	m = machine(t, 1, hostB, suite.Curve25519, long)
	h, err := isakmp.ParseHeader(first)
	if err != nil {
		t.Fatal(err)
	}
	ps, err := isakmp.ParsePayloads(h.NextPayload, first[isakmp.HeaderLen:], false)
	if err != nil {
		t.Fatal(err)
	}
	body, err := isakmp.AppendPayloads(nil, ps[:4])
	if err != nil {
		t.Fatal(err)
	}
	m.Receive(start, isakmp.Datagram{Local: to, Remote: from, Data: withHeader(h, body)})
	if out := sentBy(m); len(out) != 0 || len(m.established) != 0 || m.stats.Refused != 1 {
		t.Errorf("%d answers, %+v", len(out), m.stats)
	}
}

// TestP34AggressiveFlood: first messages from everywhere are answered a few times a second, from one network fewer; what they leave is bounded, and the peers of rules in main
// mode do not notice.
func TestP34AggressiveFlood(t *testing.T) {
	first := firstOf(t, caller("ann.example", "the key of ann", true), suite.Curve25519)
	honest := caller("hal.example", "the key of hal", false)
	honest.Tunnel.Local = netip.MustParseAddr("198.51.100.1")
	inMain := called("hal.example", "the key of hal", false)
	inMain.Tunnel.Remote = netip.MustParseAddr("198.51.100.1")
	m := machine(t, 1, hostB, suite.Curve25519, called("ann.example", "the key of ann", true), inMain)
	answers, wide := 0, rand.New(rand.NewPCG(1, 2))
	for i := range 60000 {
		now := start.Add(time.Duration(i) * time.Millisecond / 4) // four a millisecond, for fifteen seconds
		data := bytes.Clone(first)
		data[0], data[1], data[2] = byte(i), byte(i>>8), byte(i>>16)
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), uint16(wide.IntN(60000)+1))
		if i%2 == 0 {
			from = netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(11 + wide.IntN(100)), byte(wide.IntN(256)), byte(wide.IntN(256)), 1}), 500)
		}
		m.Advance(now)
		m.Receive(now, isakmp.Datagram{Local: netip.AddrPortFrom(hostB, 500), Remote: from, Data: data})
		answers += len(sentBy(m))
	}
	if most := 16 * aggressiveEachSecond; answers > most || answers < most/2 {
		t.Errorf("%d answers in fifteen seconds", answers)
	}
	if n := len(m.established); n > maxAggressive || n != len(m.aggressive.waiting) || len(m.aggressive.spentBy) > aggressiveEachSecond || m.halfOpen.total != n {
		t.Errorf("%d are kept, %d wait, %d count", n, len(m.aggressive.waiting), m.halfOpen.total)
	}
	near := 0
	for _, s := range m.aggressive.waiting {
		if s.prefix == netip.MustParsePrefix("203.0.113.0/24") {
			near++
		}
	}
	if near > maxAggressivePerPrefix {
		t.Errorf("%d of one network are kept", near)
	}
	// One in main mode gets through at once.
	c := &couple{tb: t, m: [2]*Machine{machine(t, 0, honest.Tunnel.Local, suite.Curve25519, honest), m}}
	f := c.m[0].policy.Outbound[0]
	now := start.Add(15 * time.Second)
	c.m[0].Acquire(now, f, f.Filter, honest.Tunnel.Local, hostB)
	c.deliver(now, 100)
	if len(c.m[0].children) != 1 {
		t.Errorf("an honest peer in main mode was not let in: %+v", m.Stats())
	}
}

// TestOneGroupInAggressiveMode: only methods with the group of the first are offered (RFC 2409 §5).
func TestOneGroupInAggressiveMode(t *testing.T) {
	offers := []phase1Suite{{hash: suite.SHA256, group: suite.MODP2048}, {hash: suite.SHA256, group: suite.ECP256}, {hash: suite.SHA1, group: suite.MODP2048}}
	if got := oneGroup(offers); len(got) != 2 || got[0] != offers[0] || got[1] != offers[2] {
		t.Errorf("%v", got)
	}
	if len(oneGroup(nil)) != 0 {
		t.Error("something is made of nothing")
	}
}

// FuzzAggressive gives a responder in aggressive mode datagrams of strangers: one answer at most, no longer than it may be, and nothing is left.
func FuzzAggressive(f *testing.F) {
	client, gateway := caller("ann.example", "the key of ann", true), called("ann.example", "the key of ann", true)
	c := &couple{tb: f, m: [2]*Machine{machine(f, 0, hostA, suite.Curve25519, client), machine(f, 1, hostB, suite.Curve25519, gateway)}}
	c.want(0)
	var first []byte
	c.relay(start, func(n, _ int, d isakmp.Datagram) bool {
		if n == 0 {
			first = d.Data
		}
		f.Add(first, d.Data)
		return n == 2
	})
	f.Fuzz(func(t *testing.T, first, third []byte) {
		m := machine(t, 2, hostB, suite.Curve25519, gateway) // not the one that the seeds are proofs for
		from, to := netip.AddrPortFrom(hostA, 500), netip.AddrPortFrom(hostB, 500)
		m.Receive(start, isakmp.Datagram{Local: to, Remote: from, Data: first})
		out := sentBy(m)
		if len(out) > 1 || len(out) == 1 && len(out[0]) > len(first)+maxAmplification {
			t.Errorf("%d answers", len(out))
		}
		if len(out) == 1 && len(third) >= isakmp.HeaderLen {
			copy(third, out[0][:16])
		}
		m.Receive(start, isakmp.Datagram{Local: to, Remote: from, Data: third})
		if len(sentBy(m)) > 1 {
			t.Error("more than one answer")
		}
		for _, s := range m.established {
			if s.state == Established {
				t.Error("a stranger is established")
			}
		}
		m.Advance(start.Add(time.Hour))
		if st := m.Stats(); st.HalfOpen+st.MainModes+st.Children != 0 || len(m.aggressive.waiting) != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestP13AggressiveModeWantsTheInitiatorsProof: message 3 establishes nobody if its hash is another's, encrypted as it should be or in the clear; the right one does in either
// form (RFC 2409 §5).
func TestP13AggressiveModeWantsTheInitiatorsProof(t *testing.T) {
	for _, x := range []struct {
		name          string
		damage, clear bool
	}{{"right", false, false}, {"right, in the clear", false, true}, {"wrong", true, false}, {"wrong, in the clear", true, true}} {
		c := call(t, caller("ann.example", "the key of ann", true), called("ann.example", "the key of ann", true))
		c.want(0)
		c.relay(start, func(n, to int, d isakmp.Datagram) bool {
			if n != 2 {
				return n > 2
			}
			o := c.open(to, d)
			ps := slices.Clone(o.ps)
			if x.damage {
				ps[0].Body = flip(ps[0].Body)
			}
			if x.clear {
				o.s, o.h.Flags = nil, 0
			}
			c.m[to].Receive(start, isakmp.Datagram{Local: d.Local, Remote: d.Remote, Data: o.write(t, ps)})
			return true
		})
		if got := c.sa(1).state == Established; got == x.damage {
			t.Errorf("%s: established %v", x.name, got)
		}
	}
}
