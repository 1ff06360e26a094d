package packet

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// superpacket draws a TCP or UDP superpacket, as a device gives it, and its segment length.
func superpacket(t *rapid.T) (pkt []byte, segment int) {
	segment = rapid.IntRange(1, 300).Draw(t, "segment")
	payload := pattern(rapid.IntRange(1, 20*segment).Draw(t, "payload"))
	var upper []byte
	proto := uint8(protoUDP)
	if rapid.Bool().Draw(t, "tcp") {
		proto = protoTCP
		flags := rapid.SampledFrom([]uint8{tcpACK, tcpACK | tcpPSH, tcpACK | 0x40}).Draw(t, "flags")
		opts := rapid.SampledFrom([][]byte{nil, {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}}).Draw(t, "options")
		upper = tcp(flags, opts, payload)
		binary.BigEndian.PutUint32(upper[4:], rapid.Uint32().Draw(t, "seq"))
		binary.BigEndian.PutUint16(upper[16:], rapid.Uint16().Draw(t, "partial sum"))
	} else {
		upper = udp(payload)
	}
	if rapid.Bool().Draw(t, "v4") {
		pkt = ip4(proto, nil, upper)
		if rapid.Bool().Draw(t, "df") {
			pkt[6] |= 0x40
		}
		putHeaderChecksum(pkt)
	} else {
		pkt = ip6(proto, nil, upper)
	}
	return pkt, segment
}

// cutAll returns copies of all datagrams of a superpacket.
func cutAll(t *rapid.T, pkt []byte, segment int) (list [][]byte) {
	var s Super
	if err := s.Init(pkt, parsed(t, pkt), segment); err != nil {
		t.Fatal(err)
	}
	for d := s.Next(); d != nil; d = s.Next() {
		list = append(list, bytes.Clone(d))
	}
	if len(list) != s.Count() {
		t.Fatalf("%d datagrams, not %d", len(list), s.Count())
	}
	return list
}

func TestASuperpacketIsCutIntoRightDatagrams(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pkt, segment := superpacket(t)
		whole := parsed(t, pkt)
		header := whole.UpperOffset + 8
		var seq uint32
		var flags byte
		if tcp := pkt[whole.UpperOffset:]; whole.Key.Proto == protoTCP {
			header = whole.UpperOffset + int(tcp[12]>>4)*4
			seq, flags = binary.BigEndian.Uint32(tcp[4:]), tcp[13]
		}
		want := bytes.Clone(pkt[header:])
		var got []byte
		list := cutAll(t, pkt, segment)
		for i, d := range list {
			h := parsed(t, d)
			if h.TotalLen != len(d) || h.Key != whole.Key || h.TTL != whole.TTL || h.DF != whole.DF {
				t.Fatalf("datagram %d: %+v", i, h)
			}
			if h.Version == 4 && (Checksum(d[:20]) != 0 || h.ID != uint32(uint16(whole.ID)+uint16(i))) {
				t.Fatalf("datagram %d: header checksum or identification %d", i, h.ID)
			}
			upper := d[h.UpperOffset:]
			if slowTransport(h, upper) != 0 {
				t.Fatalf("datagram %d: transport checksum", i)
			}
			payload := d[header:]
			if len(payload) != segment && i < len(list)-1 {
				t.Fatalf("datagram %d of %d has %d bytes of payload", i, len(list), len(payload))
			}
			if h.Key.Proto == protoTCP {
				wantFlags := flags
				if i < len(list)-1 {
					wantFlags &^= tcpPSH
				}
				if binary.BigEndian.Uint32(upper[4:]) != seq+uint32(len(got)) || upper[13] != wantFlags {
					t.Fatalf("datagram %d: sequence number or flags", i)
				}
			} else if int(binary.BigEndian.Uint16(upper[4:])) != len(upper) {
				t.Fatalf("datagram %d: UDP length", i)
			}
			got = append(got, payload...)
		}
		if !bytes.Equal(got, want) {
			t.Fatal("the payload is another one")
		}
	})
}

// RFC 3168 §6.1.2: the window is said to be reduced once. RFC 9293 §3.8.1: the end of data stands at the end.
func TestRFC3168FlagsOfOneDatagramOnly(t *testing.T) {
	pkt := ip4(protoTCP, nil, tcp(tcpACK|tcpCWR|tcpFIN|tcpPSH, nil, pattern(25)))
	var s Super
	if err := s.Init(pkt, parsed(t, pkt), 10); err != nil {
		t.Fatal(err)
	}
	for i, want := range []byte{tcpACK | tcpCWR, tcpACK, tcpACK | tcpFIN | tcpPSH} {
		if d := s.Next(); d[33] != want {
			t.Errorf("datagram %d has flags %#x, not %#x", i, d[33], want)
		}
	}
	if s.Next() != nil {
		t.Error("a fourth datagram")
	}
}

// RFC 8200 §8.1: while a datagram is on its way to an intermediate address its checksum is over the final one.
func TestRFC8200Section8_1SuperpacketsOnARoute(t *testing.T) {
	for _, proto := range []uint8{protoTCP, protoUDP} {
		upper, at := udp(pattern(2500)), 6
		if proto == protoTCP {
			upper, at = tcp(tcpACK, nil, pattern(2500)), 16
		}
		final := netip.MustParseAddr("2001:db8:9::9")
		binary.BigEndian.PutUint16(upper[at:], fold(pseudo(src6, final, proto, len(upper))))
		route := make([]byte, 23) // RFC 8200 §4.4: type 2 has one address
		route[0], route[1], route[2] = 2, 2, 1
		address := final.As16()
		copy(route[7:], address[:])
		pkt := ip6(proto, []ext{{protoRouting, route}}, upper)
		h := parsed(t, pkt)
		if !h.SourceRouted {
			t.Fatal("it is on no route")
		}
		var s Super
		if err := s.Init(pkt, h, 1000); err != nil {
			t.Fatal(err)
		}
		for d := s.Next(); d != nil; d = s.Next() {
			there := *parsed(t, d)
			there.Key.Dst = final
			if slowTransport(&there, d[there.UpperOffset:]) != 0 {
				t.Errorf("protocol %d: the checksum of a datagram is wrong at its destination", proto)
			}
		}
	}
}

// join puts datagrams together as far as it can and returns superpackets and datagrams, with their segment lengths.
func join(t *rapid.T, list [][]byte) (out [][]byte, segments []int) {
	var j Join
	var parts [][]byte
	end := func() {
		if len(parts) == 0 {
			return
		}
		j.Finish()
		out, segments = append(out, slices.Concat(parts...)), append(segments, 0)
		if j.Count() > 1 {
			segments[len(segments)-1] = j.Segment()
		}
	}
	for _, d := range list {
		h := parsed(t, d)
		if len(parts) > 0 {
			unparsed := j
			unparsed.first = bytes.Clone(j.first)
			alike := unparsed.AddUnparsed(slices.Concat(d, pattern(3)))
			p := j.Add(d, h)
			if !bytes.Equal(p, alike) || j.Count() != unparsed.Count() || j.total != unparsed.total || j.closed != unparsed.closed {
				t.Fatalf("parsed %d bytes are joined, and %d unparsed", len(p), len(alike))
			}
			if p != nil {
				parts = append(parts, p)
				continue
			}
		}
		end()
		j.Begin(d, h)
		parts = [][]byte{d}
	}
	end()
	return out, segments
}

func TestWhatWasCutIsJoinedAndCutAgainAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pkt, segment := superpacket(t)
		list := cutAll(t, bytes.Clone(pkt), segment)
		want := make([][]byte, len(list))
		for i, d := range list {
			want[i] = bytes.Clone(d)
		}
		out, segments := join(t, list)
		if len(out) != 1 {
			t.Fatalf("%d datagrams became %d", len(list), len(out))
		}
		if h := parsed(t, out[0]); h.TotalLen != len(out[0]) || h.Version == 4 && Checksum(out[0][:20]) != 0 {
			t.Fatal("the superpacket's lengths or its header checksum")
		}
		got := [][]byte{out[0]}
		if segments[0] > 0 {
			got = cutAll(t, out[0], segments[0])
		}
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatal("they came out different")
		}
	})
}

// A datagram that differs in anything, or was damaged, comes out alone and as it was: no superpacket may make it right.
func TestWhatDiffersIsNotJoined(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pkt, segment := superpacket(t)
		list := cutAll(t, pkt, segment)
		if len(list) < 2 {
			return
		}
		victim := rapid.IntRange(0, len(list)-1).Draw(t, "victim")
		at := rapid.IntRange(0, len(list[victim])-1).Draw(t, "at")
		list[victim][at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		var h Header
		if h.Parse(list[victim]) != nil || h.TotalLen != len(list[victim]) {
			return // the data plane drops it
		}
		want := slices.Concat(list...)
		damaged := bytes.Clone(list[victim])
		out, segments := join(t, list)
		var got [][]byte
		for i := range out {
			if segments[i] > 0 {
				got = append(got, cutAll(t, out[i], segments[i])...)
			} else {
				got = append(got, out[i])
			}
		}
		if !bytes.Equal(slices.Concat(got...), want) {
			t.Fatalf("a change of byte %d of datagram %d of %d was covered up: %x", at, victim, len(list), damaged)
		}
	})
}

func TestWhatCannotBeCutOrJoined(t *testing.T) {
	frag := ip4(protoUDP, nil, udp(pattern(100)))
	frag[6] |= 0x20
	short := tcp(tcpACK, nil, nil)
	short[12] = 4 << 4
	for name, pkt := range map[string][]byte{
		"ICMP": ip4(protoICMP, nil, pattern(100)), "a fragment": frag, "no payload": ip4(protoTCP, nil, tcp(tcpACK, nil, nil)),
		"a TCP header too short": ip4(protoTCP, nil, append(short, pattern(50)...)), "half a UDP header": ip4(protoUDP, nil, pattern(4)),
		"half a TCP header": ip6(protoTCP, nil, pattern(12)),
	} {
		var s Super
		if s.Init(pkt, parsed(t, pkt), 10) == nil {
			t.Error(name, "can be cut")
		}
		var j Join
		if j.Begin(pkt, parsed(t, pkt)) {
			t.Error(name, "can be joined")
		}
	}
	pkt := ip4(protoTCP, nil, tcp(tcpACK, nil, pattern(50)))
	var s Super
	if s.Init(pkt, parsed(t, pkt), 0) == nil || s.Init(pkt, parsed(t, pkt), -1) == nil {
		t.Error("a segment of no length")
	}
	var j Join
	for _, flags := range []uint8{tcpSYN | tcpACK, tcpFIN | tcpACK, tcpRST, tcpRST | tcpACK, tcpURG | tcpACK, tcpCWR | tcpACK, tcpPSH | tcpACK, 0} {
		pkt := ip4(protoTCP, nil, tcp(flags, nil, pattern(50)))
		if j.Begin(pkt, parsed(t, pkt)) {
			t.Errorf("flags %#x can be joined to", flags)
		}
	}
	if pkt := ip6(protoUDP, []ext{{protoDestOpts, optionsHeader(0)}}, udp(pattern(50))); j.Begin(pkt, parsed(t, pkt)) {
		t.Error("behind extension headers")
	}
	if pkt := ip4(protoUDP, nil, udp(pattern(50))); j.Begin(pkt, parsed(t, pkt)) {
		t.Error("UDP without a checksum")
	}
}

// What nobody has parsed may claim any length, and may be cut short.
func TestALengthThatCannotBeIsNotJoined(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pkt, segment := superpacket(t)
		list := cutAll(t, pkt, segment)
		if len(list) < 2 {
			return
		}
		var j Join
		j.Begin(list[0], parsed(t, list[0]))
		again, second := j, list[1]
		again.first = bytes.Clone(j.first)
		n := rapid.IntRange(0, len(second)-1).Draw(t, "n")
		if again.AddUnparsed(second[:n:n]) != nil {
			t.Fatalf("%d bytes of %d are joined", n, len(second))
		}
		claimed := bytes.Clone(second)
		length, total := claimed[2:], rapid.IntRange(0, 65535).Draw(t, "length")
		if second[0]>>4 == 6 {
			length = claimed[4:]
		}
		if rapid.Bool().Draw(t, "near") {
			total = int(binary.BigEndian.Uint16(length)) + rapid.IntRange(-len(second), 9).Draw(t, "more")
		}
		if uint16(total) == binary.BigEndian.Uint16(length) {
			return
		}
		binary.BigEndian.PutUint16(length, uint16(total))
		if again.AddUnparsed(claimed) != nil {
			t.Fatalf("a datagram that claims %d bytes in %d is joined", uint16(total), len(claimed))
		}
		if (again.AddUnparsed(second) == nil) != (j.Add(second, parsed(t, second)) == nil) {
			t.Fatal("the right length is no longer joined")
		}
	})
}

func TestJoinedLengthIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pkt := ip6(protoUDP, nil, udp(pattern(30000)))
		d := cutAll(t, pkt, 30000)[0]
		out, _ := join(t, [][]byte{bytes.Clone(d), bytes.Clone(d), bytes.Clone(d), bytes.Clone(d), bytes.Clone(d)})
		if len(out) != 3 || len(out[0]) > maxDatagram {
			t.Fatalf("five of %d bytes became %d", len(d), len(out))
		}
	})
}

func FuzzSuper(f *testing.F) {
	f.Add(ip4(protoTCP, nil, tcp(tcpACK, nil, pattern(100))), 10)
	f.Add(ip6(protoUDP, nil, udp(pattern(100))), 30)
	f.Fuzz(func(t *testing.T, pkt []byte, segment int) {
		var h Header
		var s Super
		if h.Parse(pkt) != nil || s.Init(pkt, &h, segment) != nil {
			return
		}
		var j Join
		n := 0
		for d := s.Next(); d != nil; d = s.Next() {
			if n++; n > len(pkt) {
				t.Fatal("more datagrams than bytes")
			}
			var dh Header
			if err := dh.Parse(d); err != nil || dh.TotalLen != len(d) {
				t.Fatalf("datagram %d: %v", n, err)
			}
			d = bytes.Clone(d)
			unparsed := j
			unparsed.first = bytes.Clone(j.first)
			alike := unparsed.AddUnparsed(append(bytes.Clone(d), 1, 2))
			payload := j.Add(d, &dh)
			if !bytes.Equal(payload, alike) || j.Count() != unparsed.Count() || j.closed != unparsed.closed {
				t.Fatalf("datagram %d: %d bytes are joined, and unparsed %d", n, len(payload), len(alike))
			}
			if payload == nil {
				j.Begin(d, &dh)
			}
		}
		j.Finish()
	})
}

func BenchmarkSuper1400(b *testing.B) {
	pkt := ip4(protoTCP, nil, tcp(tcpACK, nil, pattern(44*1400)))
	var h Header
	if err := h.Parse(pkt); err != nil {
		b.Fatal(err)
	}
	var s Super
	for i := 0; i < b.N; i += 44 {
		if err := s.Init(pkt, &h, 1400); err != nil {
			b.Fatal(err)
		}
		for s.Next() != nil {
		}
	}
}
