package netio

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fullWait is how long, in milliseconds, a writer waits for room in the send buffer before it drops the rest of its batch.
const fullWait = 20

// controlRoom is enough for source address, TOS, don't-fragment and segment size.
const controlRoom = 128

// item is one message that sendmmsg is to send: a datagram, or a run of them.
type item struct {
	data    []byte
	remote  netip.AddrPort
	source  netip.Addr
	segment int
	tos     uint8
	frag    bool
	msg     int // position of the Message it came from
}

// sender holds what sendmmsg reads. Senders are pooled, since several goroutines may write to one socket.
type sender struct {
	hdrs     [MaxBatch]mmsghdr
	iovs     [MaxBatch]unix.Iovec
	names    [MaxBatch][nameLen]byte
	controls [MaxBatch][controlRoom]byte
	items    []item
	used     int // how many slots were filled since begin
	from, to int
	lost     []bool // by Message: some part of it was not sent
	errs     []error
}

var senders = sync.Pool{New: func() any {
	s := &sender{}
	for i := range s.hdrs {
		s.hdrs[i].Name = &s.names[i][0]
		s.hdrs[i].Iov = &s.iovs[i]
		s.hdrs[i].SetIovlen(1)
	}
	return s
}}

// fill writes the headers for at most MaxBatch items from position at on, as far as they agree on fragmentation, and returns where it stopped.
func (s *sender) fill(at int, o outlet) int {
	n := 0
	for at+n < len(s.items) && n < MaxBatch {
		it := &s.items[at+n]
		if it.frag != s.items[at].frag {
			break
		}
		h := &s.hdrs[n]
		h.Namelen = putName(&s.names[n], it.remote)
		s.iovs[n] = unix.Iovec{}
		if len(it.data) > 0 {
			s.iovs[n].Base = &it.data[0]
		}
		s.iovs[n].SetLen(len(it.data))
		control := o.appendControls(s.controls[n][:0], it)
		h.Control, h.Flags = nil, 0
		if len(control) > 0 {
			h.Control = &control[0]
		}
		h.SetControllen(len(control))
		n++
	}
	s.used = max(s.used, n)
	return at + n
}

// sendmmsg sends the headers from s.from to s.to.
func (s *sender) sendmmsg(fd int) (sent int, _ syscall.Errno) {
	for waited := false; ; {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&s.hdrs[s.from])), uintptr(s.to-s.from), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(n), 0
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			// Wait once, for a bounded time: back-pressure for a busy link, but a link that is stuck must not stop the worker.
			if !waited {
				waited = true
				fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
				_, _ = unix.Poll(fds, fullWait)
				continue
			}
		}
		return 0, errno
	}
}

// outlet is what UDP and raw sockets do differently.
type outlet interface {
	base() *socket
	// appendControls appends the control messages of one item to b.
	appendControls(b []byte, it *item) []byte
	// fragmentable allows and forbids fragmentation for what is sent next.
	fragmentable(bool)
	// refused decides about an item that the kernel did not take.
	refused(s *sender, it *item, errno syscall.Errno)
}

// sendAll sends all items by o, with one system call for many.
func (s *sender) sendAll(o outlet) error {
	for at := 0; at < len(s.items); {
		end := s.fill(at, o)
		frag := s.items[at].frag
		if frag {
			o.fragmentable(true)
		}
		err := s.sendFilled(o, s.items[at:end])
		if frag {
			o.fragmentable(false)
		}
		if err != nil {
			return err
		}
		at = end
	}
	return nil
}

// sendFilled sends what fill has prepared for items.
func (s *sender) sendFilled(o outlet, items []item) error {
	refusals, sock := 0, o.base()
	for s.from, s.to = 0, len(items); s.from < s.to; {
		if !sock.enter() {
			return net.ErrClosed
		}
		sent, errno := s.sendmmsg(sock.fd)
		sock.leave()
		if errno == 0 {
			s.from += sent
			continue
		}
		it := &items[s.from]
		switch errno {
		case unix.EAGAIN:
			for i := s.from; i < s.to; i++ {
				s.drop(sock, &items[i])
			}
			return nil
		case unix.ENOBUFS, unix.ENOMEM:
			s.drop(sock, it)
		case unix.ECONNREFUSED, unix.EHOSTUNREACH:
			// Perhaps an ICMP message's, which the failed call has cleared: once more, then it is the datagram's own.
			if refusals++; refusals%2 == 1 {
				continue
			}
			o.refused(s, it, errno)
		default:
			o.refused(s, it, errno)
		}
		s.from++
	}
	return nil
}

// drop counts an item for which the send buffer had no room.
func (s *sender) drop(sock *socket, it *item) {
	sock.full.Add(1)
	s.fail(it, ErrFull)
}

// fail notes that it was not sent. Equal sentinels are kept once.
func (s *sender) fail(it *item, err error) {
	s.lost[it.msg] = true
	if n := len(s.errs); n > 0 && errors.Is(err, ErrFull) && errors.Is(s.errs[n-1], ErrFull) {
		return
	}
	s.errs = append(s.errs, err)
}

// refuse notes what the kernel said of one datagram.
func (s *sender) refuse(sock *socket, it *item, errno syscall.Errno) {
	sock.refusals.Add(1)
	if errno == unix.EMSGSIZE {
		mtu, _ := pathMTU(it.remote.Addr(), sock.opts) // 0 if it cannot be found out
		s.fail(it, &TooBig{Remote: it.remote, MTU: mtu})
		return
	}
	s.fail(it, fmt.Errorf("sending to %v: %w", it.remote, errno))
}

// begin returns a sender for n messages.
func begin(n int) *sender {
	s := senders.Get().(*sender)
	s.items, s.errs = s.items[:0], nil
	if cap(s.lost) < n {
		s.lost = make([]bool, n)
	}
	s.lost = s.lost[:n]
	clear(s.lost)
	return s
}

// end returns the result of WriteBatch and puts s back, without what it pointed to.
func (s *sender) end(err error) (sent int, _ error) {
	for _, lost := range s.lost {
		if !lost {
			sent++
		}
	}
	if err != nil {
		sent = 0
		s.errs = append(s.errs, err)
	}
	err = errors.Join(s.errs...)
	clear(s.items)
	clear(s.iovs[:s.used])
	s.used = 0
	s.errs = nil
	senders.Put(s)
	return sent, err
}
