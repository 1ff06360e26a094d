package sa

import (
	"testing"

	"pgregory.net/rapid"
)

// everything is the slow twin of window: it remembers all that it ever accepted.
type everything struct {
	top, size uint64
	accepted  map[uint64]bool
	floor     uint64 // counts as received
}

func (e *everything) check(seq uint64) error {
	switch {
	case seq == 0:
		return ErrSequenceZero
	case seq > e.top:
		return nil
	case e.top-seq >= e.size:
		return ErrTooOld
	case seq <= e.floor || e.accepted[seq]:
		return ErrReplayed
	}
	return nil
}

func (e *everything) accept(seq uint64) bool {
	e.accepted[seq] = true
	fresh := seq > e.top
	e.top = max(e.top, seq)
	return fresh
}

// D7, RFC 4303 §3.4.3: the window is the set of everything that was accepted, cut off at its size; from 32 to 65536 packets, at any place of the number space.
func TestD7WindowIsTheSetOfEverything(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		size := rapid.SampledFrom([]int{32, 33, 63, 64, 65, 127, 128, 1000, 1024, 4096, 65535, 65536}).Draw(r, "size")
		top := rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64Range(0, 200), rapid.Uint64Range(1<<32-100, 1<<32+100), rapid.Uint64Range(1<<63, 1<<64-1<<20)).Draw(r, "top")
		w, twin := newWindow(size, top), everything{top: top, size: uint64(size), accepted: map[uint64]bool{}, floor: top}
		for range rapid.IntRange(1, 300).Draw(r, "packets") {
			seq := rapid.OneOf(
				rapid.Custom(func(r *rapid.T) uint64 { return w.top + rapid.Uint64Range(1, 4).Draw(r, "next") }),
				rapid.Custom(func(r *rapid.T) uint64 { return w.top + rapid.Uint64Range(1, uint64(3*size)).Draw(r, "leap") }),
				rapid.Custom(func(r *rapid.T) uint64 {
					return w.top - min(w.top, rapid.Uint64Range(0, uint64(size)+2).Draw(r, "back"))
				}),
				rapid.Just(w.top-min(w.top, uint64(size)-1)),
				rapid.Just(w.top-min(w.top, uint64(size))),
				rapid.Just(uint64(0)),
			).Draw(r, "seq")
			got, want := w.check(seq), twin.check(seq)
			if got != want {
				r.Fatalf("size %d, top %d, number %d: %v, want %v", size, w.top, seq, got, want)
			}
			if got != nil {
				continue
			}
			if fresh, want := w.accept(seq), twin.accept(seq); fresh != want {
				r.Fatalf("size %d, number %d: fresh %v, want %v", size, seq, fresh, want)
			}
			if w.check(seq) == nil {
				r.Fatalf("number %d would be accepted twice", seq)
			}
		}
	})
}

// The same by exhaustion: every number of a small space, in a shuffled order, twice.
func TestD7EachNumberOnce(t *testing.T) {
	for _, size := range []int{MinWindow, 64, 100, DefaultWindow} {
		w := newWindow(size, 0)
		accepted := map[uint64]int{}
		for step := range uint64(20000) {
			// Blocks of half a window go by in an order that is fixed but far from sorted; then each number comes again.
			half := uint64(size) / 2
			block, in := step/(2*half)*half, step%half
			seq := block + (in*7+3)%half + 1
			if half%7 == 0 {
				seq = block + half - in
			}
			if w.check(seq) == nil {
				w.accept(seq)
				accepted[seq]++
			}
		}
		for seq := uint64(1); seq < w.top-uint64(size); seq++ {
			if accepted[seq] != 1 {
				t.Fatalf("size %d: number %d accepted %d times", size, seq, accepted[seq])
			}
		}
	}
}

func TestWindowSizesAreClamped(t *testing.T) {
	for given, want := range map[int]uint32{-5: MinWindow, 0: MinWindow, 1: MinWindow, 31: MinWindow, 32: 32, 65536: 65536, 1 << 40: MaxWindow} {
		w := newWindow(given, 0)
		if w.size != want || len(w.bits) > 2*MaxWindow/64 {
			t.Errorf("size %d became %d with %d words", given, w.size, len(w.bits))
		}
	}
}

// RFC 4303 appendix A2.2, as a property: of the numbers with the given low half, the one is meant that lies in the 2^32 from the window's
// left edge on.
func TestRFC4303AppendixA2(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		size := rapid.SampledFrom([]int{32, 64, 1024, 65536}).Draw(r, "size")
		th := rapid.OneOf(rapid.Uint64Range(0, 3), rapid.Uint64Range(1<<32-3, 1<<32-1), rapid.Uint64Range(0, 1<<32-1)).Draw(r, "Th")
		tl := rapid.OneOf(rapid.Uint64Range(0, uint64(size)+2), rapid.Uint64Range(1<<32-uint64(size)-2, 1<<32-1), rapid.Uint64Range(0, 1<<32-1)).Draw(r, "Tl")
		w := newWindow(size, th<<32|tl)
		ahead := rapid.OneOf(rapid.Uint64Range(0, 3*uint64(size)), rapid.Uint64Range(1<<32-3, 1<<32-1), rapid.Uint64Range(0, 1<<32-1)).Draw(r, "ahead")
		left := w.top - min(w.top, uint64(size)-1)
		if ahead > maxSequenceESN-left {
			return // there is no such number
		}
		seq := left + ahead
		got, ok := w.infer(uint32(seq))
		if !ok || got != seq {
			r.Fatalf("window of %d at %#x: low half %#x inferred as %#x, %v; want %#x", size, w.top, uint32(seq), got, ok, seq)
		}
	})
	// Beyond the last number there is none.
	w := newWindow(64, maxSequenceESN-10)
	if seq, ok := w.infer(5); ok {
		t.Errorf("inferred %#x past the end", seq)
	}
	if seq, ok := w.infer(1<<32 - 3); !ok || seq != maxSequenceESN-2 {
		t.Errorf("inferred %#x, %v", seq, ok)
	}
}

// restart after a resynchronisation forgets nothing that may come again.
func TestWindowLeap(t *testing.T) {
	w := newWindow(64, 0)
	for _, top := range []uint64{1, 64, 65, 1 << 20, 1<<32 + 7, 1<<63 + 1, maxSequenceESN} {
		if w.check(top) != nil || !w.accept(top) {
			t.Fatalf("%d is not accepted as fresh", top)
		}
		if w.check(top) != ErrReplayed {
			t.Errorf("%d is accepted twice", top)
		}
		if top > 65 && (w.check(top-1) != nil || w.check(top-63) != nil || w.check(top-64) != ErrTooOld) {
			t.Errorf("behind %d: %v, %v, %v", top, w.check(top-1), w.check(top-63), w.check(top-64))
		}
	}
}
