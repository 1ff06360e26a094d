package packet

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
)

func TestRFC1191Section4FragmentationNeeded(t *testing.T) {
	pkt := ip4(protoESP, []byte{148, 4, 0, 0}, pattern(1480))
	h := parsed(t, pkt)
	out := TooBig(nil, pkt, h, 1400)
	oh := parsed(t, out)
	if len(out) != 576 || oh.TotalLen != 576 || slowChecksum(out[:20]) != 0 || slowChecksum(out[20:]) != 0 {
		t.Fatalf("%x", out)
	}
	if oh.Key.Src != dst4 || oh.Key.Dst != src4 || oh.Key.SrcPort != 3 || oh.Key.DstPort != 4 || oh.TOS != 0xc0 {
		t.Errorf("%+v", oh)
	}
	mtu, quoted, ok := ParseTooBig(out)
	if !ok || mtu != 1400 || !bytes.Equal(quoted, pkt[:548]) {
		t.Errorf("%d %v %x", mtu, ok, quoted)
	}
	q, ok := ParseQuote(quoted)
	if !ok || q.Key.Src != src4 || q.Key.Dst != dst4 || q.Key.Proto != protoESP || q.TotalLen != len(pkt) {
		t.Errorf("%+v", q)
	}
	if spi, seq, ok := q.SPI(); !ok || spi != binary.BigEndian.Uint32(pkt[24:]) || seq != binary.BigEndian.Uint32(pkt[28:]) {
		t.Errorf("SPI %x, sequence %x", spi, seq)
	}
}

func TestRFC4443Section3_2PacketTooBig(t *testing.T) {
	pkt := ip6(protoUDP, []ext{{protoDestOpts, optionsHeader(0)}}, udp(pattern(1400)))
	gateway := netip.MustParseAddr("2001:db8:9::1")
	out := TooBigFrom(make([]byte, 0, 2000), pkt, parsed(t, pkt), 1000, gateway)
	oh := parsed(t, out)
	if len(out) != 1280 || oh.Key.Src != gateway || oh.Key.Dst != src6 || !TransportChecksumOK(out, oh) {
		t.Fatalf("%+v", oh)
	}
	mtu, quoted, ok := ParseTooBig(out)
	if !ok || mtu != 1280 || !bytes.HasPrefix(pkt, quoted) {
		t.Errorf("%d %v: never under 1280", mtu, ok)
	}
	if q, ok := ParseQuote(quoted); !ok || q.Key.Proto != protoUDP || q.Key.DstPort != 53 || len(q.Upper) != 1280-48-48 {
		t.Errorf("%+v", q)
	}
}

func TestProhibited(t *testing.T) {
	four, six := ip4(protoTCP, nil, tcp(2, nil, nil)), ip6(protoTCP, nil, tcp(2, nil, nil))
	out4 := Prohibited(nil, four, parsed(t, four), netip.Addr{})
	out6 := Prohibited(nil, six, parsed(t, six), dst6)
	h4, h6 := parsed(t, out4), parsed(t, out6)
	if h4.Key.SrcPort != 3 || h4.Key.DstPort != 13 || !TransportChecksumOK(out4, h4) || h6.Key.SrcPort != 1 || h6.Key.DstPort != 1 || !TransportChecksumOK(out6, h6) {
		t.Errorf("%+v %+v", h4, h6)
	}
	if !bytes.HasSuffix(out4, four) || !bytes.HasSuffix(out6, six) {
		t.Error("a small datagram is quoted whole")
	}
	if Prohibited(nil, four, parsed(t, four), dst6) != nil {
		t.Error("an address of the other family must not be used")
	}
	if _, _, ok := ParseTooBig(out4); ok {
		t.Error("prohibited is not too big")
	}
	if _, _, ok := ParseTooBig(out6); ok {
		t.Error("unreachable is not too big")
	}
}

func TestRFC1122Section3_2_2NoErrorAbout(t *testing.T) {
	to := func(b []byte, dst ...byte) []byte { copy(b[16:], dst); return b }
	from := func(b []byte, src ...byte) []byte { copy(b[12:], src); return b }
	plain := func() []byte { return ip4(protoUDP, nil, udp(pattern(64))) }
	multicast := ip6(protoUDP, nil, udp(pattern(64)))
	multicast[24] = 0xff
	unspecified := ip6(protoUDP, nil, udp(pattern(64)))
	clear(unspecified[8:24])
	for name, pkt := range map[string][]byte{
		"later fragment":       frag4(protoUDP, 8, true, 1, pattern(64)),
		"icmp unreachable":     ip4(protoICMP, nil, append([]byte{3, 1}, pattern(62)...)),
		"icmp redirect":        ip4(protoICMP, nil, append([]byte{5, 1}, pattern(62)...)),
		"icmp unknown":         ip4(protoICMP, nil, []byte{8}),
		"icmpv6 error":         ip6(protoICMPv6, nil, append([]byte{1, 1}, pattern(62)...)),
		"icmpv6 redirect":      ip6(protoICMPv6, nil, append([]byte{137, 0}, pattern(62)...)),
		"to multicast":         to(plain(), 224, 0, 0, 5),
		"to broadcast":         to(plain(), 255, 255, 255, 255),
		"from multicast":       from(plain(), 239, 0, 0, 5),
		"from class E":         from(plain(), 240, 0, 0, 5),
		"from nowhere":         from(plain(), 0, 0, 0, 0),
		"from loopback":        from(plain(), 127, 0, 0, 1),
		"v6 to multicast":      multicast,
		"v6 from nowhere":      unspecified,
		"fragment of unknowns": ip6(protoUDP, []ext{{protoFragment, fragmentHeader(8, false, 1)}, {protoDestOpts, optionsHeader(0)}}, nil),
	} {
		if out := TooBig(nil, pkt, parsed(t, pkt), 1280); out != nil {
			t.Errorf("%s was answered: %x", name, out)
		}
	}
	for name, pkt := range map[string][]byte{
		"echo":    ip4(protoICMP, nil, append([]byte{8, 0}, pattern(62)...)),
		"echo v6": ip6(protoICMPv6, nil, append([]byte{128, 0}, pattern(62)...)),
		"first":   frag4(protoUDP, 0, true, 1, udp(pattern(64))),
	} {
		if TooBig(nil, pkt, parsed(t, pkt), 1280) == nil {
			t.Errorf("%s was not answered", name)
		}
	}
}

func TestRFC1191Section7PlateauForOldRouters(t *testing.T) {
	for total, want := range map[int]int{1500: 1492, 1492: 1006, 9000: 8166, 296: 68} {
		pkt := ip4(protoESP, nil, pattern(total-20))
		out := TooBig(nil, pkt, parsed(t, pkt), 1400)
		out[26], out[27] = 0, 0
		FixTransportChecksum(out, parsed(t, out))
		if mtu, _, ok := ParseTooBig(out); !ok || mtu != want {
			t.Errorf("%d bytes: MTU %d, want %d", total, mtu, want)
		}
	}
}

func TestD13ParseTooBigRefuses(t *testing.T) {
	pkt := ip4(protoESP, nil, pattern(1000))
	good := TooBig(nil, pkt, parsed(t, pkt), 576)
	for name, change := range map[string]func([]byte) []byte{
		"checksum": func(b []byte) []byte { b[22] ^= 1; return b },
		"cut":      func(b []byte) []byte { return b[:100] },
		"no quote": func(b []byte) []byte {
			SetTotalLen(b, 28)
			FixTransportChecksum(b, parsed(t, b))
			return b
		},
		"not four":   func(b []byte) []byte { b[28] = 0x65; FixTransportChecksum(b, parsed(t, b)); return b },
		"other code": func(b []byte) []byte { b[21] = 3; FixTransportChecksum(b, parsed(t, b)); return b },
		"short":      func(b []byte) []byte { SetTotalLen(b, 25); FixTransportChecksum(b, parsed(t, b)); return b },
		"fragment":   func(b []byte) []byte { b[6] = 0x20; return b },
	} {
		if _, _, ok := ParseTooBig(change(bytes.Clone(good))); ok {
			t.Errorf("%s passes", name)
		}
	}
	six := ip6(protoICMPv6, nil, append([]byte{2, 0, 0, 0, 0, 0, 5, 0}, pattern(39)...))
	FixTransportChecksum(six, parsed(t, six))
	if _, _, ok := ParseTooBig(six); ok {
		t.Error("an IPv6 quote without its header passes")
	}
}

func TestQuotedSPI(t *testing.T) {
	esp := []byte{0, 0, 0x12, 0x34, 0, 0, 0, 9}
	natT := func(ports ...byte) []byte { return append(append(ports, 0, 16, 0, 0), esp...) }
	for name, c := range map[string]struct {
		q    Quote
		want bool
	}{
		"esp":           {Quote{Key: Key{Proto: protoESP}, Upper: esp}, true},
		"esp cut":       {Quote{Key: Key{Proto: protoESP}, Upper: esp[:7]}, false},
		"ah":            {Quote{Key: Key{Proto: protoAH}, Upper: append([]byte{4, 4, 0, 0}, esp...)}, true},
		"ah cut":        {Quote{Key: Key{Proto: protoAH}, Upper: esp[:3]}, false},
		"udp to 4500":   {Quote{Key: Key{Proto: protoUDP}, Upper: natT(1, 2, 0x11, 0x94)}, true},
		"udp from 4500": {Quote{Key: Key{Proto: protoUDP}, Upper: natT(0x11, 0x94, 1, 2)}, true},
		"udp to 53":     {Quote{Key: Key{Proto: protoUDP}, Upper: natT(1, 2, 0, 53)}, false},
		"udp cut":       {Quote{Key: Key{Proto: protoUDP}, Upper: esp[:5]}, false},
		"ike":           {Quote{Key: Key{Proto: protoUDP}, Upper: append([]byte{0x11, 0x94, 0x11, 0x94, 0, 0, 0, 0}, make([]byte, 8)...)}, false},
		"tcp":           {Quote{Key: Key{Proto: protoTCP}, Upper: esp}, false},
	} {
		spi, seq, ok := c.q.SPI()
		if ok != c.want || ok && (spi != 0x1234 || seq != 9) {
			t.Errorf("%s: %x %d %v", name, spi, seq, ok)
		}
	}
}

func TestParseQuoteRefuses(t *testing.T) {
	for name, b := range map[string][]byte{
		"short":          pattern(19),
		"later fragment": frag4(protoESP, 8, true, 1, pattern(16)),
		"version":        bytes.Repeat([]byte{0x10}, 40),
		"chain cut":      ip6(protoESP, []ext{{protoDestOpts, optionsHeader(1)}}, nil)[:48],
		"v6 header cut":  ip6(protoESP, nil, nil)[:39],
	} {
		if q, ok := ParseQuote(b); ok {
			t.Errorf("%s: %+v", name, q)
		}
	}
}
