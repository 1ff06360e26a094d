package sa_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/goipsec/goipsec/pkg/sa"
)

// D7: in any order within the window everything is accepted once; what is forged moves nothing.
func TestD7Reordering(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		window := rapid.SampledFrom([]int{0, 32, 100}).Draw(r, "window")
		esn := rapid.Bool().Draw(r, "esn")
		first := uint64(0)
		if esn {
			first = rapid.SampledFrom([]uint64{0, 1<<32 - 60, 5<<32 - 10}).Draw(r, "first")
		}
		o, i := ends(t, sa.OutboundConfig{ESN: esn, FirstSequence: first}, sa.InboundConfig{Window: window, HighestSequence: first})
		if window == 0 {
			window = sa.DefaultWindow
		}
		var packets [][]byte
		for range 2 * window {
			packets = append(packets, seal(t, o, "payload"))
		}
		top, delivered := -1, map[int]bool{}
		for range 200 {
			n := rapid.IntRange(0, len(packets)-1).Draw(r, "packet")
			if top >= 0 && rapid.Bool().Draw(r, "near") {
				n = min(len(packets)-1, max(0, top+rapid.IntRange(-window, 4).Draw(r, "distance")))
			}
			if rapid.Bool().Draw(r, "forged") {
				forged := bytes.Clone(packets[n])
				forged[len(forged)-1] ^= 1
				if _, err := open(i, forged); err == nil || err == sa.ErrMalformed {
					r.Fatalf("forged packet %d: %v", n, err)
				}
			}
			fresh, err := open(i, packets[n])
			want := error(nil)
			switch {
			case top-n >= window && esn: // taken for one of the next subspace, where the ICV is wrong
				want = sa.ErrAuthentication
			case top-n >= window:
				want = sa.ErrTooOld
			case delivered[n]:
				want = sa.ErrReplayed
			}
			if err != want || fresh != (err == nil && n > top) {
				r.Fatalf("packet %d, top %d: fresh %v, %v, want %v", n, top, fresh, err, want)
			}
			if err == nil {
				delivered[n], top = true, max(top, n)
			}
		}
	})
}

// D7: sequence number zero is refused, with ESN only that of all 64 bits.
func TestD7SequenceZero(t *testing.T) {
	_, i := ends(t, sa.OutboundConfig{}, sa.InboundConfig{})
	pkt := make([]byte, 64)
	if _, err := open(i, pkt); err != sa.ErrSequenceZero {
		t.Errorf("without ESN: %v", err)
	}
	o, i := ends(t, sa.OutboundConfig{ESN: true, FirstSequence: 1<<32 - 1}, sa.InboundConfig{HighestSequence: 1<<32 - 1})
	if fresh, err := open(i, seal(t, o, "low half 0")); err != nil || !fresh {
		t.Errorf("number 2^32 with ESN: %v", err)
	}
	_, i = ends(t, sa.OutboundConfig{ESN: true}, sa.InboundConfig{})
	if _, err := open(i, pkt); err != sa.ErrSequenceZero {
		t.Errorf("with ESN: %v", err)
	}
}

// RFC 4303 appendix A3: after more than 2^32 lost packets the receiver finds the sender again, at a bounded cost.
func TestRFC4303AppendixA3(t *testing.T) {
	for _, lost := range []uint64{1<<32 + 5, 3 << 32, 7<<32 + 12345} {
		o, i := ends(t, sa.OutboundConfig{ESN: true, FirstSequence: 1000 + lost}, sa.InboundConfig{HighestSequence: 1000})
		found := 0
		for n := 1; n <= 200 && found == 0; n++ {
			pkt := seal(t, o, "after the gap")
			off, size, _, fresh, err := i.Open(pkt, 0, birth)
			if err == nil {
				found = n
				if !fresh || string(pkt[off:off+size]) != "after the gap" {
					t.Errorf("lost %d: %q, fresh %v", lost, pkt[off:off+size], fresh)
				}
			} else if err != sa.ErrAuthentication {
				t.Fatalf("lost %d, packet %d: %v", lost, n, err)
			}
		}
		if found != 65 { // the first after 64 failures in a row
			t.Errorf("lost %d: found after %d packets", lost, found)
		}
		if got, want := i.Stats(birth).Sequence, o.Stats(birth).Sequence; got != want {
			t.Errorf("lost %d: window at %d, want %d", lost, got, want)
		}
		if _, err := open(i, seal(t, o, "and on")); err != nil {
			t.Errorf("lost %d: after that: %v", lost, err)
		}
	}
	// At the end of the numbers the search stops where they do.
	end := uint64(1<<32-1) << 32
	o, i := ends(t, sa.OutboundConfig{ESN: true, FirstSequence: end + 2000}, sa.InboundConfig{HighestSequence: end - 1<<32 + 1000})
	for n := range 65 {
		if _, err := open(i, seal(t, o, "")); (err == nil) != (n == 64) {
			t.Errorf("in the last subspace, packet %d: %v", n, err)
		}
	}
	// A gap of more than eight subspaces is too far.
	o, i = ends(t, sa.OutboundConfig{ESN: true, FirstSequence: 20 << 32}, sa.InboundConfig{HighestSequence: 1000})
	for range 500 {
		if _, err := open(i, seal(t, o, "")); err == nil {
			t.Fatal("found a sender twenty subspaces away")
		}
	}
}

// opens counts how often an Opener does its work.
type opens struct {
	sa.Opener
	n int
}

func (o *opens) Open(pkt []byte, hlen int, seq uint64) (int, int, uint8, error) {
	o.n++
	return o.Opener.Open(pkt, hlen, seq)
}

// D7: the search for the sender cannot be used to make us compute: forged packets cost half as much again as without it. And it cannot move the window.
func TestD7ResynchronisationIsBounded(t *testing.T) {
	for _, esn := range []bool{false, true} {
		o, i := ends(t, sa.OutboundConfig{ESN: esn}, sa.InboundConfig{})
		counting := &opens{Opener: i.Config().Opener}
		_, i = ends(t, sa.OutboundConfig{ESN: esn}, sa.InboundConfig{Opener: counting})
		pkt := seal(t, o, "forged")
		const forged = 10000
		for n := range forged {
			pkt[4], pkt[5], pkt[6], pkt[7] = byte(n>>8), byte(n), byte(n), 2
			if _, err := open(i, pkt); err != sa.ErrAuthentication {
				t.Fatal(err)
			}
		}
		most := forged
		if esn {
			most = forged * 3 / 2
		}
		if counting.n < forged || counting.n > most {
			t.Errorf("ESN %v: %d forged packets took %d computations", esn, forged, counting.n)
		}
		if i.Stats(birth).Sequence != 0 || i.Stats(birth).Drops[sa.Authentication] != forged {
			t.Errorf("ESN %v: %+v", esn, i.Stats(birth))
		}
		if _, err := open(i, seal(t, o, "genuine")); err != nil {
			t.Errorf("ESN %v: afterwards: %v", esn, err)
		}
	}
}

// Anti-replay may be off for manual keys; never with ESN, whose high half the window tells.
func TestAntiReplayOff(t *testing.T) {
	o, i := ends(t, sa.OutboundConfig{}, sa.InboundConfig{Window: -1})
	skip(t, o, 5)
	pkt := seal(t, o, "again and again")
	for n := range 3 {
		if fresh, err := open(i, pkt); err != nil || fresh != (n == 0) {
			t.Errorf("time %d: fresh %v, %v", n, fresh, err)
		}
	}
	o, i = ends(t, sa.OutboundConfig{ESN: true}, sa.InboundConfig{Window: -1})
	pkt = seal(t, o, "once")
	if _, err := open(i, pkt); err != nil {
		t.Error(err)
	}
	if _, err := open(i, pkt); err != sa.ErrReplayed {
		t.Errorf("with ESN: %v", err)
	}
}
