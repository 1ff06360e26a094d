package tun

import (
	"errors"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/goipsec/goipsec/pkg/packet"
)

// maxPieces is how many pieces one system call can write (IOV_MAX).
const maxPieces = 1024

func (k *kernel) WritePackets(packets []Packet) error {
	if k.closed.Load() {
		for i := range packets {
			packets[i].Failed = true
		}
		return os.ErrClosed
	}
	w := &k.out
	w.mu.Lock()
	defer w.mu.Unlock()
	w.packets, w.done, w.err = packets, 0, nil
	if err := k.raw.Write(w.call); err != nil {
		w.err = err
	}
	for i := range packets[w.done:] {
		packets[w.done+i].Failed = true
	}
	w.packets = nil
	if w.err == nil || errors.Is(w.err, errNotSuper) {
		return w.err
	}
	return k.explain(w.err)
}

// writer is the state of a write.
type writer struct {
	mu      sync.Mutex
	packets []Packet
	done    int // how many of packets were looked at
	err     error
	iovs    []unix.Iovec
	call    func(fd uintptr) bool // made once, so that a write allocates nothing

	// refuses says, by kind of superpacket, that the kernel takes none of them.
	refuses [256]bool
	cutter  *cutter
}

func (w *writer) init() { w.call = w.drain }

// drain writes the packets one by one, each by one system call.
func (w *writer) drain(fd uintptr) bool {
	for ; w.done < len(w.packets); w.done++ {
		p := &w.packets[w.done]
		err := w.write(fd, p)
		if p.Failed = err != nil; p.Failed && w.err == nil {
			w.err = err
		}
	}
	return true
}

func (w *writer) write(fd uintptr, p *Packet) error {
	if p.Segment == 0 || len(p.More) == 0 && p.N <= p.Segment {
		p.ordinary()
		w.iovs = append(w.iovs[:0], iovec(p.Buf[p.Off-vnetLen:p.Off+p.N]))
		return w.writev(fd)
	}
	if err := p.super(); err != nil {
		return err
	}
	kind := p.Buf[p.Off-vnetLen+1] &^ unix.VIRTIO_NET_HDR_GSO_ECN
	if w.refuses[kind] || len(p.More) >= maxPieces {
		return w.cut(fd, p)
	}
	w.iovs = append(w.iovs[:0], iovec(p.Buf[p.Off-vnetLen:p.Off+p.N]))
	for _, m := range p.More {
		if len(m) > 0 {
			w.iovs = append(w.iovs, iovec(m))
		}
	}
	err := w.writev(fd)
	if err != unix.EIO && err != unix.EINVAL && err != unix.EMSGSIZE {
		return err
	}
	// EINVAL is said of kinds that this kernel does not know, EIO also by a device that is down: that is seen by what becomes of the datagrams.
	single := w.cut(fd, p)
	if single == nil && err == unix.EINVAL {
		w.refuses[kind] = true
	}
	return single
}

func (w *writer) writev(fd uintptr) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&w.iovs[0])), uintptr(len(w.iovs)))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return errno
	}
}

// cutter is what writing the datagrams of a superpacket singly needs.
type cutter struct {
	buf    [Headroom + 40 + MaxDatagram]byte // an IPv6 header counts for itself
	header packet.Header
	super  packet.Super
}

// cut writes the datagrams of a superpacket one by one.
func (w *writer) cut(fd uintptr, p *Packet) error {
	if w.cutter == nil {
		w.cutter = new(cutter)
	}
	c := w.cutter
	whole := append(c.buf[Headroom:Headroom], p.Bytes()...)
	for _, m := range p.More {
		whole = append(whole, m...)
	}
	if err := c.header.Parse(whole); err != nil {
		return err
	}
	if err := c.super.Init(whole, &c.header, p.Segment); err != nil {
		return err
	}
	for at, d := Headroom, c.super.Next(); d != nil; d = c.super.Next() {
		one := Packet{Buf: c.buf[:], Off: at, N: len(d)}
		one.ordinary() // over the end of the datagram before, which is written
		w.iovs = append(w.iovs[:0], iovec(c.buf[at-vnetLen:at+len(d)]))
		if err := w.writev(fd); err != nil {
			return err
		}
		at += p.Segment
	}
	return nil
}

// iovec makes b, which must not be empty, a piece of what readv or writev moves.
func iovec(b []byte) (v unix.Iovec) {
	v.Base = &b[0]
	v.SetLen(len(b))
	return v
}
