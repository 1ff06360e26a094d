package tun

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reader is the state of a read. It belongs to the one goroutine that reads.
type reader struct {
	packets []Packet
	n       int
	err     error
	limit   int // how many packets to ask for in this read
	wake    int32
	poll    [2]unix.PollFd
	call    func(fd uintptr) bool // made once, so that a read allocates nothing
}

func (r *reader) init(wake int) {
	r.limit, r.wake = 1, int32(wake)
	r.call = r.fill
}

// fill reads packets. Asking in vain costs a system call, so it asks for more than one only if there were more lately: the limit doubles while the device
// has something to give at once, and falls to what there was when it has not.
func (r *reader) fill(fd uintptr) bool {
	r.limit = min(r.limit, len(r.packets))
	waited := false
	for r.n < r.limit {
		p := &r.packets[r.n]
		if p.Off < Headroom || p.Off >= len(p.Buf) {
			r.err = syscall.EINVAL
			return true
		}
		room := p.Buf[p.Off-vnetLen:]
		n, _, errno := unix.Syscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&room[0])), uintptr(len(room)))
		switch errno {
		case 0:
			if r.err = p.received(int(n)); r.err != nil {
				return true
			}
			r.n++
		case unix.EINTR:
		case unix.EAGAIN:
			if r.n > 0 {
				r.limit = r.n
				return true
			}
			waited = true
			r.limit = 1
			if r.err = r.wait(int32(fd)); r.err != nil {
				return true
			}
		default:
			r.err = errno
			return true
		}
	}
	if !waited {
		r.limit *= 2
	}
	return true
}

// wait blocks this thread until the device has a packet. That costs less than to leave the wait to the runtime's poller and be woken by it.
func (r *reader) wait(fd int32) error {
	r.poll = [2]unix.PollFd{{Fd: fd, Events: unix.POLLIN}, {Fd: r.wake, Events: unix.POLLIN}}
	if _, err := unix.Poll(r.poll[:], -1); err != nil && err != unix.EINTR {
		return err
	}
	if r.poll[1].Revents != 0 {
		return os.ErrClosed
	}
	return nil
}
