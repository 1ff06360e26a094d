package ike

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/password"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// world is two engines, a clock and the wire between them. Everything is deterministic.
type world struct {
	tb    testing.TB
	now   time.Time
	hosts [2]*host
	wire  []flying
	sent  int
	// fate decides what becomes of the n-th datagram: the delays of its copies; none: lost. nil: one copy after 10 ms.
	fate   func(n int, from int, d isakmp.Datagram) []time.Duration
	mangle func(n int, d []byte) []byte
	// judge answers a question about a certificate, after a while. nil: as an endpoint would that finds nothing revoked, at once.
	judge    func(n int, ask isakmp.Ask) (time.Duration, isakmp.Verdict)
	verdicts []answering
	nat      func(d isakmp.Datagram) isakmp.Datagram
	trace    *strings.Builder
	seq      int
}

type flying struct {
	at   time.Time
	to   int
	seq  int
	data isakmp.Datagram
}

type answering struct {
	at      time.Time
	to      int
	id      uint64
	verdict isakmp.Verdict
}

// host is one engine with what its owner would keep: which children accept, and which one is in use for what traffic.
type host struct {
	w        *world
	n        int
	e        *Engine
	addr     netip.Addr
	compiled *policy.Compiled
	inbound  map[uint32]uint64 // SPI → child
	reserved map[uint32]bool
	children map[uint64]*isakmp.ChildSA // up
	ready    map[uint64]*isakmp.ChildSA // inbound only
	inUse    map[isakmp.Selector]uint64
	failed   []isakmp.Failed
	// unanswered are the times, since the start, at which the peer's silence was told of.
	unanswered []time.Duration
	peersUp    map[uint64]isakmp.PeerInfo
	logs       []isakmp.Log
	keep       int
	nextSPI    uint32
	downs      []isakmp.ChildDown
	peerDown   []isakmp.PeerDown
	users      map[string]string // passwords by name
	logins     int
	assigned   []isakmp.Configured
	queues     int
	ups        int
	reject     bool // it deletes each child as soon as it is up
	alone      bool // it refuses children for other queues than the first, although it has said that it works in several
}

var (
	addrA = netip.MustParseAddr("192.0.2.1")
	addrB = netip.MustParseAddr("192.0.2.2")
	epoch = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
)

// seeded is a deterministic source of bytes.
type seeded struct{ *rand.ChaCha8 }

func newSeeded(n uint64) seeded {
	var seed [32]byte
	seed[0], seed[1], seed[2], seed[3] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
	return seeded{rand.NewChaCha8(seed)}
}

// settings is a policy in a few words; its mirror image is the peer's.
type settings struct {
	psk      string
	tunnel   bool
	methods  []policy.Method
	pfs      suite.Group
	main     []policy.MainModeMethod
	life     time.Duration
	quick    uint32
	peer     policy.PeerOptions
	localID  string
	remoteID string
	proto    uint8
	dstPort  uint16
	fallback *policy.Fallback
	auth     func(n int) []policy.AuthMethod // of host n, in place of the pre-shared key
	// access makes host 1 a gateway that assigns addresses of accessPool to host 0; with a login, host 0 logs in with it and host 1 knows users.
	access     bool
	aggressive bool
	push       bool
	login      string // NAME:PASSWORD
	users      map[string]string
	respond    bool     // the rule is the default response rule
	queues     int      // that the host works in; 0: one
	ports      []uint16 // a filter for each port of host 1, TCP
}

var (
	accessPool = netip.MustParsePrefix("10.9.0.0/24")
	accessDNS  = netip.MustParseAddr("10.2.0.53")
)

// remoteAccess makes a rule one of a client or of its gateway.
func (s settings) remoteAccess(r *policy.Rule, local, remote netip.Addr, n int) {
	inside := policy.AddrSpec{Kind: policy.Subnet, Range: classifier.RangeOf(tunnelNets[1])}
	if n == 0 {
		r.Tunnel = &policy.Tunnel{Local: local, Remote: remote, AskAddress: true}
		r.Filters = []policy.GenericFilter{{Src: policy.AddrSpec{Kind: policy.Me}, Dst: inside}}
	} else {
		r.Tunnel = &policy.Tunnel{Local: local, Pool: accessPool, DNS: []netip.Addr{accessDNS}, Push: s.push}
		r.Filters = []policy.GenericFilter{{Src: inside, Dst: policy.AddrSpec{Kind: policy.Subnet, Range: classifier.RangeOf(accessPool)}}}
	}
	if s.login == "" {
		return
	}
	user, secret, _ := strings.Cut(s.login, ":")
	r.Auth[0].XAuth = &policy.XAuth{User: user, Password: policy.NewSecret([]byte(secret))}
	if n == 1 {
		r.Auth[0].XAuth = &policy.XAuth{Users: map[string]password.Hash{}}
		for user := range s.users {
			r.Auth[0].XAuth.Users[user] = password.Nobody()
		}
	}
}

func espMethod(e suite.Encr, bits int, i suite.Integ) policy.Method {
	return policy.Method{ESP: &policy.ESPMethod{Encr: e, KeyBits: bits, Integ: i}}
}

func defaults() settings {
	return settings{psk: "a pre-shared key for tests only", methods: []policy.Method{espMethod(suite.AESCBC, 128, suite.HMACSHA1_96)},
		main: []policy.MainModeMethod{{Encr: suite.AESCBC, KeyBits: 128, Hash: suite.SHA1, Group: suite.Curve25519}}}
}

var tunnelNets = [2]netip.Prefix{netip.MustParsePrefix("10.1.0.0/24"), netip.MustParsePrefix("10.2.0.0/24")}

func compile(tb testing.TB, s settings, local, remote netip.Addr, n int) *policy.Compiled {
	tb.Helper()
	r := &policy.Rule{Name: "r", Action: policy.FilterAction{Name: "a", Kind: policy.Negotiate, Methods: s.methods, PFS: s.pfs, Fallback: s.fallback},
		Auth: []policy.AuthMethod{{Kind: policy.PSK, PSK: policy.NewSecret([]byte(s.psk)), LocalID: s.localID, RemoteID: s.remoteID}}, Peer: s.peer}
	if s.auth != nil {
		r.Auth = s.auth(n)
	}
	host := func(a netip.Addr) policy.AddrSpec {
		return policy.AddrSpec{Kind: policy.Host, Range: classifier.HostRange(a)}
	}
	net := func(p netip.Prefix) policy.AddrSpec {
		return policy.AddrSpec{Kind: policy.Subnet, Range: classifier.RangeOf(p)}
	}
	f := policy.GenericFilter{Src: policy.AddrSpec{Kind: policy.Me}, Dst: host(remote), Proto: s.proto, Mirrored: true}
	if s.dstPort != 0 {
		f.DstPorts = classifier.Port(s.dstPort)
		if n == 1 {
			f.SrcPorts, f.DstPorts = f.DstPorts, classifier.Ports{}
		}
	}
	if s.tunnel {
		r.Tunnel = &policy.Tunnel{Local: local, Remote: remote}
		f.Src, f.Dst = net(tunnelNets[n]), net(tunnelNets[1-n])
	}
	r.Filters = []policy.GenericFilter{f}
	if s.access {
		s.remoteAccess(r, local, remote, n)
	}
	r.Aggressive = s.aggressive
	for i, p := range s.ports {
		if f.Proto, f.DstPorts = 6, classifier.Port(p); i == 0 {
			r.Filters = nil
		}
		if n == 1 {
			f.SrcPorts, f.DstPorts = f.DstPorts, classifier.Ports{}
		}
		r.Filters = append(r.Filters, f)
	}
	if s.respond {
		r.Filters = nil
		c, err := policy.Compile(&policy.Policy{Name: "p", DefaultResponse: r, KeyExchange: policy.KeyExchange{Methods: s.main, Lifetime: s.life, QuickModes: s.quick}}, []netip.Addr{local})
		if err != nil {
			tb.Fatal(err)
		}
		return c
	}
	c, err := policy.Compile(&policy.Policy{Name: "p", Rules: []*policy.Rule{r}, KeyExchange: policy.KeyExchange{Methods: s.main, Lifetime: s.life, QuickModes: s.quick}},
		[]netip.Addr{local})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func newWorld(tb testing.TB, a, b settings) *world { return newWorldSeed(tb, a, b, 1) }

func newWorldSeed(tb testing.TB, a, b settings, seed uint64) *world {
	tb.Helper()
	w := &world{tb: tb, now: epoch}
	addrs := [2]netip.Addr{addrA, addrB}
	for n, s := range []settings{a, b} {
		c := compile(tb, s, addrs[n], addrs[1-n], n)
		h := &host{w: w, n: n, addr: addrs[n], compiled: c, nextSPI: uint32(0x1000 * (n + 1)), users: s.users, queues: s.queues, peersUp: map[uint64]isakmp.PeerInfo{}}
		h.boot(seed*2 + uint64(n))
		w.hosts[n] = h
	}
	return w
}

// boot makes a fresh engine: the host has just started.
func (h *host) boot(seed uint64) {
	h.inbound, h.reserved, h.children = map[uint32]uint64{}, map[uint32]bool{}, map[uint64]*isakmp.ChildSA{}
	h.ready, h.inUse = map[uint64]*isakmp.ChildSA{}, map[isakmp.Selector]uint64{}
	rng := newSeeded(seed)
	e, err := New(Config{Rand: rng, Policy: h.compiled, Queues: h.queues, NewSPI: func(_ suite.Protocol, queue int) (uint32, error) {
		if h.alone && queue > 0 {
			return 0, errors.New("one SA for each traffic")
		}
		var b [4]byte
		_, _ = rng.Read(b[:])
		spi := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]) | 0x1000
		h.reserved[spi] = true
		return spi, nil
	}})
	if err != nil {
		h.w.tb.Fatal(err)
	}
	h.e = e
}

// drain obeys a host's events.
func (w *world) drain() {
	for _, h := range w.hosts {
		for ev, ok := h.e.Next(); ok; ev, ok = h.e.Next() {
			h.apply(ev)
		}
	}
}

func (h *host) apply(ev isakmp.Event) {
	w := h.w
	switch ev := ev.(type) {
	case isakmp.Transmit:
		w.transmit(h.n, ev.Datagram)
	case isakmp.InboundReady:
		h.accept(ev.Child)
		h.ready[ev.Child.ID] = ev.Child
	case isakmp.ChildUp:
		if _, ok := h.ready[ev.Child.ID]; !ok {
			h.accept(ev.Child)
		}
		delete(h.ready, ev.Child.ID)
		if h.children[ev.Child.ID] != nil {
			w.tb.Errorf("child %d came up twice", ev.Child.ID)
		}
		h.children[ev.Child.ID] = ev.Child
		h.inUse[ev.Child.Selector] = ev.Child.ID
		h.ups++
		if h.reject {
			_ = h.e.Delete(w.now, ev.Child.ID)
		}
	case isakmp.ChildDown:
		c := h.children[ev.ID]
		if c == nil {
			c = h.ready[ev.ID]
		}
		if c == nil {
			w.tb.Errorf("host %d: ChildDown for %d, which is not there", h.n, ev.ID)
			return
		}
		for _, p := range c.Protocols {
			delete(h.inbound, p.SPIIn)
			delete(h.reserved, p.SPIIn)
		}
		delete(h.children, ev.ID)
		delete(h.ready, ev.ID)
		if h.inUse[c.Selector] == ev.ID {
			delete(h.inUse, c.Selector)
		}
		h.downs = append(h.downs, ev)
	case isakmp.SPIReleased:
		for _, spi := range ev.SPIs {
			if !h.reserved[spi] || h.inbound[spi] != 0 {
				w.tb.Errorf("host %d: SPI %x released that is not only reserved", h.n, spi)
			}
			delete(h.reserved, spi)
		}
	case isakmp.Ask:
		judge := w.judge
		if judge == nil {
			judge = w.trust
		}
		delay, v := judge(h.n, ev)
		w.verdicts = append(w.verdicts, answering{w.now.Add(delay), h.n, ev.ID, v})
	case isakmp.Failed:
		h.failed = append(h.failed, ev)
	case isakmp.Unanswered:
		h.unanswered = append(h.unanswered, w.now.Sub(epoch))
	case isakmp.PeerUp:
		h.peersUp[ev.Peer.ID] = ev.Peer
	case isakmp.PeerDown:
		if _, ok := h.peersUp[ev.ID]; !ok {
			w.tb.Errorf("host %d: PeerDown for %d, which is not up", h.n, ev.ID)
		}
		delete(h.peersUp, ev.ID)
		h.peerDown = append(h.peerDown, ev)
	case isakmp.Log:
		h.logs = append(h.logs, ev)
	case isakmp.Keepalive:
		h.keep++
	case isakmp.AskLogin:
		h.logins++
		want, known := h.users[ev.User]
		h.e.AnswerLogin(w.now, ev.ID, known && want == string(ev.Password.Bytes()))
	case isakmp.Configured:
		h.assigned = append(h.assigned, ev)
		h.assign(ev)
	}
}

// assign does what an owner does with an assigned address: the policy is expanded with it, and the rule's children are asked for.
func (h *host) assign(ev isakmp.Configured) {
	p := h.compiled.Policy.Assign(map[string]netip.Prefix{ev.Rule: netip.PrefixFrom(ev.Address, ev.Address.BitLen())})
	c, err := policy.Compile(p, []netip.Addr{h.addr})
	if err != nil {
		h.w.tb.Fatal(err)
	}
	h.compiled = c
	h.e.SetPolicy(h.w.now, c)
	f := h.filter()
	h.e.Acquire(h.w.now, f, packet.Key{Src: f.Filter.Src.From, Dst: f.Filter.Dst.From}, h.addr, ev.Remote.Addr())
}

func (h *host) accept(c *isakmp.ChildSA) {
	for _, p := range c.Protocols {
		if !h.reserved[p.SPIIn] {
			h.w.tb.Errorf("host %d accepts SPI %x that was never reserved", h.n, p.SPIIn)
		}
		h.inbound[p.SPIIn] = c.ID
	}
}

func (w *world) transmit(from int, d isakmp.Datagram) {
	n := w.sent
	w.sent++
	d.Data = slices.Clone(d.Data)
	delays := []time.Duration{10 * time.Millisecond}
	if w.fate != nil {
		delays = w.fate(n, from, d)
	}
	if w.mangle != nil {
		d.Data = w.mangle(n, d.Data)
	}
	if w.trace != nil {
		h, _ := isakmp.ParseHeader(d.Data)
		fmt.Fprintf(w.trace, "%8.3f %d→%d %v %d bytes\n", w.now.Sub(epoch).Seconds(), from, 1-from, h.Exchange, len(d.Data))
	}
	d.Local, d.Remote = d.Remote, d.Local
	if w.nat != nil {
		d = w.nat(d)
	}
	for _, delay := range delays {
		w.seq++
		w.wire = append(w.wire, flying{at: w.now.Add(delay), to: 1 - from, seq: w.seq, data: d})
	}
}

// step goes on to the next thing that happens, at most until end. It reports false if that is all.
func (w *world) step(end time.Time) bool {
	w.drain()
	next, which, flight, answer := end, -1, -1, -1
	for i, f := range w.wire {
		if !f.at.After(next) && (flight < 0 || f.at.Before(w.wire[flight].at) || f.at.Equal(w.wire[flight].at) && f.seq < w.wire[flight].seq) {
			next, flight = f.at, i
		}
	}
	for i, v := range w.verdicts {
		if v.at.Before(next) || v.at.Equal(next) && answer < 0 {
			next, answer = v.at, i
		}
	}
	for i, h := range w.hosts {
		if d := h.e.Deadline(); !d.IsZero() && d.Before(next) {
			next, which = d, i
		}
	}
	if next.After(w.now) {
		w.now = next
	}
	switch {
	case which >= 0:
		w.hosts[which].e.Advance(w.now)
	case answer >= 0:
		v := w.verdicts[answer]
		w.verdicts = slices.Delete(w.verdicts, answer, answer+1)
		w.hosts[v.to].e.Answer(w.now, v.id, v.verdict)
	case flight >= 0:
		f := w.wire[flight]
		w.wire = slices.Delete(w.wire, flight, flight+1)
		w.hosts[f.to].e.Receive(w.now, f.data)
	default:
		return false
	}
	return true
}

func (w *world) run(d time.Duration) {
	for end := w.now.Add(d); w.step(end); {
	}
	w.drain()
	for _, h := range w.hosts {
		if p := h.e.Stats().Panics; p != 0 {
			w.tb.Fatalf("host %d: %d panics: %v", h.n, p, h.logs)
		}
	}
}

// want asks host n for protection, as its data plane would.
func (w *world) want(n int) {
	h := w.hosts[n]
	w.wantBy(n, h.filter())
}

// wantBy is want for one of several filters.
func (w *world) wantBy(n int, f *policy.QuickModeFilter) {
	h := w.hosts[n]
	h.e.Acquire(w.now, f, packet.Key{Src: h.addr, Dst: w.hosts[1-n].addr}, h.addr, w.hosts[1-n].addr)
	w.drain()
}

// filters are all by which a host negotiates.
func (h *host) filters() (list []*policy.QuickModeFilter) {
	for _, f := range h.compiled.Outbound {
		if f.Action == policy.Negotiate {
			list = append(list, f)
		}
	}
	return list
}

func (h *host) filter() *policy.QuickModeFilter {
	for _, f := range h.compiled.Outbound {
		if f.Action == policy.Negotiate {
			return f
		}
	}
	h.w.tb.Fatal("no negotiate filter")
	return nil
}

// agree checks that both ends hold the same SA pairs with the same keys, and at least want of them in use.
func (w *world) agree(want int) {
	w.tb.Helper()
	a, b := w.hosts[0], w.hosts[1]
	describe := func(c *isakmp.ChildSA, flip bool) string {
		s := ""
		for _, p := range c.Protocols {
			in, out := fmt.Sprintf("%x %x %x", p.SPIIn, p.EncrIn, p.IntegIn), fmt.Sprintf("%x %x %x", p.SPIOut, p.EncrOut, p.IntegOut)
			if flip {
				in, out = out, in
			}
			s += fmt.Sprintf("%d %v %d %v in %s out %s; ", p.Protocol, p.Encr, p.KeyBits, p.Integ, in, out)
		}
		return s + fmt.Sprint(c.Mode, c.ESN, c.Seconds, c.Kilobytes)
	}
	set := func(h *host, flip bool) []string {
		var out []string
		for _, c := range h.children {
			out = append(out, describe(c, flip))
		}
		for _, c := range h.ready {
			out = append(out, describe(c, flip))
		}
		slices.Sort(out)
		return out
	}
	if x, y := set(a, false), set(b, true); !slices.Equal(x, y) {
		w.tb.Errorf("the ends disagree:\n%s\n%s", strings.Join(x, "\n"), strings.Join(y, "\n"))
	}
	if len(a.inUse) < want || len(b.inUse) < want {
		w.tb.Errorf("%d and %d selectors in use, want %d; failures %v %v", len(a.inUse), len(b.inUse), want, a.failed, b.failed)
	}
	for _, h := range w.hosts {
		for spi := range h.reserved {
			if h.inbound[spi] == 0 {
				w.tb.Errorf("host %d: SPI %x leaked", h.n, spi)
			}
		}
		if s := h.e.Stats(); s.HalfOpen != 0 {
			w.tb.Errorf("host %d: %d half-open left", h.n, s.HalfOpen)
		}
	}
	// What each end sends, the other accepts.
	for i, h := range w.hosts {
		for _, id := range h.inUse {
			for _, p := range h.children[id].Protocols {
				if w.hosts[1-i].inbound[p.SPIOut] == 0 {
					w.tb.Errorf("host %d sends on SPI %x, which the other end does not accept", i, p.SPIOut)
				}
			}
		}
	}
}
