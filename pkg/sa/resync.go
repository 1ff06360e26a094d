package sa

import "sync"

// Resynchronisation of extended sequence numbers after the loss of more than 2^32 packets in a row (RFC 4303 appendix A3). The receiver then
// infers a high half that is too low, and every ICV fails. After resyncAfter failures in a row, one packet in resyncEvery is tried under the
// next resyncTries high halves. So forged packets cost at most half as much again as they do anyhow.
const (
	resyncAfter = 64
	resyncEvery = 16
	resyncTries = 8
)

// spares are memory for copies of packets that are tried under several sequence numbers.
var spares = sync.Pool{New: func() any { return new([]byte) }}

// resyncDue reports whether this packet is one to be tried under several high halves. Without ESN there is nothing to try.
func (i *Inbound) resyncDue() bool {
	return i.config.ESN && i.failures >= resyncAfter && i.failures%resyncEvery == 0
}

// resync opens the packet under seq, then under the same low half with higher high halves. It returns the sequence number that proved right.
// All those numbers lie right of the window, so accepting one places the window there, with everything below it lost.
func (i *Inbound) resync(pkt []byte, hlen int, seq uint64) (off, n int, next uint8, right uint64, err error) {
	spare := spares.Get().(*[]byte)
	defer spares.Put(spare)
	*spare = append((*spare)[:0], pkt...)
	off, n, next, err = i.config.Opener.Open(pkt, hlen, seq)
	for try := 0; err != nil && try < resyncTries && seq <= maxSequenceESN-1<<32; try++ {
		seq += 1 << 32
		if i.window.check(seq) != nil {
			continue
		}
		copy(pkt, *spare)
		off, n, next, err = i.config.Opener.Open(pkt, hlen, seq)
	}
	return off, n, next, seq, err
}
