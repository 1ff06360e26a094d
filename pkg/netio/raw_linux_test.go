package netio

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/goipsec/goipsec/pkg/testnet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ip4 returns an IPv4 datagram with an identification, a TOS and DF as given.
func ip4(src, dst string, proto, tos uint8, id uint16, df bool, payload []byte) []byte {
	b := make([]byte, 20, 20+len(payload))
	b[0], b[1], b[8], b[9] = 0x45, tos, 61, proto
	binary.BigEndian.PutUint16(b[4:], id)
	if df {
		b[6] = 0x40
	}
	s, d := netip.MustParseAddr(src).As4(), netip.MustParseAddr(dst).As4()
	copy(b[12:], s[:])
	copy(b[16:], d[:])
	return append(b, payload...)
}

// ip6 returns an IPv6 datagram; next is the protocol of what body begins with.
func ip6(src, dst string, next, tos uint8, flow uint32, body []byte) []byte {
	b := make([]byte, 40)
	putIP6Header(b, uint32(tos)<<20|flow, len(body), next, 61, netip.MustParseAddr(src), netip.MustParseAddr(dst))
	return append(b, body...)
}

func openBoth(t *testing.T, other *testnet.Host, proto uint8, here, there string) (a, b Conn) {
	t.Helper()
	open := func(addr string) Conn {
		c, err := ListenRaw(proto, netip.MustParseAddr(addr), Options{Mark: 7})
		if err != nil {
			t.Error(err)
			return nil
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	a = open(here)
	other.Do(func() { b = open(there) })
	if a == nil || b == nil {
		t.FailNow()
	}
	return a, b
}

// readOne returns the next datagram.
func readOne(t *testing.T, c Conn) Message {
	t.Helper()
	msgs := room(1)
	if n, err := c.ReadBatch(msgs); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	return msgs[0]
}

func TestRawIPv4CarriesWholeDatagrams(t *testing.T) {
	testnet.Need(t)
	other := link(t, 1500)
	for _, proto := range []uint8{ProtoESP, ProtoAH} {
		for _, where := range [][2]string{{"10.9.0.1", "10.9.0.2"}, {"0.0.0.0", "0.0.0.0"}} {
			a, b := openBoth(t, other, proto, where[0], where[1])
			sent := ip4("10.9.0.1", "10.9.0.2", proto, 0xba, 0x1234, false, pattern(900))
			if n, err := a.WriteBatch([]Message{{Buf: sent, N: len(sent)}}); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			m := readOne(t, b)
			got := m.Bytes()
			// The kernel fills in length and checksum.
			if int(binary.BigEndian.Uint16(got[2:])) != len(sent) || !checksumOK(got[:20]) {
				t.Errorf("header %x", got[:20])
			}
			clear(got[2:4])
			clear(got[10:12])
			if !bytes.Equal(got, sent) {
				t.Errorf("got  %x\nsent %x", got[:40], sent[:40])
			}
			if m.Remote != netip.MustParseAddrPort("10.9.0.1:0") || m.Local != netip.MustParseAddrPort("10.9.0.2:0") || m.TOS != 0xba {
				t.Errorf("%+v", m)
			}
			a.Close()
			b.Close()
		}
	}
}

func TestRawIPv4FragmentsArriveWhole(t *testing.T) {
	testnet.Need(t)
	a, b := openBoth(t, link(t, 1500), ProtoESP, "10.9.0.1", "10.9.0.2")
	payload := pattern(2400)
	first := ip4("10.9.0.1", "10.9.0.2", ProtoESP, 0, 77, false, payload[:1200])
	first[6] = 0x20 // more fragments
	second := ip4("10.9.0.1", "10.9.0.2", ProtoESP, 0, 77, false, payload[1200:])
	second[7] = 1200 / 8
	if n, err := a.WriteBatch([]Message{{Buf: second, N: len(second)}, {Buf: first, N: len(first)}}); n != 2 {
		t.Fatal(n, err)
	}
	if m := readOne(t, b); !bytes.Equal(m.Bytes()[20:], payload) {
		t.Errorf("%d octets came", m.N)
	}
}

func TestRawIPv6HeaderIsRebuilt(t *testing.T) {
	testnet.Need(t)
	other := link(t, 1500)
	hopByHop := "00" + "00" + "010400000000"                                          // next, length, PadN
	routing := "00" + "02" + "0000" + "00000000" + "fd0900000000000000000000000000aa" // segments left 0: for the last node
	dstOpts := "00" + "00" + "1e0400000000"                                           // an unknown option that may be skipped
	for name, exts := range map[string][]struct {
		proto uint8
		body  string
	}{
		"none":       nil,
		"hop-by-hop": {{0, hopByHop}},
		"all":        {{0, hopByHop}, {60, dstOpts}, {43, routing}, {60, dstOpts}},
	} {
		for _, proto := range []uint8{ProtoESP, ProtoAH} {
			a, b := openBoth(t, other, proto, "fd09::1", "::")
			var body []byte
			next := proto
			for i, e := range exts {
				h, _ := hex.DecodeString(e.body)
				if h[0] = proto; i+1 < len(exts) {
					h[0] = exts[i+1].proto
				}
				body = append(body, h...)
			}
			if len(exts) > 0 {
				next = exts[0].proto
			}
			sent := ip6("fd09::1", "fd09::2", next, 0x2e, 0xabcde, append(body, pattern(700)...))
			if n, err := a.WriteBatch([]Message{{Buf: sent, N: len(sent)}}); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			m := readOne(t, b)
			if !bytes.Equal(m.Bytes(), sent) {
				t.Errorf("%s, protocol %d:\ngot  %x\nsent %x", name, proto, m.Bytes()[:min(130, m.N)], sent[:130])
			}
			if m.Remote != netip.MustParseAddrPort("[fd09::1]:0") || m.Local != netip.MustParseAddrPort("[fd09::2]:0") || m.TOS != 0x2e {
				t.Errorf("%+v", m)
			}
			a.Close()
			b.Close()
		}
	}
}

func TestRawWithoutRoomOrOfTheWrongFamily(t *testing.T) {
	testnet.Need(t)
	a, b := openBoth(t, link(t, 1500), ProtoESP, "fd09::1", "fd09::2")
	big := ip6("fd09::1", "fd09::2", ProtoESP, 0, 0, pattern(600))
	small := ip6("fd09::1", "fd09::2", ProtoESP, 0, 0, pattern(60))
	wrong := ip4("10.9.0.1", "10.9.0.2", ProtoESP, 0, 1, false, pattern(60))
	n, err := a.WriteBatch([]Message{{Buf: big, N: len(big)}, {Buf: wrong, N: len(wrong)}, {Buf: []byte{}}, {Buf: small, N: len(small)}})
	if n != 2 || err == nil {
		t.Errorf("%d sent, %v", n, err)
	}
	in := []Message{{Buf: make([]byte, 200)}, {Buf: make([]byte, 200)}}
	if n, err := b.ReadBatch(in); n != 1 || err != nil || !bytes.Equal(in[0].Bytes(), small) {
		t.Errorf("%d %v", n, err)
	}
	if s := b.(Counted).Stats(); s.Truncated != 1 {
		t.Errorf("%+v", s)
	}
	if _, err := ListenRaw(17, netip.IPv4Unspecified(), Options{}); err == nil {
		t.Error("a raw socket for UDP was opened")
	}
	if _, err := ListenRaw(ProtoESP, netip.MustParseAddr("203.0.113.1"), Options{}); err == nil {
		t.Error("a raw socket on a foreign address was opened")
	}
}

func TestRawTooBigAndClose(t *testing.T) {
	testnet.Need(t)
	a, b := openBoth(t, link(t, 1300), ProtoESP, "10.9.0.1", "10.9.0.2")
	big := ip4("10.9.0.1", "10.9.0.2", ProtoESP, 0, 9, true, pattern(1400))
	n, err := a.WriteBatch([]Message{{Buf: big, N: len(big)}})
	var tooBig *TooBig
	if n != 0 || !errors.As(err, &tooBig) || tooBig.MTU != 1300 {
		t.Error(n, err)
	}
	done := make(chan error)
	go func() { _, err := b.ReadBatch(room(1)); done <- err }()
	b.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestClearPathSendsBothFamiliesUnchanged(t *testing.T) {
	testnet.Need(t)
	other := link(t, 1500)
	c, err := OpenClear(Options{Mark: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var v4, v6 *udpConn
	other.Do(func() { v4, v6 = listen(t, "10.9.0.2:700", Options{}), listen(t, "[fd09::2]:700", Options{}) })
	// UDP without a checksum is legal in IPv4 only; for IPv6 it is computed over the pseudo-header.
	u4, _ := hex.DecodeString("02bc02bc000a00006869")
	u6, _ := hex.DecodeString("02bc02bc000a00006869")
	sum := uint32(0)
	pkt6 := ip6("fd09::1", "fd09::2", 17, 0, 0, u6)
	for i := 8; i < 40; i += 2 {
		sum += uint32(pkt6[i])<<8 | uint32(pkt6[i+1])
	}
	sum += 17 + 10
	for i := 0; i < len(u6); i += 2 {
		sum += uint32(u6[i])<<8 | uint32(u6[i+1])
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(pkt6[46:], ^uint16(sum))
	pkt4 := ip4("10.9.0.1", "10.9.0.2", 17, 0, 3, false, u4)
	n, err := c.WriteBatch([]Message{{Buf: pkt6, N: len(pkt6)}, {Buf: []byte("junk"), N: 4}, {Buf: pkt4, N: len(pkt4)}})
	if n != 2 || err == nil {
		t.Errorf("%d sent, %v", n, err)
	}
	for _, u := range []*udpConn{v4, v6} {
		if m := readOne(t, u); string(m.Bytes()) != "hi" || m.Remote.Port() != 700 {
			t.Errorf("%q from %v", m.Bytes(), m.Remote)
		}
	}
	if s := c.(Counted).Stats(); s.Refused != 1 {
		t.Errorf("%+v", s)
	}
	done := make(chan error)
	go func() { _, err := c.ReadBatch(nil); done <- err }()
	c.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestD13PathEventsCarryTheQuote(t *testing.T) {
	testnet.Need(t)
	// A router whose far link is small: it answers what does not fit with ICMP.
	router := link(t, 1500)
	router.Do(func() {
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "far", MTU: 1300}, PeerName: "end"}); err != nil {
			t.Fatal(err)
		}
		testnet.AddAddrs(t, "far", []netip.Prefix{netip.MustParsePrefix("10.8.0.1/24"), netip.MustParsePrefix("fd08::1/64")})
		for _, f := range []string{"ipv4/conf/all", "ipv6/conf/all"} {
			writeFile(t, "/proc/sys/net/"+f+"/forwarding", "1")
		}
	})
	l, _ := netlink.LinkByName("wire")
	for dst, gw := range map[string]string{"10.8.0.0/24": "10.9.0.2", "fd08::/64": "fd09::2"} {
		_, n, _ := net.ParseCIDR(dst)
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: n, Gw: net.ParseIP(gw)}); err != nil {
			t.Fatal(err)
		}
	}
	events, err := ListenPathEvents(Options{Mark: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	c, err := OpenClear(Options{Mark: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, pkt := range [][]byte{ip4("10.9.0.1", "10.8.0.9", ProtoESP, 0, 5, true, pattern(1400)), ip6("fd09::1", "fd08::9", ProtoESP, 0, 0, pattern(1400))} {
		if n, err := c.WriteBatch([]Message{{Buf: pkt, N: len(pkt)}}); n != 1 {
			t.Fatal(err)
		}
		e, err := events.Read()
		if err != nil {
			t.Fatal(err)
		}
		header := 20
		if pkt[0]>>4 == 6 {
			header = 40
		}
		dst, _ := destination(pkt)
		if e.MTU != 1300 || e.Remote != dst || !bytes.Equal(e.Quoted[header:header+8], pattern(8)) {
			t.Errorf("%+v", e)
		}
	}
	events.Close()
	if _, err := events.Read(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestUDPBypassesAnInterfaceThatIsDown(t *testing.T) {
	testnet.Need(t)
	link(t, 1500)
	a := listen(t, "10.9.0.1:0", Options{})
	l, _ := netlink.LinkByName("wire")
	if err := netlink.LinkSetDown(l); err != nil {
		t.Fatal(err)
	}
	msg := []Message{{Buf: []byte("x"), N: 1, Remote: netip.MustParseAddrPort("10.9.0.2:9")}}
	if n, err := a.WriteBatch(msg); n != 0 || !errors.Is(err, unix.ENETUNREACH) {
		t.Errorf("F8: %d sent, %v", n, err)
	}
	if err := netlink.LinkSetUp(l); err != nil {
		t.Fatal(err)
	}
	if n, err := a.WriteBatch(msg); n != 1 || err != nil {
		t.Errorf("after the interface came up again: %d sent, %v", n, err)
	}
}
