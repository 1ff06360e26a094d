package sa

// Window sizes in packets (RFC 4303 §3.4.3: at least 32, 64 by default). Ours is larger: several queues reorder more.
const (
	MinWindow     = 32
	MaxWindow     = 65536
	DefaultWindow = 1024
)

// window is the anti-replay window: top is the highest sequence number that was authenticated, and the size numbers up to it
// each have a bit that is set once it was received. The bits lie in a ring of words, as many as the size needs, rounded up to a power of two.
type window struct {
	top  uint64
	bits []uint64
	size uint32
	off  bool // anti-replay is off: there is nothing but the right edge
}

// newWindow makes a window; size is clamped to [MinWindow, MaxWindow], and a negative one means off. Numbers up to top count as received.
func newWindow(size int, top uint64) window {
	off := size < 0
	size = min(max(size, MinWindow), MaxWindow)
	words := uint64(1)
	for words*64 < uint64(size) {
		words <<= 1
	}
	w := window{size: uint32(size), off: off, bits: make([]uint64, words)}
	w.restart(top)
	return w
}

// restart places the window's right edge at top and counts everything below as received.
func (w *window) restart(top uint64) {
	w.top = top
	for i := range w.bits {
		w.bits[i] = ^uint64(0) // those of numbers to come too: accept clears what it moves over
	}
}

// mask is the number of words less one.
func (w *window) mask() uint64 { return uint64(len(w.bits) - 1) }

// check says whether seq may still be accepted. It changes nothing: an unauthenticated packet has no effect.
func (w *window) check(seq uint64) error {
	switch {
	case seq == 0:
		return ErrSequenceZero
	case seq > w.top:
		return nil
	case w.top-seq >= uint64(w.size):
		return ErrTooOld
	case w.bits[(seq>>6)&w.mask()]&(1<<(seq&63)) != 0:
		return ErrReplayed
	}
	return nil
}

// accept marks seq, which check let pass and whose ICV was right, as received, and reports whether it moved the right edge.
func (w *window) accept(seq uint64) (fresh bool) {
	if seq > w.top {
		if seq-w.top > 1 { // else there is one bit to clear, and that is the one to set
			w.clear(w.top+1, seq)
		}
		w.top = seq
		fresh = true
	}
	w.bits[(seq>>6)&w.mask()] |= 1 << (seq & 63)
	return fresh
}

// clear clears the bits of the numbers from and to and of those between them.
func (w *window) clear(from, to uint64) {
	first, last := from>>6, to>>6
	before, after := uint64(1)<<(from&63)-1, ^uint64(0)<<(to&63)<<1 // the bits of these words that stay
	switch {
	case to-from >= (w.mask()+1)*64:
		clear(w.bits)
	case first == last:
		w.bits[first&w.mask()] &= before | after
	default:
		w.bits[first&w.mask()] &= before
		for i := first + 1; i < last; i++ {
			w.bits[i&w.mask()] = 0
		}
		w.bits[last&w.mask()] &= after
	}
}

// infer returns the 64-bit sequence number of which a packet carries the low half (RFC 4303 appendix A2.2). ok is false where
// that would lie beyond 2^64.
func (w *window) infer(low uint32) (seq uint64, ok bool) {
	th, tl := uint32(w.top>>32), uint32(w.top)
	bottom := tl - w.size + 1 // wraps in case B, as the appendix means it to
	switch {
	case tl >= w.size-1 && low < bottom: // case A, behind the window: the next subspace
		if th == 1<<32-1 {
			return 0, false
		}
		th++
	case tl < w.size-1 && low >= bottom && th > 0: // case B, before the turn. With th = 0 there is no subspace before it.
		th--
	}
	return uint64(th)<<32 | uint64(low), true
}
