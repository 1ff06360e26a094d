package packet

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// TestD14RFC6040DecapsulationTable is figure 4 of RFC 6040, cell by cell.
func TestD14RFC6040DecapsulationTable(t *testing.T) {
	const drop = 0xff
	table := map[uint8][4]uint8{ // inner: outer not-ECT, ECT(0), ECT(1), CE
		notECT: {notECT, notECT, notECT, drop},
		ect0:   {ect0, ect0, ect1, ce},
		ect1:   {ect1, ect1, ect1, ce},
		ce:     {ce, ce, ce, ce},
	}
	for inner, row := range table {
		for i, outer := range []uint8{notECT, ect0, ect1, ce} {
			tos, dropped := DecapsulateTOS(0xb8|inner, 0x28|outer)
			if dropped != (row[i] == drop) {
				t.Errorf("inner %d outer %d: drop %v", inner, outer, dropped)
			}
			if !dropped && tos != 0xb8|row[i] {
				t.Errorf("inner %d outer %d: %#x", inner, outer, tos)
			}
		}
	}
	for tos := range 256 {
		if got := EncapsulateTOS(uint8(tos)); got != uint8(tos) {
			t.Errorf("normal mode: %#x becomes %#x", tos, got)
		}
		if got := EncapsulateTOSCompat(uint8(tos)); got != uint8(tos)&0xfc {
			t.Errorf("compatibility mode: %#x becomes %#x", tos, got)
		}
	}
}

func TestSettersKeepChecksum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pkt := anyDatagram(64).Draw(t, "datagram")
		before := parsed(t, pkt)
		tos, proto := rapid.Byte().Draw(t, "tos"), uint8(protoESP)
		total := rapid.IntRange(before.UpperOffset, len(pkt)).Draw(t, "total")
		SetTOS(pkt, tos)
		SetNextHeader(pkt, before, proto)
		SetTotalLen(pkt, total)
		if !DecrementTTL(pkt) {
			t.Fatal("64 is enough")
		}
		h := parsed(t, pkt)
		if h.TOS != tos || h.Key.Proto != proto || h.TotalLen != total || h.TTL != before.TTL-1 || h.FlowLabel != before.FlowLabel || h.UpperOffset != before.UpperOffset {
			t.Fatalf("%+v", h)
		}
		if h.Version == 4 && slowChecksum(pkt[:h.UpperOffset]) != 0 {
			t.Fatal("header checksum")
		}
	})
}

func TestDecrementTTLStopsAtOne(t *testing.T) {
	for _, pkt := range [][]byte{ip4(protoUDP, nil, nil), ip6(protoUDP, nil, nil)} {
		at := 8
		if pkt[0]>>4 == 6 {
			at = 7
		}
		for _, ttl := range []byte{0, 1} {
			pkt[at] = ttl
			if DecrementTTL(pkt) || pkt[at] != ttl {
				t.Errorf("TTL %d was decremented", ttl)
			}
		}
	}
}

func TestClearDF(t *testing.T) {
	o := Outer{Src: src4, Dst: dst4, Proto: protoUDP, TTL: 9, DF: true, ID: 7, TOS: 1}
	b := make([]byte, o.Len())
	o.Put(b, 20)
	if h := parsed(t, b); !h.DF || slowChecksum(b) != 0 || h.ID != 7 || h.TOS != 1 || h.TTL != 9 {
		t.Fatalf("Put: %+v", h)
	}
	ClearDF(b)
	if h := parsed(t, b); h.DF || slowChecksum(b) != 0 {
		t.Errorf("%+v", h)
	}
	six := ip6(protoUDP, nil, nil)
	was := bytes.Clone(six)
	if ClearDF(six); !bytes.Equal(was, six) {
		t.Error("IPv6 changed")
	}
}

func TestClampMSS(t *testing.T) {
	mss := []byte{2, 4, 0x05, 0xb4}
	for name, c := range map[string]struct {
		pkt  []byte
		want bool
	}{
		"syn":           {ip4(protoTCP, nil, tcp(2, mss, nil)), true},
		"syn-ack v6":    {ip6(protoTCP, nil, tcp(0x12, append([]byte{1, 1, 4, 2}, mss...), nil)), true},
		"odd offset":    {ip4(protoTCP, nil, tcp(2, append(append([]byte{1}, mss...), 0, 0, 0), pattern(5))), true},
		"odd and last":  {ip4(protoTCP, nil, tcp(2, append([]byte{3, 3, 7, 1}, mss...), nil)), true},
		"no syn":        {ip4(protoTCP, nil, tcp(0x10, mss, nil)), false},
		"no option":     {ip4(protoTCP, nil, tcp(2, []byte{1, 1, 1, 0}, nil)), false},
		"behind end":    {ip4(protoTCP, nil, tcp(2, append([]byte{0, 0, 0, 0}, mss...), nil)), false},
		"bad option":    {ip4(protoTCP, nil, tcp(2, append([]byte{8, 0, 0, 0}, mss...), nil)), false},
		"option cut":    {ip4(protoTCP, nil, tcp(2, []byte{1, 1, 1, 2}, nil)), false},
		"small already": {ip4(protoTCP, nil, tcp(2, []byte{2, 4, 2, 0}, nil)), false},
		"header cut":    {ip4(protoTCP, nil, tcp(2, mss, nil)[:22]), false},
		"tcp cut":       {ip4(protoTCP, nil, tcp(2, mss, nil)[:12]), false},
		"udp":           {ip4(protoUDP, nil, udp(nil)), false},
	} {
		h := parsed(t, c.pkt)
		FixTransportChecksum(c.pkt, h)
		was := bytes.Clone(c.pkt)
		if got := ClampMSS(c.pkt, h, 1200); got != c.want {
			t.Errorf("%s: changed %v", name, got)
		}
		if !c.want && !bytes.Equal(was, c.pkt) {
			t.Errorf("%s: bytes changed", name)
		}
		if c.want && (!TransportChecksumOK(c.pkt, h) || !bytes.Contains(c.pkt, []byte{2, 4, 0x04, 0xb0})) {
			t.Errorf("%s: %x", name, c.pkt)
		}
	}
}

func TestEditsDoNotAllocate(t *testing.T) {
	pkt := ip6(protoTCP, []ext{{protoDestOpts, optionsHeader(0)}}, tcp(2, []byte{2, 4, 0x05, 0xb4}, pattern(1400)))
	h := parsed(t, pkt)
	buf := make([]byte, 1280)
	if n := testing.AllocsPerRun(100, func() {
		SetTOS(pkt, 3)
		SetTotalLen(pkt, len(pkt))
		SetNextHeader(pkt, h, protoTCP)
		ClampMSS(pkt, h, 1400)
		FixTransportChecksum(pkt, h)
		AdjustTransportChecksum(pkt, h, src6, dst6)
		answer := TooBig(buf, pkt, h, 1400)
		_, quoted, ok := ParseTooBig(answer)
		if q, fine := ParseQuote(quoted); !ok || !fine || q.Key.Src != src6 {
			t.Fatal("the answer does not read")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The data plane lets a packet follow one whose TOS is merged already, if theirs are alike by now and came under the same outer one.
func TestTheSameOuterTOSChangesNothingTwice(t *testing.T) {
	for both := range 1 << 16 {
		inner, outer := uint8(both), uint8(both>>8)
		merged, drop := DecapsulateTOS(inner, outer)
		if drop {
			continue
		}
		if again, drop := DecapsulateTOS(merged, outer); again != merged || drop {
			t.Fatalf("inner %#x under %#x becomes %#x, then %#x, dropped %v", inner, outer, merged, again, drop)
		}
	}
}
