package packet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"
)

// frag6 is one IPv6 fragment of a UDP datagram.
func frag6(off int, more bool, id uint32, data []byte) []byte {
	return ip6(protoUDP, []ext{{protoFragment, fragmentHeader(off, more, id)}}, data)
}

// frag4 is one IPv4 fragment.
func frag4(proto uint8, off int, more bool, id uint16, data []byte) []byte {
	b := ip4(proto, nil, data)
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], uint16(off/8))
	if more {
		b[6] |= 0x20
	}
	putHeaderChecksum(b[:20])
	return b
}

// add is Add of a datagram that parses.
func add(t *testing.T, r *Reassembler, now time.Time, pkt []byte) ([]byte, error) {
	t.Helper()
	return r.Add(now, pkt, parsed(t, pkt))
}

// accounted is every fragment that the counters know of.
func (s *ReassemblyStats) accounted() uint64 {
	return s.Reassembled + s.Held + s.Duplicate + s.Overlap + s.Tiny + s.Misaligned + s.Oversize + s.TooMany + s.Share + s.Evicted + s.Expired + s.ECN
}

func TestD10RFC5722OverlapKillsTheDatagram(t *testing.T) {
	for name, second := range map[string][]byte{
		"inside":          frag6(24, true, 1, pattern(8)),
		"over the end":    frag6(24, true, 1, pattern(16)),
		"over the start":  frag6(0, true, 1, pattern(24)),
		"last inside":     frag6(24, false, 1, pattern(8)),
		"last before end": frag6(8, false, 1, pattern(5)),
		"same, other data": func() []byte {
			b := frag6(16, true, 1, pattern(16))
			b[len(b)-1] ^= 1
			return b
		}(),
		"same, but last": frag6(16, false, 1, pattern(16)),
	} {
		var r Reassembler
		if _, err := add(t, &r, start, frag6(16, true, 1, pattern(16))); err != nil {
			t.Fatal(err)
		}
		if _, err := add(t, &r, start, second); !errors.Is(err, ErrOverlap) {
			t.Errorf("%s: %v", name, err)
		}
		// What comes later must not make a datagram either.
		for _, f := range [][]byte{frag6(0, true, 1, udp(pattern(8))), frag6(16, false, 1, pattern(16))} {
			if whole, err := add(t, &r, start, f); whole != nil || !errors.Is(err, ErrOverlap) {
				t.Errorf("%s: %v after the kill", name, err)
			}
		}
		if r.Stats.Overlap != 4 || r.Stats.accounted() != 4 || r.Bytes() != datagramCost {
			t.Errorf("%s: %+v, %d bytes", name, r.Stats, r.Bytes())
		}
		// After the time is over the ID is free again.
		add(t, &r, start.Add(31*time.Second), frag6(0, true, 1, udp(pattern(8))))
		if whole, err := add(t, &r, start.Add(31*time.Second), frag6(16, false, 1, pattern(16))); err != nil || len(whole) != 72 {
			t.Errorf("%s: %v after the time", name, err)
		}
	}
}

func TestD10SecondLengthKills(t *testing.T) {
	for _, second := range [][]byte{frag6(64, false, 1, pattern(8)), frag6(40, true, 1, pattern(8)), frag6(24, true, 1, pattern(8))} {
		var r Reassembler
		add(t, &r, start, frag6(16, false, 1, pattern(16)))
		if _, err := add(t, &r, start, second); !errors.Is(err, ErrOverlap) {
			t.Errorf("%v", err)
		}
	}
}

func TestD10RFC1858TinyFragments(t *testing.T) {
	for name, c := range map[string]struct {
		pkt  []byte
		want error
	}{
		"direct":          {frag4(protoTCP, 0, true, 1, tcp(2, nil, nil)[:16]), ErrTiny},
		"indirect":        {frag4(protoTCP, 8, true, 1, pattern(16)), ErrTiny},
		"no udp header":   {frag6(0, true, 1, nil), ErrMisaligned},
		"misaligned":      {frag6(0, true, 1, pattern(17)), ErrMisaligned},
		"empty last":      {frag6(16, false, 1, nil), ErrMisaligned},
		"udp at 8 is not": {frag4(protoUDP, 8, true, 1, pattern(16)), nil},
	} {
		var r Reassembler
		if _, err := add(t, &r, start, c.pkt); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if r.Stats.accounted() != 1 {
			t.Errorf("%s: %+v", name, r.Stats)
		}
	}
}

func TestExactDuplicatesPass(t *testing.T) {
	var r Reassembler
	frags := [][]byte{frag6(0, true, 1, udp(pattern(8))), frag6(16, true, 1, pattern(8)), frag6(24, false, 1, pattern(3))}
	var whole []byte
	for _, i := range []int{2, 2, 0, 0, 1} {
		var err error
		if whole, err = add(t, &r, start, frags[i]); err != nil {
			t.Fatal(err)
		}
	}
	if len(whole) != 40+27 || r.Stats.Duplicate != 2 || r.Stats.Reassembled != 3 || r.Bytes() != 0 {
		t.Errorf("%d bytes, %+v", len(whole), r.Stats)
	}
}

func TestRFC6946AtomicFragmentsStandAlone(t *testing.T) {
	var r Reassembler
	add(t, &r, start, frag6(8, true, 1, pattern(8)))
	atomic := frag6(0, false, 1, udp(pattern(32)))
	if whole, err := add(t, &r, start, atomic); err != nil || !bytes.Equal(whole, atomic) || r.Stats.Held != 1 {
		t.Errorf("%v", err)
	}
}

func TestFamiliesAndProtocolsAreApart(t *testing.T) {
	var r Reassembler
	add(t, &r, start, frag4(protoUDP, 0, true, 7, udp(nil)))
	add(t, &r, start, frag4(protoESP, 8, false, 7, pattern(8)))
	add(t, &r, start, frag6(8, false, 7, pattern(8)))
	if r.Stats.Held != 3 || len(r.table) != 3 {
		t.Errorf("%+v", r.Stats)
	}
	if whole, err := add(t, &r, start, frag4(protoUDP, 8, false, 7, pattern(8))); err != nil || len(whole) != 36 {
		t.Errorf("%v", err)
	}
}

func TestRFC3168Section5_3ECNOfFragments(t *testing.T) {
	for _, c := range []struct {
		a, b, want uint8
		err        error
	}{{ect0, ce, ce, nil}, {ce, ect1, ce, nil}, {ect0, ect0, ect0, nil}, {notECT, notECT, notECT, nil}, {notECT, ce, 0, ErrECN}} {
		for _, pair := range [][2][]byte{
			{frag4(protoUDP, 0, true, 7, udp(nil)), frag4(protoUDP, 8, false, 7, pattern(8))},
			{frag6(0, true, 7, udp(nil)), frag6(8, false, 7, pattern(8))},
		} {
			var r Reassembler
			SetTOS(pair[0], 0xb8|c.a)
			SetTOS(pair[1], 0xb8|c.b)
			add(t, &r, start, pair[1])
			whole, err := add(t, &r, start, pair[0])
			if !errors.Is(err, c.err) || r.Stats.accounted() != 2 || r.Bytes() != 0 {
				t.Errorf("%v: %v, %+v", c, err, r.Stats)
			}
			if err == nil && parsed(t, whole).TOS != 0xb8|c.want {
				t.Errorf("%v: TOS %#x", c, parsed(t, whole).TOS)
			}
		}
	}
}

func TestReassemblyExpires(t *testing.T) {
	r := Reassembler{Limits: ReassemblyLimits{Timeout: time.Hour}}
	add(t, &r, start, frag6(0, true, 1, udp(nil)))
	add(t, &r, start.Add(10*time.Second), frag6(0, true, 2, udp(nil)))
	if at, ok := r.Deadline(); !ok || at != start.Add(30*time.Second) {
		t.Errorf("deadline %v: never more than 30 s", at)
	}
	r.Expire(start.Add(30*time.Second - 1))
	if r.Stats.Held != 2 {
		t.Error("expired too early")
	}
	r.Expire(start.Add(30 * time.Second))
	if r.Stats.Expired != 1 || r.Stats.Held != 1 {
		t.Errorf("%+v", r.Stats)
	}
	r.Expire(start.Add(time.Minute))
	if _, ok := r.Deadline(); ok || r.Bytes() != 0 || r.Stats.Expired != 2 {
		t.Errorf("%+v", r.Stats)
	}
}

func TestP10ReassemblyMemoryIsBounded(t *testing.T) {
	r := Reassembler{Limits: ReassemblyLimits{Bytes: 64 << 10, Share: 16 << 10, Fragments: 8}}
	given := uint64(0)
	give := func(pkt []byte) error {
		given++
		_, err := add(t, &r, start, pkt)
		if r.Bytes() > 64<<10 {
			t.Fatalf("%d bytes held", r.Bytes())
		}
		return err
	}
	// One prefix gets its share and no more.
	var err error
	for id := range uint32(1000) {
		err = give(frag6(8, true, id, pattern(512)))
	}
	if !errors.Is(err, ErrShare) || r.Stats.Share == 0 || r.Bytes() > 16<<10 {
		t.Errorf("%v, %d bytes", err, r.Bytes())
	}
	// Many prefixes push out the oldest datagrams, and a fresh one still succeeds.
	for id := range uint32(5000) {
		pkt := frag6(8, true, id, pattern(512))
		binary.BigEndian.PutUint32(pkt[10:], id)
		if err := give(pkt); err != nil {
			t.Fatal(err)
		}
	}
	give(frag6(0, true, 1<<20, udp(nil)))
	if whole, err := add(t, &r, start, frag6(8, false, 1<<20, pattern(8))); err != nil || whole == nil {
		t.Errorf("fresh datagram: %v", err)
	}
	given++
	if r.Stats.Evicted == 0 || r.Stats.accounted() != given {
		t.Errorf("%d given, %+v", given, r.Stats)
	}
	// A datagram in too many pieces dies.
	for i := range 9 {
		err = give(frag6(8*(i+1), true, 1<<21, pattern(8)))
	}
	if !errors.Is(err, ErrTooManyFrag) || r.Stats.TooMany != 9 {
		t.Errorf("%v, %+v", err, r.Stats)
	}
}

func TestEvictionOfTheDatagramInHand(t *testing.T) {
	r := Reassembler{Limits: ReassemblyLimits{Bytes: 2048, Share: 4096}}
	add(t, &r, start, frag6(8, true, 1, pattern(1000)))
	if _, err := add(t, &r, start, frag6(1008, true, 1, pattern(1000))); err != nil || r.Stats.Evicted != 1 || r.Stats.Held != 1 || len(r.table) != 1 {
		t.Errorf("%v %+v", err, r.Stats)
	}
	if _, err := add(t, &r, start, frag6(8, true, 2, pattern(4000))); !errors.Is(err, ErrShare) {
		t.Errorf("larger than all memory: %v", err)
	}
	if r.Bytes() > 2048 {
		t.Errorf("%d bytes", r.Bytes())
	}
}

func TestD13ReassembledOversizeDies(t *testing.T) {
	var r Reassembler
	head := ip6(protoUDP, []ext{{protoHopByHop, optionsHeader(3)}, {protoFragment, fragmentHeader(0, true, 1)}}, udp(nil))
	add(t, &r, start, head)
	if _, err := add(t, &r, start, frag6(65512, false, 1, pattern(16))); !errors.Is(err, ErrOversize) || r.Stats.Oversize != 2 {
		t.Errorf("%v %+v", err, r.Stats)
	}
}

func TestAddRefusesACutDatagram(t *testing.T) {
	var r Reassembler
	pkt := frag6(8, true, 1, pattern(16))
	if _, err := r.Add(start, pkt[:50], parsed(t, pkt)); !errors.Is(err, ErrTruncated) {
		t.Errorf("%v", err)
	}
}

func FuzzReassemble(f *testing.F) {
	var seed []byte
	for _, p := range [][]byte{frag6(8, false, 1, pattern(5)), frag6(0, true, 1, udp(nil)), frag4(protoTCP, 0, true, 1, tcp(2, nil, pattern(12))), frag4(protoTCP, 32, false, 1, pattern(1))} {
		seed = append(append(seed, byte(len(p))), p...)
	}
	f.Add(seed)
	f.Add(append([]byte{29}, append(ip4(protoUDP, nil, udp(nil)), 0xee)...)) // link-layer padding behind a whole datagram
	f.Fuzz(func(t *testing.T, script []byte) {
		r := Reassembler{Limits: ReassemblyLimits{Bytes: 8 << 10, Share: 4 << 10, Fragments: 16}}
		given := uint64(0)
		now := start
		for len(script) > 0 {
			n := min(int(script[0]), len(script)-1)
			pkt := script[1 : 1+n]
			script = script[1+n:]
			now = now.Add(time.Second)
			var h Header
			if h.Parse(pkt) != nil {
				continue
			}
			if h.Key.Flags&Fragment != 0 {
				given++
			}
			whole, err := r.Add(now, pkt, &h)
			if whole != nil && err != nil || r.Bytes() > 8<<10 || r.Stats.accounted() != given {
				t.Fatalf("%d given, %d bytes, %+v, %v", given, r.Bytes(), r.Stats, err)
			}
			if whole != nil && h.Key.Flags&Fragment != 0 {
				wh := new(Header)
				if wh.Parse(whole) == nil && (wh.Key.Flags&Fragment != 0 && h.Version == 4 || wh.TotalLen != len(whole)) {
					t.Fatalf("not whole: %x", whole)
				}
			}
		}
	})
}
