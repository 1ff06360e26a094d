package tun

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/goipsec/goipsec/pkg/uring"
)

// The way of a read:
//
//  1. An ordinary read, if lately there was one packet at a time; if there were more, as many reads as lately succeeded, twice that at most, by one
//     system call.
//  2. If they find nothing, a read that waits: one system call, without io_uring a poll and a read.
//
// This thread waits in the kernel. To leave that to the runtime's poller and be woken by it costs more.

const (
	// maxReads is how many reads are handed over at a time.
	maxReads = 64
	// enough is how many octets of superpackets are worth a batch. More only makes them wait for each other and falls out of the caches.
	enough = 1 << 17
)

// The numbers of requests that are not reads into packets[i], which have the number i.
const (
	idWake uint64 = maxReads + iota
	idCancel
)

// reader is the state of a read. It belongs to the one goroutine that reads.
type reader struct {
	packets []Packet
	n       int
	err     error
	limit   int // how many reads to try at once
	wake    int
	armed   bool // the ring waits for wake
	woken   bool
	ring    *uring.Ring     // nil without io_uring
	got     [maxReads]int32 // what each read of a batch returned
}

func (r *reader) init(wake int, ring *uring.Ring) {
	r.limit, r.wake, r.ring = 1, wake, ring
}

// check refuses packets that cannot be read into.
func (r *reader) check() {
	for i := range r.packets[:min(len(r.packets), maxReads)] {
		if p := &r.packets[i]; p.Off < Headroom || p.Off >= len(p.Buf) {
			r.err = fmt.Errorf("packet %d has no room at offset %d: %w", i, p.Off, syscall.EINVAL)
			return
		}
	}
}

// fill reads packets, at least one.
func (r *reader) fill(fd int) {
	asked := r.try(fd)
	waited := r.n == 0 && r.err == nil
	for r.n == 0 && r.err == nil {
		if r.ring != nil {
			r.first(fd)
		} else if r.err = r.wait(fd); r.err == nil {
			r.some(fd, 1)
		}
	}
	r.adapt(asked, waited)
}

// glance reads packets, if there are any.
func (r *reader) glance(fd int) {
	asked := r.try(fd)
	r.adapt(asked, r.n == 0)
}

// try reads without waiting, and returns how many packets it asked for.
func (r *reader) try(fd int) (asked int) {
	asked = min(r.limit, len(r.packets), maxReads)
	if asked > 1 && r.ring != nil {
		r.many(fd, asked)
	} else {
		r.some(fd, asked)
	}
	return asked
}

// adapt sets the limit of the next read: in vain a read costs a system call, or the better part of what one in a batch costs.
func (r *reader) adapt(asked int, waited bool) {
	switch {
	case waited:
		r.limit = 1
	case r.n < asked:
		r.limit = max(r.n, 1)
	default:
		octets := 0
		for i := range r.n {
			octets += r.packets[i].N
		}
		r.limit = min(2*asked, max(1, enough*r.n/max(octets, 1)))
	}
}

// some reads until there is nothing more or there are asked packets.
func (r *reader) some(fd, asked int) {
	for r.n < asked && r.err == nil {
		room := r.packets[r.n].room()
		n, _, errno := unix.Syscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&room[0])), uintptr(len(room)))
		switch errno {
		case 0:
			r.take(r.n, int(n))
		case unix.EINTR:
		case unix.EAGAIN:
			return
		default:
			r.err = errno
		}
	}
}

// room is where the kernel puts a packet, with its offload header.
func (p *Packet) room() []byte { return p.Buf[p.Off-vnetLen:] }

// take makes what was read into packets[i], n octets, the next packet.
func (r *reader) take(i, n int) {
	if err := r.packets[i].received(n); err != nil {
		r.err = err
		return
	}
	if i != r.n { // the buffers change places, so that each packet keeps one of its own
		r.packets[i], r.packets[r.n] = r.packets[r.n], r.packets[i]
	}
	r.n++
}

// many tries asked reads in one system call. There may be packets behind one that found nothing.
func (r *reader) many(fd, asked int) {
	for i := range asked {
		r.ring.TryRead(fd, r.packets[i].room(), uint64(i))
		r.got[i] = -int32(unix.EAGAIN)
	}
	if !r.await(asked) {
		return
	}
	for i, n := range r.got[:asked] {
		switch {
		case n >= 0:
			r.take(i, int(n))
		case n != -int32(unix.EAGAIN) && n != -int32(unix.EINTR) && r.err == nil:
			r.err = syscall.Errno(-n)
		}
	}
}

// first waits for a packet. A reader that is woken takes its request back before it returns: the kernel must not
// write into a buffer that is no longer ours to lend.
func (r *reader) first(fd int) {
	if r.woken {
		r.err = os.ErrClosed
		return
	}
	if !r.armed {
		r.ring.Poll(r.wake, unix.POLLIN, idWake)
		r.armed = true
	}
	r.ring.Read(fd, r.packets[0].room(), 0)
	r.got[0] = -int32(unix.EAGAIN)
	if !r.await(1) {
		return
	}
	switch n := r.got[0]; {
	case n >= 0:
		r.take(0, int(n))
	case n == -int32(unix.EAGAIN), n == -int32(unix.EINTR):
	case n == -int32(unix.ECANCELED) && r.woken:
		r.err = os.ErrClosed
	default:
		r.err = syscall.Errno(-n)
	}
}

// await takes the results of the given number of reads.
func (r *reader) await(reads int) bool {
	for reads > 0 {
		if err := r.ring.Enter(1); err != nil {
			r.ring.Close()
			r.ring, r.err = nil, errors.Join(errRing, err)
			return false
		}
		for res, ok := r.ring.Next(); ok; res, ok = r.ring.Next() {
			switch {
			case res.ID < maxReads:
				r.got[res.ID] = res.N
				reads--
			case res.ID == idWake && res.N < 0:
				r.armed = false // the thread that armed it is no more
			case res.ID == idWake:
				r.woken = true
				r.ring.Cancel(0, idCancel)
			}
		}
	}
	return true
}

// errRing says that io_uring failed while in use, which it does not do. The device goes on without.
var errRing = errors.New("io_uring failed")

// wait blocks this thread until the device has a packet.
func (r *reader) wait(fd int) error {
	fds := [...]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(r.wake), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds[:], -1); err != nil && err != unix.EINTR {
		return err
	}
	if fds[1].Revents != 0 {
		return os.ErrClosed
	}
	return nil
}
