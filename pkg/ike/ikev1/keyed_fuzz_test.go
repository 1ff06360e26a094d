package ikev1

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

var (
	hostA  = netip.MustParseAddr("192.0.2.1")
	hostB  = netip.MustParseAddr("192.0.2.2")
	start  = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	method = policy.Method{ESP: &policy.ESPMethod{Encr: suite.AESCBC, KeyBits: 128, Integ: suite.HMACSHA1_96}}
)

// couple is two machines whose datagrams arrive at once.
type couple struct {
	tb    testing.TB
	m     [2]*Machine
	sent  int
	spis  [2]int  // reserved and not given back
	vouch [2]bool // which of them find every certificate good, in relay
}

// newCouple makes two machines with a pre-shared key, or with an authentication method for each.
func newCouple(tb testing.TB, pfs suite.Group, auth ...func(n int) policy.AuthMethod) *couple {
	tb.Helper()
	c := &couple{tb: tb}
	for n, a := range []netip.Addr{hostA, hostB} {
		other := []netip.Addr{hostB, hostA}[n]
		r := &policy.Rule{Name: "r", Action: policy.FilterAction{Kind: policy.Negotiate, Methods: []policy.Method{method}, PFS: pfs},
			Auth:    []policy.AuthMethod{{Kind: policy.PSK, PSK: policy.NewSecret([]byte("for the fuzzer only, no secret"))}},
			Filters: []policy.GenericFilter{{Src: policy.AddrSpec{Kind: policy.Me}, Dst: policy.AddrSpec{Kind: policy.Host, Range: classifier.HostRange(other)}, Mirrored: true}}}
		for _, f := range auth {
			r.Auth = []policy.AuthMethod{f(n)}
		}
		p, err := policy.Compile(&policy.Policy{Rules: []*policy.Rule{r}, KeyExchange: policy.KeyExchange{Methods: []policy.MainModeMethod{
			{Encr: suite.AESCBC, KeyBits: 128, Hash: suite.SHA1, Group: suite.Curve25519}}}}, []netip.Addr{a})
		if err != nil {
			tb.Fatal(err)
		}
		next := uint32(0x1000 * (n + 1))
		c.m[n], err = New(Config{Policy: p, Rand: rand.NewChaCha8([32]byte{byte(n)}), NewSPI: func(suite.Protocol, int) (uint32, error) {
			next++
			c.spis[n]++
			return next, nil
		}})
		if err != nil {
			tb.Fatal(err)
		}
	}
	return c
}

func (c *couple) want(n int) {
	m := c.m[n]
	f := m.policy.Outbound[0]
	m.Acquire(start, f, f.Filter, []netip.Addr{hostA, hostB}[n], []netip.Addr{hostB, hostA}[n])
}

// deliver lets all datagrams arrive, at most limit, and checks the books.
func (c *couple) deliver(now time.Time, limit int) {
	for again := true; again && limit > 0; {
		again = false
		for n, m := range c.m {
			for ev, ok := m.Next(); ok; ev, ok = m.Next() {
				switch ev := ev.(type) {
				case isakmp.Transmit:
					if limit--; limit > 0 {
						c.m[1-n].Receive(now, isakmp.Datagram{Local: ev.Remote, Remote: ev.Local, Data: ev.Data})
						again = true
					}
				case isakmp.SPIReleased:
					c.spis[n] -= len(ev.SPIs)
				case isakmp.ChildDown:
					c.spis[n]--
				}
				c.sent++
			}
		}
	}
}

// any is the one main-mode SA of a machine.
func (c *couple) sa(n int) *mainMode {
	for _, s := range c.m[n].established {
		return s
	}
	c.tb.Fatal("no SA")
	return nil
}

// inject sends host n a phase 2 message that its peer could have made: encrypted and hashed with the live keys.
func (c *couple) inject(n int, x isakmp.ExchangeType, id uint32, first isakmp.PayloadType, chain []byte) {
	s := c.sa(n)
	iv := s.firstIV(id)
	hash := func(rest []byte) []byte { return hash12(s.suite.hash, s.keys.auth, id, nil, rest) }
	if q := s.phase2[id]; q != nil {
		iv = q.iv
		hash = func(rest []byte) []byte { return q.hash(q.run.At, rest) }
	}
	size := s.suite.hash.Size()
	body := append([]byte{uint8(first), 0, 0, byte(4 + size)}, make([]byte, size)...)
	body = append(body, chain...)
	end := len(body)
	if ps, err := isakmp.ParsePayloads(isakmp.PayloadHash, body, true); err == nil {
		end = ps[len(ps)-1].End
	}
	copy(body[4:], hash(body[4+size:end]))
	out, _ := s.sealed(x, id, isakmp.PayloadHash, body, iv)
	c.m[n].Receive(start, isakmp.Datagram{Local: s.local, Remote: s.remote, Data: out})
}

// play turns fuzz input into a list of keyed messages: one byte for exchange and message ID, one for the first payload's type, two for a length,
// then the payload chain.
func (c *couple) play(n int, script []byte) {
	for len(script) > 4 && c.sent < 500 && len(c.m[n].established) == 1 {
		op, first, length := script[0], script[1], min(int(script[2])<<8|int(script[3]), len(script)-4)
		chain := script[4 : 4+length]
		script = script[4+length:]
		x := isakmp.QuickMode
		if op&1 != 0 {
			x = isakmp.Informational
		}
		id := uint32(op>>2) + 1
		if op&2 != 0 { // a quick mode that is under way
			for live, q := range c.sa(n).phase2 {
				if q.run.Awaits() {
					id = live
				}
			}
		}
		c.inject(n, x, id, isakmp.PayloadType(first), chain)
	}
}

// check lets all timers run out and expects clean books.
func (c *couple) check(n int) {
	c.deliver(start, 200)
	m := c.m[n]
	if len(m.children) > 300 || len(m.peers) > 2 {
		c.tb.Errorf("%d children, %d peers", len(m.children), len(m.peers))
	}
	for _, later := range []time.Duration{time.Minute, 2 * time.Hour, 9 * time.Hour, 12 * time.Hour, 30 * time.Hour} {
		for _, m := range c.m {
			m.Advance(start.Add(later))
		}
		c.deliver(start.Add(later), 400)
	}
	if st := m.Stats(); st.Children != 0 || st.MainModes != 0 || st.HalfOpen != 0 || len(m.outbound) != 0 || c.spis[n] != 0 {
		c.tb.Errorf("left at the end: %+v, %d by SPI, %d SPIs", st, len(m.outbound), c.spis[n])
	}
}

// seeds are chains that get far: a good quick mode message 1, a deletion, a notification.
func seeds(tb testing.TB) [][]byte {
	tb.Helper()
	c := newCouple(tb, suite.GroupNone)
	c.want(0)
	c.deliver(start, 100)
	m := c.m[0]
	q := &quickMode{s: c.sa(0), m: m, run: isakmp.Run[*quickMode]{Script: quickModeScript, Role: isakmp.Initiator}, filter: m.policy.Outbound[0],
		selector: m.policy.Outbound[0].Filter, spiIn: map[isakmp.ProtocolID]uint32{isakmp.ProtoESP: 0x5555}}
	q.allowed = phase2Offers(q.filter.Rule, false)
	ps, err := q.run.Build(q)
	if err != nil {
		tb.Fatal(err)
	}
	out := [][]byte{}
	add := func(op byte, ps ...isakmp.Payload) {
		b, err := isakmp.AppendPayloads(nil, ps)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, append([]byte{op, uint8(isakmp.FirstType(ps)), uint8(len(b) >> 8), uint8(len(b))}, b...))
	}
	add(0, ps...)
	add(2)
	add(1, isakmp.Payload{Type: isakmp.PayloadDelete, Body: isakmp.Delete{DOI: 1, Protocol: isakmp.ProtoESP, SPIs: [][]byte{{0, 0, 0x10, 1}, {0, 0, 0x20, 1}}}.Append(nil)})
	add(5, isakmp.Payload{Type: isakmp.PayloadNotify, Body: isakmp.Notify{DOI: 1, Protocol: isakmp.ProtoISAKMP, Type: isakmp.InitialContact}.Append(nil)})
	add(9, isakmp.Payload{Type: isakmp.PayloadNotify, Body: isakmp.Notify{DOI: 1, Protocol: isakmp.ProtoESP, Type: isakmp.NoProposalChosen, SPI: []byte{0, 0, 0x10, 2}}.Append(nil)})
	return out
}

// FuzzKeyedResponder plays keyed messages at a responder that has an SA and a child.
func FuzzKeyedResponder(f *testing.F) {
	all := []byte{}
	for _, s := range seeds(f) {
		f.Add(s)
		all = append(all, s...)
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, script []byte) {
		c := newCouple(t, suite.GroupNone)
		c.want(0)
		c.deliver(start, 100)
		c.play(1, script)
		c.check(1)
	})
}

// FuzzKeyedInitiator plays keyed messages at an initiator that waits for message 2 of quick mode.
func FuzzKeyedInitiator(f *testing.F) {
	all := []byte{}
	for _, s := range seeds(f) {
		s[0] |= 2
		f.Add(s)
		all = append(all, s...)
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, script []byte) {
		c := newCouple(t, suite.GroupNone)
		c.want(0)
		c.deliver(start, 100)
		for id := range c.m[0].children {
			if err := c.m[0].Rekey(start, id); err != nil {
				t.Fatal(err)
			}
		}
		c.m[0].events = nil // message 1 is lost
		c.play(0, script)
		c.check(0)
	})
}

// FuzzUnauthenticated gives a responder datagrams of strangers; half-open ones go on to message 3.
func FuzzUnauthenticated(f *testing.F) {
	c := newCouple(f, suite.GroupNone)
	c.want(0)
	for n := range 2 {
		for ev, ok := c.m[n].Next(); ok; ev, ok = c.m[n].Next() {
			if tx, ok := ev.(isakmp.Transmit); ok {
				f.Add(tx.Data, []byte{})
				c.m[1-n].Receive(start, isakmp.Datagram{Local: tx.Remote, Remote: tx.Local, Data: tx.Data})
			}
		}
	}
	f.Fuzz(func(t *testing.T, first, third []byte) {
		c := newCouple(t, suite.GroupNone)
		m := c.m[1]
		from, to := netip.AddrPortFrom(hostA, 500), netip.AddrPortFrom(hostB, 500)
		m.Receive(start, isakmp.Datagram{Local: to, Remote: from, Data: first})
		for ev, ok := m.Next(); ok; ev, ok = m.Next() {
			tx, ok := ev.(isakmp.Transmit)
			if !ok {
				continue
			}
			if len(tx.Data) > len(first)+128 {
				t.Errorf("%d bytes for %d", len(tx.Data), len(first))
			}
			if len(third) >= isakmp.HeaderLen {
				copy(third, tx.Data[:16])
			}
		}
		m.Receive(start, isakmp.Datagram{Local: to, Remote: from, Data: third})
		m.Advance(start.Add(time.Hour))
		if st := m.Stats(); st.HalfOpen != 0 || st.MainModes != 0 || st.Children != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// FuzzSelect holds what proposal selection returns to what was offered and what is allowed.
func FuzzSelect(f *testing.F) {
	s1 := phase1SA([]phase1Suite{{encr: suite.AESCBC, keyBits: 128, hash: suite.SHA1, group: suite.MODP2048, auth: authPSK, seconds: 100000}})
	f.Add(s1.Append(nil))
	t2 := phase2Transform{encr: suite.AESGCM16, keyBits: 256, mode: wireTunnel, seconds: 100000, kilobytes: 7}
	ah := phase2Transform{integ: suite.HMACSHA1_96, mode: wireTunnel}
	f.Add(phase2SA([]phase2Suite{{esp: &t2}, {ah: &ah}, {esp: &t2, ah: &ah}}, func(isakmp.ProtocolID) uint32 { return 0x1234 }).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		sa, err := isakmp.ParseSA(b)
		if err != nil {
			return
		}
		allowed1 := []phase1Suite{{encr: suite.AESCBC, keyBits: 128, hash: suite.SHA1, group: suite.MODP2048, auth: authPSK}}
		if s, answer, _ := choosePhase1(sa, allowed1); answer != nil {
			if back, err := acceptPhase1(*answer, allowed1); err != nil || !back.same(s) || !s.same(allowed1[0]) {
				t.Errorf("%v, %v: %v", s, back, err)
			}
		}
		allowed2 := []phase2Suite{{esp: &t2}, {ah: &ah}, {esp: &t2, ah: &ah}}
		c, ok, seen := choosePhase2(sa, allowed2)
		_ = sideBySide(seen, suiteFields(allowed2))
		if !ok {
			return
		}
		if c.suite.check() != nil {
			t.Errorf("%+v was chosen", c.suite)
		}
		for _, p := range c.answer {
			if len(p.Transforms) != 1 || c.spiOut[p.Protocol] < 256 {
				t.Errorf("%+v", p)
			}
		}
		if back, err := acceptPhase2(isakmp.SA{DOI: 1, Situation: 1, Proposals: c.answer}, allowed2); err != nil || !back.suite.same(c.suite) {
			t.Errorf("the initiator refuses its own choice: %v", err)
		}
	})
}

// TestKeyedSeedsGetThrough makes sure that the fuzz targets do reach what lies behind decryption.
func TestKeyedSeedsGetThrough(t *testing.T) {
	c := newCouple(t, suite.GroupNone)
	c.want(0)
	c.deliver(start, 100)
	s := seeds(t)
	before := len(c.m[1].children)
	c.play(1, s[0])
	if got := len(c.m[1].children); got != before+1 {
		t.Errorf("%d children after message 1, %d before: %+v", got, before, c.m[1].stats)
	}
	c.play(1, s[1])
	c.play(1, s[2])
	if st := c.m[1].stats; st.BadProofs != 0 || st.Malformed != 0 || len(c.m[1].children) > before+1 {
		t.Errorf("%+v", st)
	}
	c.check(1)
}
