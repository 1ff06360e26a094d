package netio

import (
	"fmt"
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// receiver holds what recvmmsg fills: one slot a message. It belongs to the one reader of a socket.
type receiver struct {
	hdrs    [MaxBatch]mmsghdr
	iovs    [MaxBatch]unix.Iovec
	names   [MaxBatch][nameLen]byte
	control []byte
	room    int // octets of control for each message
	want    int
	try     bool // do not wait
	busy    bool // the last read found more than one message
}

func newReceiver(controlRoom int) *receiver {
	r := &receiver{control: make([]byte, MaxBatch*controlRoom), room: controlRoom}
	for i := range r.hdrs {
		h := &r.hdrs[i]
		h.Name = &r.names[i][0]
		h.Iov = &r.iovs[i]
		h.SetIovlen(1)
		h.Control = &r.control[i*controlRoom]
	}
	return r
}

// recvmmsg waits for the first message only. This thread waits in the kernel: to leave that to the runtime's poller and be woken by it costs more.
//
// While messages stream in, a reader that finds none lets others have the processor once before it waits: to be woken for each message costs both ends
// more than the messages do.
func (r *receiver) recvmmsg(fd int) (got int, _ syscall.Errno) {
	flags := uintptr(unix.MSG_WAITFORONE)
	if r.busy || r.try {
		flags = unix.MSG_DONTWAIT
	}
	for tries := 0; ; {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&r.hdrs[0])), uintptr(r.want), flags, 0, 0)
		switch errno {
		case 0:
			r.busy = n > 1
			return int(n), 0
		case unix.EAGAIN:
			if r.try {
				return 0, 0
			}
			if tries++; tries == 1 {
				_, _, _ = unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
			} else {
				flags = unix.MSG_WAITFORONE
			}
			continue
		case unix.EINTR, unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH:
			// What an ICMP message, which anybody may forge, left on the socket. Reading the error has cleared it.
			continue
		}
		return 0, errno
	}
}

// receive fills msgs from their Off plus skip octets on and returns how many there were. It blocks until there is one.
func (r *receiver) receive(s *socket, msgs []Message, skip int) (int, error) {
	r.want = min(len(msgs), MaxBatch)
	for i := range r.want {
		m := &msgs[i]
		room := m.Buf[min(m.Off+skip, len(m.Buf)):]
		if len(room) == 0 {
			return 0, fmt.Errorf("message %d has no room behind offset %d: %w", i, m.Off, syscall.EINVAL)
		}
		r.iovs[i].Base = &room[0]
		r.iovs[i].SetLen(len(room))
		h := &r.hdrs[i]
		h.Namelen = nameLen
		h.SetControllen(r.room)
		h.Flags = 0
	}
	if r.want == 0 {
		return 0, nil
	}
	if !s.enter() {
		return 0, net.ErrClosed
	}
	got, errno := r.recvmmsg(s.fd)
	s.leave()
	switch {
	case s.closed.Load(): // what was read may be the sign of it, a datagram out of nothing
		return 0, net.ErrClosed
	case errno != 0:
		return 0, &net.OpError{Op: "read", Net: "ip", Err: errno}
	}
	return got, nil
}

// damaged reports whether the kernel had to cut message i or its control data.
func (r *receiver) damaged(i int) bool { return r.hdrs[i].Flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 }

// controlOf returns the control data of message i.
func (r *receiver) controlOf(i int) []byte {
	return r.control[i*r.room:][:min(int(r.hdrs[i].Controllen), r.room)]
}
