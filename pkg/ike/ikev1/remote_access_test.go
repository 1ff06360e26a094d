package ikev1

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/password"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// newAccess is a client, host 0, and a gateway that asks it to log in and assigns addresses of a pool.
func newAccess(tb testing.TB, pool netip.Prefix) *couple {
	tb.Helper()
	c := &couple{tb: tb}
	inside := policy.AddrSpec{Kind: policy.Subnet, Range: classifier.RangeOf(netip.MustParsePrefix("10.2.0.0/24"))}
	for n, a := range []netip.Addr{hostA, hostB} {
		r := &policy.Rule{Name: "r", Action: policy.FilterAction{Kind: policy.Negotiate, Methods: []policy.Method{method}},
			Auth: []policy.AuthMethod{{Kind: policy.PSK, PSK: policy.NewSecret([]byte("for the fuzzer only, no secret")), XAuth: &policy.XAuth{User: "carol", Password: policy.NewSecret([]byte("open sesame"))}}}}
		if n == 0 {
			r.Tunnel = &policy.Tunnel{Local: hostA, Remote: hostB, AskAddress: true}
			r.Filters = []policy.GenericFilter{{Src: policy.AddrSpec{Kind: policy.Me}, Dst: inside}}
		} else {
			r.Tunnel = &policy.Tunnel{Local: hostB, Pool: pool}
			r.Auth[0].XAuth = &policy.XAuth{Users: map[string]password.Hash{"carol": password.Nobody()}}
			r.Filters = []policy.GenericFilter{{Src: inside, Dst: policy.AddrSpec{Kind: policy.Subnet, Range: classifier.RangeOf(pool)}}}
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

// TestP26NothingButXAuthBeforeItsEnd: between main mode and the end of XAUTH every exchange type with every kind of content, authentic as it is, is let be by either
// end: no child, no address, no deletion, no answer. A gateway's praise before anything was shown, a client's question and a status from the client are none either.
func TestP26NothingButXAuthBeforeItsEnd(t *testing.T) {
	offers := seeds(t)
	config := func(x isakmp.Configuration) []byte {
		b, _ := isakmp.AppendPayloads(nil, []isakmp.Payload{{Type: isakmp.PayloadAttributes, Body: x.Append(nil)}})
		return b
	}
	status := config(isakmp.Configuration{Type: isakmp.ConfigSet, Attributes: []isakmp.Attribute{isakmp.BasicAttribute(isakmp.XAuthStatus, 1)}})
	address := isakmp.Attribute{Type: isakmp.ConfigIP4Address, Value: []byte{10, 9, 0, 7}}
	type message struct {
		name  string
		first isakmp.PayloadType
		chain []byte
	}
	messages := []message{
		{"status OK", isakmp.PayloadAttributes, status},
		{"request for an address", isakmp.PayloadAttributes, config(isakmp.Configuration{Type: isakmp.ConfigRequest, Attributes: []isakmp.Attribute{{Type: isakmp.ConfigIP4Address}}})},
		{"an address, unasked", isakmp.PayloadAttributes, config(isakmp.Configuration{Type: isakmp.ConfigSet, Attributes: []isakmp.Attribute{address}})},
		{"a reply to nothing", isakmp.PayloadAttributes, config(isakmp.Configuration{Type: isakmp.ConfigReply, Attributes: []isakmp.Attribute{address}})},
		{"an acknowledgement of nothing", isakmp.PayloadAttributes, config(isakmp.Configuration{Type: isakmp.ConfigAck, Attributes: []isakmp.Attribute{isakmp.BasicAttribute(isakmp.XAuthStatus, 1)}})},
	}
	for i, s := range offers {
		messages = append(messages, message{fmt.Sprintf("seed %d", i), isakmp.PayloadType(s[1]), s[4:]})
	}
	for to := range 2 {
		c := newAccess(t, netip.MustParsePrefix("10.9.0.0/24"))
		c.want(0)
		c.relay(start, func(_, _ int, d isakmp.Datagram) bool { return d.Data[18] == byte(isakmp.Transaction) })
		s := c.sa(to)
		if s.state != Examining {
			t.Fatalf("host %d: %v", to, s.state)
		}
		id := uint32(1000)
		for x := range 256 {
			for _, m := range messages {
				id++
				c.inject(to, isakmp.ExchangeType(x), id, m.first, m.chain)
				for ev, ok := c.m[to].Next(); ok; ev, ok = c.m[to].Next() {
					switch ev.(type) {
					case isakmp.Transmit, isakmp.ChildUp, isakmp.InboundReady, isakmp.ChildDown, isakmp.PeerUp, isakmp.PeerDown, isakmp.Configured, isakmp.AskLogin:
						t.Errorf("host %d, exchange %d, %s: %T", to, x, m.name, ev)
					}
				}
				if s.state != Examining || len(c.m[to].children) != 0 || s.config.lease != nil || s.exam.over {
					t.Fatalf("host %d, exchange %d, %s: %v", to, x, m.name, s.state)
				}
			}
		}
	}
}

// TestXAuthGenericTypeOnly: a client that is asked for anything but name and password says nothing and gives up.
func TestXAuthGenericTypeOnly(t *testing.T) {
	user, pass := isakmp.Attribute{Type: isakmp.XAuthUser}, isakmp.Attribute{Type: isakmp.XAuthPassword}
	for name, x := range map[string]struct {
		attributes []isakmp.Attribute
		answered   bool
	}{
		"name and password":   {[]isakmp.Attribute{user, pass}, true},
		"generic":             {[]isakmp.Attribute{isakmp.BasicAttribute(isakmp.XAuthType, 0), user, pass}, true},
		"with a greeting":     {[]isakmp.Attribute{{Type: isakmp.XAuthMessage, Value: []byte("\x1b[2Jhello")}, user, pass}, true},
		"CHAP":                {[]isakmp.Attribute{isakmp.BasicAttribute(isakmp.XAuthType, 1), user, {Type: 16525, Value: []byte("challenge")}}, false},
		"one-time password":   {[]isakmp.Attribute{isakmp.BasicAttribute(isakmp.XAuthType, 2), user, pass}, false},
		"a passcode":          {[]isakmp.Attribute{user, {Type: isakmp.XAuthPasscode}}, false},
		"a name only":         {[]isakmp.Attribute{user}, false},
		"nothing":             {nil, false},
		"the name, twice":     {[]isakmp.Attribute{user, user, pass}, false},
		"an unknown question": {[]isakmp.Attribute{user, pass, {Type: 16529}}, false},
	} {
		c := newAccess(t, netip.MustParsePrefix("10.9.0.0/24"))
		c.want(0)
		c.relay(start, func(_, _ int, d isakmp.Datagram) bool { return d.Data[18] == byte(isakmp.Transaction) })
		q := isakmp.Configuration{Type: isakmp.ConfigRequest, ID: 5, Attributes: x.attributes}
		body, _ := isakmp.AppendPayloads(nil, []isakmp.Payload{{Type: isakmp.PayloadAttributes, Body: q.Append(nil)}})
		c.inject(0, isakmp.Transaction, 77, isakmp.PayloadAttributes, body)
		answered := false
		for ev, ok := c.m[0].Next(); ok; ev, ok = c.m[0].Next() {
			_, sent := ev.(isakmp.Transmit)
			answered = answered || sent
		}
		if answered != x.answered {
			t.Errorf("%s: answered %v", name, answered)
		}
	}
}

// TestLeases: who gets which address of a pool of two, and when.
func TestLeases(t *testing.T) {
	c := newAccess(t, netip.MustParsePrefix("10.9.0.0/30"))
	m := c.m[1]
	client := func(id, user string, at byte) *mainMode {
		s := &mainMode{m: m, id: m.newID(), rule: m.policy.Outbound[0].Rule, remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, at}), 500), state: Established}
		s.remoteID, s.exam.user = isakmp.Identification{Type: isakmp.IDFQDN, Data: []byte(id)}, user
		s.cookies.initiator[0], s.cookies.responder[0] = byte(s.id), 1
		s.peer = m.peerAt(addrPair{remote: s.remote.Addr()})
		s.peer.sas = append(s.peer.sas, s)
		m.established[s.cookies] = s
		return s
	}
	gone := func(s *mainMode) {
		delete(m.established, s.cookies)
		s.peer.dropSA(s)
	}
	get := func(s *mainMode, wish string) string {
		a, _ := netip.ParseAddr(wish)
		if l := m.leaseFor(s, a); l != nil {
			return l.address.String()
		}
		return "none"
	}
	check := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	a := client("a.example", "", 1)
	check("the first", get(a, ""), "10.9.0.1")
	check("the first again", get(a, "10.9.0.2"), "10.9.0.1")
	again := client("a.example", "", 1)
	again.inheritLease()
	check("the first under a new SA", get(again, ""), "10.9.0.1")
	twin := client("a.example", "", 2)
	check("another of that name, elsewhere", get(twin, "10.9.0.1"), "10.9.0.2")
	b := client("b.example", "", 3)
	check("one too many", get(b, ""), "none")
	gone(twin)
	check("when one has gone", get(b, ""), "10.9.0.2")
	gone(b)
	carol := client("group", "carol", 4)
	check("with a login", get(carol, ""), "10.9.0.2")
	dave := client("group", "dave", 4)
	dave.inheritLease()
	check("another user from there", get(dave, ""), "none")
	gone(a)
	gone(again)
	check("and when the first has gone", get(dave, ""), "10.9.0.1")
	gone(dave)
	a = client("a.example", "", 9)
	check("what was taken from the first", get(a, ""), "10.9.0.1")

	wide := newAccess(t, netip.MustParsePrefix("10.9.0.0/24")).m[1]
	m = wide
	check("a wish", get(client("w.example", "", 1), "10.9.0.77"), "10.9.0.77")
	for _, bad := range []string{"10.9.0.0", "10.9.0.255", "10.8.0.1", "2001:db8::1"} {
		check("a wish for "+bad, get(client(bad, "", 1), bad)[:6], "10.9.0")
	}
	for range 300 {
		x := client(fmt.Sprint(m.nextID), "", 1)
		if got := get(x, "10.9.0.255"); got == "10.9.0.0" || got == "10.9.0.255" {
			t.Fatalf("%s was assigned", got)
		}
	}
	if n := len(m.pools[netip.MustParsePrefix("10.9.0.0/24")].leases); n != 254 {
		t.Errorf("%d leases of a /24", n)
	}
}

// TestA5OnlyTheAssignedAddress: a client whom the gateway gave one address gets no child for another, for the whole pool, or before it was given any.
func TestA5OnlyTheAssignedAddress(t *testing.T) {
	c := newAccess(t, netip.MustParsePrefix("10.9.0.0/24"))
	m := c.m[1]
	f := m.policy.Outbound[0]
	s := &mainMode{m: m, rule: f.Rule, local: netip.AddrPortFrom(hostB, 500), remote: netip.AddrPortFrom(hostA, 500), meaning: m.policy.MainMode[0].Meaning, state: Established}
	find := func(from, to string) bool {
		sel := f.Filter
		sel.Dst = isakmp.Range{From: netip.MustParseAddr(from), To: netip.MustParseAddr(to)}
		return m.findFilter(s, sel, suite.Tunnel) != nil
	}
	if find("10.9.0.1", "10.9.0.1") || find("10.9.0.0", "10.9.0.255") {
		t.Error("a child without an address")
	}
	s.config.lease = &lease{address: netip.MustParseAddr("10.9.0.1")}
	for _, bad := range [][2]string{{"10.9.0.2", "10.9.0.2"}, {"10.9.0.0", "10.9.0.255"}, {"10.9.0.1", "10.9.0.2"}, {"10.8.0.1", "10.8.0.1"}} {
		if find(bad[0], bad[1]) {
			t.Errorf("a child for %v", bad)
		}
	}
	if !find("10.9.0.1", "10.9.0.1") {
		t.Error("no child for the address that was assigned")
	}
}

// TestGuessesAreForgotten: the memory of wrong passwords is bounded, and ends.
func TestGuessesAreForgotten(t *testing.T) {
	var g guesses
	key := func(n int) guessKey {
		return guessKey{prefix: prefixOf(netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), 1}))}
	}
	now := start
	for n := range 3 * maxGuessers {
		now = now.Add(time.Millisecond)
		for range freeGuesses {
			g.try(now, key(n))
		}
	}
	if len(g.failures) != maxGuessers || g.may(now, key(3*maxGuessers-1)) || !g.may(now, key(0)) {
		t.Errorf("%d are remembered", len(g.failures))
	}
	if k := key(3*maxGuessers - 1); !g.may(now.Add(guessEvery), k) {
		t.Error("no try after a while")
	} else if g.try(now.Add(guessEvery), k); g.may(now.Add(guessEvery+time.Second), k) {
		t.Error("a second try at once")
	}
	if k := key(3*maxGuessers - 1); !g.may(now.Add(guessEvery+guessMemory), k) {
		t.Error("it is never forgotten")
	}
}

// FuzzKeyedAccess plays keyed messages, transactions among them, at either end of a remote access: while it logs in, or after. What it did not ask for it does not take.
func FuzzKeyedAccess(f *testing.F) {
	config := func(op byte, x isakmp.Configuration) []byte {
		b, _ := isakmp.AppendPayloads(nil, []isakmp.Payload{{Type: isakmp.PayloadAttributes, Body: x.Append(nil)}})
		return append([]byte{op, uint8(isakmp.PayloadAttributes), uint8(len(b) >> 8), uint8(len(b))}, b...)
	}
	login := isakmp.Configuration{Type: isakmp.ConfigRequest, Attributes: []isakmp.Attribute{{Type: isakmp.XAuthUser}, {Type: isakmp.XAuthPassword}}}
	status := isakmp.Configuration{Type: isakmp.ConfigSet, Attributes: []isakmp.Attribute{isakmp.BasicAttribute(isakmp.XAuthStatus, 1)}}
	address := isakmp.Configuration{Type: isakmp.ConfigRequest, Attributes: []isakmp.Attribute{{Type: isakmp.ConfigIP4Address}, {Type: isakmp.ConfigIP4DNS}, {Type: isakmp.ConfigIP4Subnet}}}
	push := isakmp.Configuration{Type: isakmp.ConfigSet, Attributes: []isakmp.Attribute{{Type: isakmp.ConfigIP4Address, Value: []byte{10, 9, 0, 7}}}}
	all := []byte{}
	for i, x := range []isakmp.Configuration{login, status, address, push} {
		for _, end := range []byte{0, 1} {
			f.Add(end, config(byte(2+8*i), x))
		}
		all = append(all, config(byte(2+8*i), x)...)
	}
	for _, s := range seeds(f) {
		f.Add(byte(3), s)
		all = append(all, s...)
	}
	f.Add(byte(0), all)
	f.Add(byte(1), all)
	f.Fuzz(func(t *testing.T, where byte, script []byte) {
		c := newAccess(t, netip.MustParsePrefix("10.9.0.0/24"))
		n := int(where & 1)
		c.want(0)
		if where&2 == 0 { // while it logs in
			c.relay(start, func(_, _ int, d isakmp.Datagram) bool { return d.Data[18] == byte(isakmp.Transaction) })
		} else {
			c.deliver(start, 60)
		}
		for len(script) > 4 && len(c.m[n].established) == 1 {
			op, first, length := script[0], script[1], min(int(script[2])<<8|int(script[3]), len(script)-4)
			chain := script[4 : 4+length]
			script = script[4+length:]
			c.inject(n, []isakmp.ExchangeType{isakmp.QuickMode, isakmp.Informational, isakmp.Transaction}[op%3], uint32(op>>3)+1, isakmp.PayloadType(first), chain)
			for _, s := range c.m[n].established {
				if where == 1 && s.state == Established {
					t.Error("a gateway let in who had not logged in")
				}
				if len(s.transactions) > maxTransactions || s.config.address.IsValid() && s.role() == isakmp.Responder {
					t.Errorf("%d transactions, %v", len(s.transactions), s.config.address)
				}
			}
		}
		m := c.m[n]
		for now, i := start, 0; !m.Deadline().IsZero() && i < 3000; i++ { // nobody answers any more
			if d := m.Deadline(); d.After(now) {
				now = d
			}
			m.Advance(now)
			m.events = nil
		}
		if st := m.Stats(); st.MainModes+st.HalfOpen+st.Children != 0 || len(c.m[n].logins) != 0 {
			t.Errorf("left at the end: %+v", st)
		}
	})
}

// TestP32TransactionsWithoutARightHash have no effect on either end, while it logs in and after.
func TestP32TransactionsWithoutARightHash(t *testing.T) {
	questions := []isakmp.Configuration{
		{Type: isakmp.ConfigRequest, Attributes: []isakmp.Attribute{{Type: isakmp.XAuthUser}, {Type: isakmp.XAuthPassword}}},
		{Type: isakmp.ConfigRequest, Attributes: []isakmp.Attribute{{Type: isakmp.ConfigIP4Address}}},
		{Type: isakmp.ConfigSet, Attributes: []isakmp.Attribute{isakmp.BasicAttribute(isakmp.XAuthStatus, 0)}},
	}
	for n := range 2 {
		for _, after := range []bool{false, true} {
			c := newAccess(t, netip.MustParsePrefix("10.9.0.0/24"))
			c.want(0)
			c.relay(start, func(_, _ int, d isakmp.Datagram) bool { return !after && d.Data[18] == byte(isakmp.Transaction) })
			s, m := c.sa(n), c.m[n]
			was := s.state
			for i, q := range questions {
				id := uint32(500 + i)
				body, err := hashed(attributePayload(q), s.suite.hash.Size(), func([]byte) []byte { return make([]byte, s.suite.hash.Size()) })
				if err != nil {
					t.Fatal(err)
				}
				out, _ := s.sealed(isakmp.Transaction, id, isakmp.PayloadHash, body, s.firstIV(id))
				m.Receive(start, isakmp.Datagram{Local: s.local, Remote: s.remote, Data: out})
			}
			if sent := sentBy(m); len(sent) != 0 || s.state != was || m.stats.BadProofs != uint64(len(questions)) {
				t.Errorf("host %d, after %v: %d answers, %v, %+v", n, after, len(sent), s.state, m.stats)
			}
		}
	}
}
