package dataplane

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	mathrand "math/rand/v2"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/ah"
	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/esp"
	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/tun"
)

// world is two planes joined by a wire, driven in one goroutine: what one sends the other receives when the test says so.
type world struct {
	t    *testing.T
	now  time.Time
	a, b *side
	wire *netio.Wire
}

type side struct {
	w       *world
	addr    [2]netip.Addr // IPv4 and IPv6
	plane   *Plane
	host    *tun.Host
	events  chan Event
	control chan Datagram
	out     outbound
	conns   []netio.Conn
	ins     []*inbound
	db      *sa.DB
}

// setup says how the two sides protect their traffic.
type setup struct {
	mode   suite.Mode
	udp    bool
	v6     bool // outer family
	inner6 bool
	esp    bool
	ah     bool
	encr   suite.Encr
	integ  suite.Integ
	esn    bool
	mtu    int
	filter classifier.Filter // A's outbound; the zero value is everything between the two inner networks or hosts
	df     string
	life   sa.Lifetime // of the outermost SA
	id     string      // of A's filter; "": f
	inside sa.Lifetime // of the ESP SA inside AH
}

// populous makes worlds with so many SAs that batches are looked at ahead.
var populous bool

// TestMain runs all tests in worlds of few SAs and again in those of many: what is sent, dropped and delivered must be the same.
func TestMain(m *testing.M) {
	code := m.Run()
	populous = true
	os.Exit(max(code, m.Run()))
}

// populate installs SAs that nobody sends to.
func populate(t *testing.T, db *sa.DB, now time.Time) {
	for range many {
		spi, err := db.Reserve()
		check(t, err)
		check(t, db.Install(sa.NewInbound(sa.InboundConfig{SPI: spi, Protocol: suite.ESP}, now)))
	}
}

func newWorld(t *testing.T) *world { return newNarrowWorld(t, 0) }

// newNarrowWorld is a world whose wire takes no datagram above an MTU.
func newNarrowWorld(t *testing.T, mtu int) *world {
	w := &world{t: t, now: time.Unix(1_700_000_000, 0), wire: netio.NewWire(netio.WireConfig{MTU: mtu}, time.Unix(1_700_000_000, 0))}
	w.a = w.newSide("192.0.2.1", "2001:db8::1")
	w.b = w.newSide("192.0.2.2", "2001:db8::2")
	return w
}

func (w *world) newSide(v4, v6 string) *side {
	s := &side{w: w, addr: [2]netip.Addr{netip.MustParseAddr(v4), netip.MustParseAddr(v6)}, events: make(chan Event, 64),
		control: make(chan Datagram, 4), db: sa.NewDB(mathrand.NewChaCha8([32]byte{}), 64+many)} // the same SPIs each time: now and then a random one would be that of a test
	if populous {
		populate(w.t, s.db, w.now)
	}
	device, host := tun.Pipe(1400)
	s.host = host
	cfg := Config{TUN: device, DB: s.db, Clock: func() time.Time { return w.now }, Events: s.events, Control: s.control, Rand: rand.Reader, MTU: 1400}
	raw := [2]netio.Conn{w.wire.Attach(netip.AddrPortFrom(s.addr[0], 0)), w.wire.Attach(netip.AddrPortFrom(s.addr[1], 0))}
	for i := range 2 {
		u := w.wire.Attach(netip.AddrPortFrom(s.addr[i], 4500))
		cfg.UDP = append(cfg.UDP, Socket{Conn: u, Marker: true}, Socket{Conn: w.wire.Attach(netip.AddrPortFrom(s.addr[i], 500))})
		cfg.Raw = append(cfg.Raw, raw[i])
	}
	cfg.IP = families{raw}
	p, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	s.plane = p
	s.out.init(p)
	for i := range p.cfg.UDP {
		s.ins = append(s.ins, newInbound(p, &p.cfg.UDP[i], 0))
		s.conns = append(s.conns, p.cfg.UDP[i].Conn)
	}
	for _, c := range cfg.Raw {
		s.ins = append(s.ins, newInbound(p, nil, 0))
		s.conns = append(s.conns, c)
	}
	return s
}

// families sends whole datagrams by the raw socket of their family.
type families struct{ raw [2]netio.Conn }

func (f families) ReadBatch([]netio.Message) (int, error) { select {} }
func (f families) LocalAddr() netip.AddrPort              { return f.raw[0].LocalAddr() }
func (f families) Close() error                           { return nil }
func (f families) WriteBatch(msgs []netio.Message) (sent int, err error) {
	for i := range msgs {
		c := f.raw[0]
		if msgs[i].Remote.Addr().Is6() {
			c = f.raw[1]
		}
		n, e := c.WriteBatch(msgs[i : i+1])
		sent += n
		err = errors.Join(err, e)
	}
	return sent, err
}

// send gives datagrams to a side's plane as its TUN device would, in one batch.
func (s *side) send(packets ...[]byte) {
	var list []tun.Packet
	for _, p := range packets {
		list = append(list, tun.Packet{Buf: append([]byte(nil), p...), N: len(p)})
	}
	s.out.batch(list)
}

// receive takes everything that has arrived, and returns what the plane delivered to its host.
func (s *side) receive() [][]byte {
	for i, c := range s.conns {
		in := s.ins[i]
		for {
			n := c.(netio.TryReader).TryRead(in.msgs)
			if n == 0 {
				break
			}
			in.now = s.w.now
			in.batch(in.msgs[:n])
		}
	}
	return s.delivered()
}

// delivered drains the host's end of the TUN device.
func (s *side) delivered() [][]byte {
	var list [][]byte
	for {
		d, ok := s.host.TryReceive()
		if !ok {
			return list
		}
		list = append(list, d)
	}
}

// protect gives both sides a policy with one rule and SAs for it.
func (w *world) protect(s setup) {
	w.t.Helper()
	f := s.filter
	if !f.Src.IsValid() {
		f = w.defaultFilter(s)
	}
	rule := &policy.Rule{Name: "test", Action: policy.FilterAction{Kind: policy.Negotiate}}
	family := 0
	if s.v6 {
		family = 1
	}
	if s.mode == suite.Tunnel {
		rule.Tunnel = &policy.Tunnel{Local: w.a.addr[family], Remote: w.b.addr[family]}
	}
	back := &policy.Rule{Name: "test", Action: rule.Action}
	if rule.Tunnel != nil {
		back.Tunnel = &policy.Tunnel{Local: rule.Tunnel.Remote, Remote: rule.Tunnel.Local}
	}
	w.a.apply(&policy.QuickModeFilter{ID: "f", Filter: f, Action: policy.Negotiate, Rule: rule})
	w.b.apply(&policy.QuickModeFilter{ID: "f", Filter: f.Mirror(), Action: policy.Negotiate, Rule: back})
	w.key(s, f)
}

func (s *side) apply(filters ...*policy.QuickModeFilter) {
	s.plane.Apply(&policy.Compiled{Policy: &policy.Policy{}, Outbound: filters})
}

func (w *world) defaultFilter(s setup) classifier.Filter {
	if s.mode == suite.Transport {
		family := 0
		if s.v6 {
			family = 1
		}
		return classifier.Filter{Src: classifier.HostRange(w.a.addr[family]), Dst: classifier.HostRange(w.b.addr[family])}
	}
	if s.inner6 {
		return classifier.Filter{Src: subnet("fd00:1::/64"), Dst: subnet("fd00:2::/64")}
	}
	return classifier.Filter{Src: subnet("10.1.0.0/24"), Dst: subnet("10.2.0.0/24")}
}

func subnet(s string) classifier.Range { return classifier.RangeOf(netip.MustParsePrefix(s)) }

// key makes SAs in both directions.
func (w *world) key(s setup, f classifier.Filter) {
	w.pair(w.a, w.b, s, f, 0x1000)
	w.pair(w.b, w.a, s, f.Mirror(), 0x2000)
}

// pair makes the SAs from one side to the other.
func (w *world) pair(from, to *side, s setup, f classifier.Filter, spi uint32) {
	w.t.Helper()
	family := 0
	if s.v6 {
		family = 1
	}
	var port uint16
	if s.udp {
		port = 4500
	}
	local, remote := netip.AddrPortFrom(from.addr[family], port), netip.AddrPortFrom(to.addr[family], port)
	mtu := s.mtu
	if mtu == 0 {
		mtu = 1500
	}
	b := &Bundle{Mode: s.mode, MTU: int32(mtu), Child: 1, DF: DFOf(s.df)}
	outer, inner := s.life, s.life
	if s.ah {
		inner = s.inside
	}
	var under *sa.Inbound
	if s.ah {
		key := bytes.Repeat([]byte{7}, 32)
		seal, err := ah.NewSealer(suite.HMACSHA256_128, key, spi+1, s.esn, s.v6)
		check(w.t, err)
		open, err := ah.NewOpener(suite.HMACSHA256_128, key, spi+1, s.esn)
		check(w.t, err)
		b.AH = sa.NewOutbound(sa.OutboundConfig{SPI: spi + 1, Protocol: suite.AH, Mode: s.mode, Sealer: seal, Local: local, Remote: remote, ESN: s.esn, Lifetime: outer}, w.now)
		under = sa.NewInbound(sa.InboundConfig{SPI: spi + 1, Protocol: suite.AH, Mode: s.mode, Opener: open, Local: remote, Remote: local, ESN: s.esn, Selector: f, ID: 1, Bundled: s.esp, Lifetime: outer}, w.now)
		check(w.t, to.db.InstallManual(under))
		b.Outer = b.AH.Config()
	}
	if s.esp {
		encr, integ := s.encr, s.integ
		if encr == 0 {
			encr = suite.AESGCM16
		}
		key := bytes.Repeat([]byte{9}, encr.KeyMatLen(128))
		ikey := bytes.Repeat([]byte{8}, integ.KeyMatLen())
		seal, err := esp.NewSealer(encr, key, integ, ikey, spi, s.esn, rand.Reader)
		check(w.t, err)
		open, err := esp.NewOpener(encr, key, integ, ikey, spi, s.esn)
		check(w.t, err)
		b.ESP = sa.NewOutbound(sa.OutboundConfig{SPI: spi, Protocol: suite.ESP, Mode: s.mode, Sealer: seal, Local: local, Remote: remote, ESN: s.esn, Lifetime: inner}, w.now)
		in := sa.NewInbound(sa.InboundConfig{SPI: spi, Protocol: suite.ESP, Mode: s.mode, Opener: open, Local: remote, Remote: local, ESN: s.esn, Selector: f, ID: 1, Under: under, Lifetime: inner}, w.now)
		check(w.t, to.db.InstallManual(in))
		if b.Outer == nil {
			b.Outer = b.ESP.Config()
		}
	}
	if !from.plane.Install(cmp.Or(s.id, "f"), Pair{f.Src.From, f.Dst.From}, b) {
		w.t.Fatal("the bundle was not installed")
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// udp makes a UDP datagram of n bytes of payload with a right checksum.
func udp(src, dst string, n int) []byte { return udpPorts(src, dst, 4000, 4001, n) }

func udpPorts(src, dst string, sport, dport uint16, n int) []byte {
	o := packet.Outer{Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), Proto: 17, TTL: 64, DF: true, TOS: 0x28}
	b := make([]byte, o.Len()+8+n)
	o.Put(b, len(b))
	u := b[o.Len():]
	binary.BigEndian.PutUint16(u, sport)
	binary.BigEndian.PutUint16(u[2:], dport)
	binary.BigEndian.PutUint16(u[4:], uint16(8+n))
	for i := range n {
		u[8+i] = byte(i)
	}
	var h packet.Header
	if err := h.Parse(b); err != nil {
		panic(err)
	}
	packet.FixTransportChecksum(b, &h)
	return b
}

// conserve checks the law of conservation on one side.
func (s *side) conserve() {
	s.w.t.Helper()
	c := &s.plane.count
	drops := func(list ...Drop) (n uint64) {
		for _, d := range list {
			n += c.Count(d)
		}
		return n
	}
	waiting := c.Fragments.Load() - c.Joined.Load() - c.Count(Reassembly)
	if held := s.plane.frags.table.Stats.Held; waiting != held {
		s.w.t.Errorf("%d fragments are said to wait, and %d do", waiting, held)
	}
	in := c.FromTUN.Load() + c.Whole.Load() + c.Released.Load() + c.Split.Load()
	out := c.Sealed.Load() + c.Permitted.Load() + c.Soft.Load() + c.Joined.Load() + waiting + c.Held.Load() +
		drops(Malformed, Blocked, NoSA, Oversize, OutboundLimit, Reassembly, SendFailed, NoPath, DeviceNoise, UnfitTransform)
	if in != out {
		s.w.t.Errorf("outbound: %d packets came in and %d are accounted for: %v", in, out, c.Drops())
	}
}
