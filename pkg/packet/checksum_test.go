package packet

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// slowChecksum is the definition of RFC 1071 §4.1, two bytes at a time.
func slowChecksum(b []byte) uint16 {
	var acc uint32
	for i := 0; i < len(b); i += 2 {
		w := uint32(b[i]) << 8
		if i+1 < len(b) {
			w |= uint32(b[i+1])
		}
		acc += w
		acc = acc&0xffff + acc>>16
	}
	return ^uint16(acc)
}

// slowTransport is the checksum of an upper-layer message by the written-out pseudo header.
func slowTransport(h *Header, upper []byte) uint16 {
	var b []byte
	if h.Key.Proto != protoICMP {
		b = append(append(b, h.Key.Src.AsSlice()...), h.Key.Dst.AsSlice()...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(upper)))
		b = append(b, 0, 0, 0, h.Key.Proto)
	}
	return slowChecksum(append(b, upper...))
}

func TestRFC1071Example(t *testing.T) {
	if got := ^Checksum([]byte{0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7}); got != 0xddf2 {
		t.Errorf("sum %#x", got)
	}
}

func TestChecksumEqualsSlowTwin(t *testing.T) {
	for n := range 200 {
		for _, b := range [][]byte{pattern(n), bytes.Repeat([]byte{0xff}, n), make([]byte, n)} {
			if Checksum(b) != slowChecksum(b) {
				t.Fatalf("%d bytes: %#x, want %#x", n, Checksum(b), slowChecksum(b))
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(t, "b")
		if Checksum(b) != slowChecksum(b) {
			t.Fatalf("%#x, want %#x", Checksum(b), slowChecksum(b))
		}
	})
}

func TestRFC1624AdjustEqualsRecompute(t *testing.T) {
	// The example of RFC 1624 §4: only equation 3 gives 0x0000.
	if got := AdjustChecksum(0xdd2f, []byte{0x55, 0x55}, []byte{0x32, 0x85}); got != 0x0000 {
		t.Errorf("RFC 1624 §4: %#x", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 8, 100).Draw(t, "b")
		b[0] |= 1 // an all-zero message has two right checksums
		if len(b)%2 == 1 {
			b = b[:len(b)-1]
		}
		from := rapid.IntRange(1, len(b)/2-1).Draw(t, "from") * 2
		next := rapid.SliceOfN(rapid.Byte(), len(b)-from, len(b)-from).Draw(t, "next")
		field := Checksum(b)
		want := slowChecksum(append(bytes.Clone(b[:from]), next...))
		if got := AdjustChecksum(field, b[from:], next); got != want {
			t.Fatalf("%#x, want %#x", got, want)
		}
	})
}

func TestFixTransportChecksum(t *testing.T) {
	for name, pkt := range map[string][]byte{
		"tcp4":        ip4(protoTCP, nil, tcp(2, nil, pattern(33))),
		"tcp6":        ip6(protoTCP, nil, tcp(2, nil, pattern(33))),
		"udp6":        ip6(protoUDP, []ext{{protoDestOpts, optionsHeader(0)}}, udp(pattern(5))),
		"icmp4":       ip4(protoICMP, nil, pattern(16)),
		"icmp6":       ip6(protoICMPv6, nil, pattern(16)),
		"udp4 behind": ip4(protoUDP, nil, append(udp(pattern(5)), 9, 9, 9)),
	} {
		h := parsed(t, pkt)
		_, field, ok := transportChecksum(pkt, h)
		if !ok {
			t.Fatalf("%s: no checksum", name)
		}
		field[0], field[1] = 0x12, 0x34
		if TransportChecksumOK(pkt, h) {
			t.Errorf("%s: wrong checksum passes", name)
		}
		if !FixTransportChecksum(pkt, h) || !TransportChecksumOK(pkt, h) {
			t.Errorf("%s: not fixed", name)
		}
		upper, _, _ := transportChecksum(pkt, h)
		if got := slowTransport(h, upper); got != 0 {
			t.Errorf("%s: the slow twin says %#x", name, got)
		}
	}
}

func TestUDPZeroChecksum(t *testing.T) {
	four := ip4(protoUDP, nil, udp(pattern(9)))
	h := parsed(t, four)
	if !FixTransportChecksum(four, h) || !TransportChecksumOK(four, h) || !AdjustTransportChecksum(four, h, dst4, src4) || four[26]|four[27] != 0 {
		t.Error("IPv4: no checksum must stay none")
	}
	six := ip6(protoUDP, nil, udp(pattern(9)))
	h = parsed(t, six)
	if TransportChecksumOK(six, h) {
		t.Error("IPv6: a zero checksum passes")
	}
	// A sum that comes out as zero is written as all ones: choose the payload so.
	at := 48
	six[at], six[at+1] = 0, 0
	FixTransportChecksum(six, h)
	copy(six[at:], six[46:48]) // the two words now add up to ones
	FixTransportChecksum(six, h)
	if six[46] != 0xff || six[47] != 0xff || !TransportChecksumOK(six, h) {
		t.Errorf("checksum %x, want ffff", six[46:48])
	}
}

func TestFixLeavesAlone(t *testing.T) {
	lie := udp(pattern(4))
	lie[5] = 200
	short := udp(nil)
	short[5] = 7
	for name, pkt := range map[string][]byte{
		"fragment":         ip6(protoUDP, []ext{{protoFragment, fragmentHeader(0, true, 1)}}, udp(nil)),
		"esp":              ip4(protoESP, nil, pattern(20)),
		"under way":        ip6(protoUDP, []ext{{protoRouting, routingHeader(1)}}, udp(nil)),
		"udp length lie":   ip4(protoUDP, nil, lie),
		"udp length short": ip4(protoUDP, nil, short),
		"udp cut":          ip4(protoUDP, nil, udp(nil)[:7]),
		"tcp cut":          ip4(protoTCP, nil, tcp(2, nil, nil)[:17]),
	} {
		was := bytes.Clone(pkt)
		h := parsed(t, pkt)
		if FixTransportChecksum(pkt, h) || TransportChecksumOK(pkt, h) || !bytes.Equal(was, pkt) {
			t.Errorf("%s was touched or judged", name)
		}
	}
}

func TestRFC3948Section3_1_2ChecksumAfterNAT(t *testing.T) {
	before4, before6 := netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("fd00::5")
	for name, pkt := range map[string][]byte{
		"tcp4": ip4(protoTCP, nil, tcp(2, nil, pattern(33))),
		"udp4": ip4(protoUDP, nil, udp(pattern(32))),
		"tcp6": ip6(protoTCP, nil, tcp(2, nil, pattern(33))),
	} {
		h := parsed(t, pkt)
		upper, field, _ := transportChecksum(pkt, h)
		sender := *h
		sender.Key.Src = before4
		if h.Version == 6 {
			sender.Key.Src = before6
		}
		binary.BigEndian.PutUint16(field, slowTransport(&sender, upper))
		if TransportChecksumOK(pkt, h) {
			t.Fatalf("%s: translation did no harm", name)
		}
		if !AdjustTransportChecksum(pkt, h, sender.Key.Src, sender.Key.Dst) || !TransportChecksumOK(pkt, h) {
			t.Errorf("%s: checksum not repaired", name)
		}
		upper[len(upper)-1] ^= 1
		AdjustTransportChecksum(pkt, h, h.Key.Src, h.Key.Dst)
		if TransportChecksumOK(pkt, h) {
			t.Errorf("%s: an error of the sender's was repaired", name)
		}
	}
	if pkt := ip4(protoICMP, nil, pattern(8)); AdjustTransportChecksum(pkt, parsed(t, pkt), src4, dst4) {
		t.Error("ICMP has no pseudo header")
	}
}

func BenchmarkChecksum1420(b *testing.B) {
	data := pattern(1420)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		Checksum(data)
	}
}
