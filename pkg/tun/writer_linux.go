package tun

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/uring"
)

// maxPieces is how many pieces one system call can write (IOV_MAX).
const maxPieces = 1024

func (q *queue) WritePackets(packets []Packet) error {
	q.k.users.RLock()
	defer q.k.users.RUnlock()
	if q.k.closed.Load() {
		for i := range packets {
			packets[i].Failed, packets[i].Lost = true, 0
		}
		return os.ErrClosed
	}
	w := &q.out
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = nil
	w.drain(q.fd, packets)
	if w.err == nil || errors.Is(w.err, errNotSuper) {
		return w.err
	}
	return q.k.explain(w.err)
}

// writer is the state of a write.
type writer struct {
	mu  sync.Mutex
	err error

	// queued are the packets whose writes the ring has not been told of yet, and pieces what they consist of, one after the other.
	ring   *uring.Ring // nil without io_uring
	queued []queued
	pieces []unix.Iovec

	// refuses says, by kind of superpacket, how many more are cut before the kernel is asked again whether it takes them: what it refused may have been the one packet.
	refuses [256]uint16
	cutter  *cutter
}

// queued is the write of one packet.
type queued struct {
	packet      *Packet
	first, last int // its pieces
	errno       syscall.Errno
}

func (w *writer) init(ring *uring.Ring) {
	w.ring = ring
	w.queued, w.pieces = make([]queued, 0, maxWrites), make([]unix.Iovec, 0, 2*maxPieces)
}

// maxWrites is how many writes are handed over at a time.
const maxWrites = 64

// drain writes the packets, many by one system call where there is a ring.
func (w *writer) drain(fd int, packets []Packet) {
	for i := range packets {
		p := &packets[i]
		p.Failed, p.Lost = false, 0
		super := p.Segment > 0 && (len(p.More) > 0 || p.N > p.Segment)
		if !super {
			p.ordinary()
		} else if err := p.super(); err != nil {
			w.fail(p, err)
			continue
		}
		if super && (w.refuses[p.kind()] > 0 || len(p.More) >= maxPieces) {
			w.refuses[p.kind()] -= min(w.refuses[p.kind()], 1)
			w.flush(fd)
			w.cut(fd, p)
			continue
		}
		if len(w.queued) == maxWrites || len(w.pieces)+1+len(p.More) > cap(w.pieces) {
			w.flush(fd)
		}
		w.queue(p)
	}
	w.flush(fd)
}

// askAgain is after how many superpackets of a kind that the kernel refused it is asked again.
const askAgain = 1024

// kind is what the offload header of a superpacket says.
func (p *Packet) kind() uint8 { return p.Buf[p.Off-vnetLen+1] &^ unix.VIRTIO_NET_HDR_GSO_ECN }

func (w *writer) fail(p *Packet, err error) {
	p.Failed = true
	if w.err == nil {
		w.err = err
	}
}

func (w *writer) queue(p *Packet) {
	first := len(w.pieces)
	w.pieces = append(w.pieces, iovec(p.Buf[p.Off-vnetLen:p.Off+p.N]))
	for _, m := range p.More {
		if len(m) > 0 {
			w.pieces = append(w.pieces, iovec(m))
		}
	}
	w.queued = append(w.queued, queued{packet: p, first: first, last: len(w.pieces)})
}

// flush writes what is queued. The kernel works through a ring's requests in their order, because none of them can block.
func (w *writer) flush(fd int) {
	if len(w.queued) > 1 && w.ring != nil {
		w.flushRing(fd)
	} else {
		for i := range w.queued {
			q := &w.queued[i]
			q.errno = writev(fd, w.pieces[q.first:q.last])
		}
	}
	for i := range w.queued {
		if q := &w.queued[i]; q.errno != 0 {
			w.refused(fd, q.packet, q.errno)
		}
	}
	w.queued, w.pieces = w.queued[:0], w.pieces[:0]
}

func (w *writer) flushRing(fd int) {
	for i := range w.queued {
		q := &w.queued[i]
		w.ring.TryWritev(fd, w.pieces[q.first:q.last], uint64(i))
		q.errno = unix.ECANCELED
	}
	if err := w.ring.Enter(len(w.queued)); err != nil { // it does not happen; from here on it goes without
		// Those that the kernel has not told of may be written or not: they are given up, for to write them again would double them.
		w.err = errors.Join(errRing, err)
		defer func() { w.ring.Close(); w.ring = nil }()
	}
	for res, ok := w.ring.Next(); ok; res, ok = w.ring.Next() {
		w.queued[res.ID].errno = syscall.Errno(max(0, -res.N))
	}
}

// refused decides about a packet that the kernel did not take.
func (w *writer) refused(fd int, p *Packet, errno syscall.Errno) {
	super := p.Buf[p.Off-vnetLen+1] != unix.VIRTIO_NET_HDR_GSO_NONE
	if !super || errno != unix.EIO && errno != unix.EINVAL && errno != unix.EMSGSIZE {
		w.fail(p, errno)
		return
	}
	// EINVAL is said of kinds that this kernel does not know, EIO also by a device that is down: that shows in what becomes of the datagrams.
	w.cut(fd, p)
	if !p.Failed && errno == unix.EINVAL {
		w.refuses[p.kind()] = askAgain
	}
}

func writev(fd int, pieces []unix.Iovec) syscall.Errno {
	for {
		_, _, errno := unix.Syscall(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&pieces[0])), uintptr(len(pieces)))
		if errno != unix.EINTR {
			return errno
		}
	}
}

// cutter is what writing the datagrams of a superpacket singly needs.
type cutter struct {
	buf    [Headroom + 40 + MaxDatagram]byte // an IPv6 header counts for itself
	piece  [1]unix.Iovec
	header packet.Header
	super  packet.Super
}

// cut writes the datagrams of a superpacket one by one. Each has a fate of its own.
func (w *writer) cut(fd int, p *Packet) {
	if w.cutter == nil {
		w.cutter = new(cutter)
	}
	c := w.cutter
	whole := append(c.buf[Headroom:Headroom], p.Bytes()...)
	for _, m := range p.More {
		whole = append(whole, m...)
	}
	err := c.header.Parse(whole)
	if err == nil {
		err = c.super.Init(whole, &c.header, p.Segment)
	}
	if err != nil {
		w.fail(p, err)
		return
	}
	taken := 0
	for at, d := Headroom, c.super.Next(); d != nil; at, d = at+p.Segment, c.super.Next() {
		head := c.buf[at-vnetLen : at+len(d)]
		clear(head[:vnetLen]) // the end of the datagram before, which is written
		c.piece[0] = iovec(head)
		if errno := writev(fd, c.piece[:]); errno != 0 {
			w.fail(p, errno)
			p.Lost++
			continue
		}
		taken++
	}
	if p.Failed = taken == 0; p.Failed {
		p.Lost = 0
	}
}

// iovec makes b, which must not be empty, a piece of what readv or writev moves.
func iovec(b []byte) (v unix.Iovec) {
	v.Base = &b[0]
	v.SetLen(len(b))
	return v
}
