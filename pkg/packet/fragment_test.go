package packet

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// rejoin feeds fragments to a reassembler and returns what comes out after the last.
func rejoin(r *Reassembler, frags [][]byte) (whole []byte, err error) {
	for i, f := range frags {
		var h Header
		if err := h.Parse(f); err != nil {
			return nil, err
		}
		if whole, err = r.Add(start, f, &h); err != nil {
			return nil, err
		}
		if whole != nil && i+1 < len(frags) {
			return nil, errors.New("whole too early")
		}
	}
	return whole, nil
}

func TestFragmentThenReassembleIsIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pkt := anyDatagram(5000).Draw(t, "datagram")
		h := parsed(t, pkt)
		mtu := rapid.IntRange(160, 1600).Draw(t, "mtu")
		frags, err := Fragments(nil, pkt, h, mtu, 0xabcdef01)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range frags {
			fh := parsed(t, f)
			if len(f) > mtu || fh.TotalLen != len(f) || fh.Version == 4 && slowChecksum(f[:fh.UpperOffset]) != 0 {
				t.Fatalf("fragment %d of %d bytes for MTU %d", i, len(f), mtu)
			}
			if len(frags) > 1 && fh.Version == 6 && fh.ID != 0xabcdef01 {
				t.Fatalf("ID %x", fh.ID)
			}
		}
		shuffled := rapid.Permutation(frags).Draw(t, "order")
		var r Reassembler
		whole, err := rejoin(&r, shuffled)
		if err != nil || !bytes.Equal(whole, pkt) {
			t.Fatalf("got %x, %v, want %x", whole, err, pkt)
		}
		if r.Bytes() != 0 || len(r.shares) != 0 || len(r.table) != 0 || r.oldest != nil || r.newest != nil {
			t.Fatalf("%d bytes are still held", r.Bytes())
		}
	})
}

func TestFragmentsOfFragmentsReassemble(t *testing.T) {
	pkt := ip4(protoUDP, []byte{148, 4, 0, 0}, udp(pattern(3000)))
	first, err := Fragments(nil, pkt, parsed(t, pkt), 1400, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for _, f := range first {
		if all, err = Fragments(all, f, parsed(t, f), 500, 0); err != nil {
			t.Fatal(err)
		}
	}
	var r Reassembler
	if whole, err := rejoin(&r, all); err != nil || !bytes.Equal(whole, pkt) {
		t.Errorf("%v", err)
	}
}

func TestRFC791Section3_1CopiedOptions(t *testing.T) {
	// Record route (7) is not copied, router alert (148) is, and no-operation is dropped with the padding.
	pkt := ip4(protoUDP, []byte{7, 3, 4, 1, 148, 4, 0, 0, 1, 1, 1, 0}, udp(pattern(400)))
	frags, err := Fragments(nil, pkt, parsed(t, pkt), 200, 0)
	if err != nil || len(frags) < 3 {
		t.Fatal(len(frags), err)
	}
	if !bytes.Equal(frags[0][20:32], pkt[20:32]) {
		t.Errorf("first: %x", frags[0][20:32])
	}
	for _, f := range frags[1:] {
		if h := parsed(t, f); h.UpperOffset != 24 || !bytes.Equal(f[20:24], []byte{148, 4, 0, 0}) {
			t.Errorf("later: %x", f[:32])
		}
	}
}

func TestFragmentsRefuses(t *testing.T) {
	df := ip4(protoUDP, nil, udp(pattern(400)))
	df[6] |= 0x40
	plain := ip4(protoUDP, nil, udp(pattern(400)))
	atomic := ip6(protoUDP, []ext{{protoFragment, fragmentHeader(0, false, 1)}}, udp(pattern(1400)))
	deep := ip6(protoTCP, []ext{{protoDestOpts, optionsHeader(3)}}, tcp(2, nil, pattern(400)))
	for name, c := range map[string]struct {
		pkt  []byte
		mtu  int
		want error
	}{
		"DF":                    {df, 200, ErrDF},
		"no room v4":            {plain, 27, ErrMTU},
		"no room v6":            {deep, 50, ErrMTU},
		"header chain cut":      {deep, 40 + 8 + 32 + 16, ErrMTU},
		"fragment header there": {atomic, 1280, ErrNotWhole},
	} {
		if out, err := Fragments(nil, c.pkt, parsed(t, c.pkt), c.mtu, 1); !errors.Is(err, c.want) || len(out) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	h := parsed(t, plain)
	if _, err := Fragments(nil, plain[:100], h, 200, 1); !errors.Is(err, ErrTruncated) {
		t.Errorf("cut: %v", err)
	}
	if out, err := Fragments(nil, df, parsed(t, df), 1500, 1); err != nil || len(out) != 1 || &out[0][0] != &df[0] {
		t.Error("what fits must pass as it is")
	}
}

func FuzzFragments(f *testing.F) {
	f.Add(ip4(protoUDP, []byte{148, 4, 0, 0}, udp(pattern(700))), uint16(576), uint64(1))
	f.Add(ip6(protoTCP, []ext{{protoHopByHop, optionsHeader(0)}, {protoDestOpts, optionsHeader(0)}}, tcp(2, nil, pattern(1500))), uint16(1280), uint64(2))
	f.Fuzz(func(t *testing.T, pkt []byte, mtu uint16, seed uint64) {
		var h Header
		if h.Parse(pkt) != nil || h.Key.Flags&Fragment != 0 || h.Version == 4 && pkt[6]&0x80 != 0 {
			return
		}
		frags, err := Fragments(nil, pkt, &h, int(mtu), 1)
		if err != nil || len(frags) > 128 {
			return
		}
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(frags), func(i, j int) { frags[i], frags[j] = frags[j], frags[i] })
		var r Reassembler
		whole, err := rejoin(&r, frags)
		if errors.Is(err, ErrTiny) {
			return // the MTU, or the datagram's own upper layer, is tinier than the reassembler believes in
		}
		if h.Version == 4 {
			putHeaderChecksum(pkt[:h.UpperOffset])
		}
		if err != nil || len(frags) > 1 && !bytes.Equal(whole, pkt[:h.TotalLen]) {
			t.Fatalf("%v\n%x\n%x", err, whole, pkt[:h.TotalLen])
		}
	})
}
