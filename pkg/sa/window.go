package sa

// Window sizes in packets (RFC 4303 §3.4.3: at least 32, 64 by default). Ours is larger: several queues reorder more.
const (
	MinWindow     = 32
	MaxWindow     = 65536
	DefaultWindow = 1024
)

// window is the anti-replay window: top is the highest sequence number that was authenticated, and the size numbers up to it
// each have a bit that is set once it was received. The bits lie in a ring of words, one word more than the size needs, rounded
// up to a power of two, so that the window moves by clearing whole words.
type window struct {
	top  uint64
	size uint64
	mask uint64 // number of words less one
	bits []uint64
}

// newWindow makes a window; size is clamped to [MinWindow, MaxWindow]. Numbers up to top count as received.
func newWindow(size int, top uint64) window {
	size = min(max(size, MinWindow), MaxWindow)
	words := uint64(1)
	for words < uint64(size+63)/64+1 {
		words <<= 1
	}
	w := window{size: uint64(size), mask: words - 1, bits: make([]uint64, words)}
	w.restart(top)
	return w
}

// restart places the window's right edge at top and counts everything below as received.
func (w *window) restart(top uint64) {
	w.top = top
	for i := range w.bits {
		w.bits[i] = ^uint64(0)
	}
	// The bits of the word that holds top which lie right of it are still to come.
	w.bits[(top>>6)&w.mask] = 1<<(top&63+1) - 1
}

// check says whether seq may still be accepted. It changes nothing: an unauthenticated packet has no effect.
func (w *window) check(seq uint64) error {
	switch {
	case seq == 0:
		return ErrSequenceZero
	case seq > w.top:
		return nil
	case w.top-seq >= w.size:
		return ErrTooOld
	case w.bits[(seq>>6)&w.mask]&(1<<(seq&63)) != 0:
		return ErrReplayed
	}
	return nil
}

// accept marks seq, which check let pass and whose ICV was right, as received, and reports whether it moved the right edge.
func (w *window) accept(seq uint64) (fresh bool) {
	if seq > w.top {
		w.clear(w.top>>6, seq>>6)
		w.top = seq
		fresh = true
	}
	w.bits[(seq>>6)&w.mask] |= 1 << (seq & 63)
	return fresh
}

// clear empties the words after from up to and including to.
func (w *window) clear(from, to uint64) {
	if to-from > w.mask {
		clear(w.bits)
		return
	}
	for i := from + 1; i <= to; i++ {
		w.bits[i&w.mask] = 0
	}
}

// infer returns the 64-bit sequence number of which a packet carries the low half (RFC 4303 appendix A2.2). ok is false where
// that would lie beyond 2^64.
func (w *window) infer(low uint32) (seq uint64, ok bool) {
	th, tl := uint32(w.top>>32), uint32(w.top)
	bottom := tl - uint32(w.size) + 1 // wraps in case B, as the appendix means it to
	switch {
	case uint64(tl) >= w.size-1 && low < bottom: // case A, behind the window: the next subspace
		if th == 1<<32-1 {
			return 0, false
		}
		th++
	case uint64(tl) < w.size-1 && low >= bottom && th > 0: // case B, before the turn. With th = 0 there is no subspace before it.
		th--
	}
	return uint64(th)<<32 | uint64(low), true
}
