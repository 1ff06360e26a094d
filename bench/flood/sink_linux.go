package flood

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sink is the receiving end while it runs.
type sink struct {
	o     Options
	fds   []int
	epoll int // where there are several sockets
	ready []unix.EpollEvent

	bufs  [][]byte
	iovs  []unix.Iovec
	names []unix.RawSockaddrInet4
	list  []mmsghdr
	tally *tally
	told  uint64 // the sender knows that all before this number are here
}

const (
	depth   = 256                    // datagrams of one call
	nap     = 250 * time.Microsecond // between looks at sockets that had little
	patient = 15 * time.Second       // until the first datagram
	quiet   = 3 * time.Second        // after the last
)

// Sink counts until the sender has ended, or nothing comes for three seconds. That nothing comes at all is an error.
func Sink(ctx context.Context, o Options) (c Counts, err error) {
	if err := o.check(); err != nil {
		return c, err
	}
	s := &sink{o: o, tally: newTally(o), epoll: -1, bufs: make([][]byte, depth), iovs: make([]unix.Iovec, depth), names: make([]unix.RawSockaddrInet4, depth), list: make([]mmsghdr, depth)}
	defer s.close()
	if err := s.open(); err != nil {
		return c, fmt.Errorf("a socket to receive by: %w", err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if o.Ready != nil {
		o.Ready()
	}
	err = s.run(ctx)
	runtime.KeepAlive(s)
	return s.tally.Counts, err
}

func (s *sink) open() error {
	for i := range s.o.Flows {
		fd, err := socket(netip.AddrPortFrom(s.o.To, s.o.Port+uint16(i)), 0)
		if err != nil {
			return err
		}
		s.fds = append(s.fds, fd)
	}
	room := s.o.Size // more than any payload, so that one which is too long is seen
	arena := make([]byte, depth*room)
	for i := range s.list {
		s.bufs[i] = arena[i*room : (i+1)*room]
		s.iovs[i].Base = &s.bufs[i][0]
		s.iovs[i].SetLen(room)
		s.list[i].Iov = &s.iovs[i]
		s.list[i].SetIovlen(1)
		s.list[i].Name = (*byte)(unsafe.Pointer(&s.names[i]))
	}
	if len(s.fds) == 1 {
		return nil
	}
	var err error
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	s.ready = make([]unix.EpollEvent, len(s.fds))
	for _, fd := range s.fds {
		if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			return err
		}
	}
	return nil
}

func (s *sink) close() {
	for _, fd := range s.fds {
		unix.Close(fd)
	}
	if s.epoll >= 0 {
		unix.Close(s.epoll)
	}
}

func (s *sink) run(ctx context.Context) error {
	last := time.Now()
	for !s.tally.Ended {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := s.look()
		if err != nil {
			return err
		}
		now := time.Now()
		if n < depth {
			// A sink that waited in recvmmsg would be woken for every datagram, at the cost of whoever delivers it.
			_ = unix.Nanosleep(&unix.Timespec{Nsec: nap.Nanoseconds()}, nil)
		}
		switch silent := now.Sub(last); {
		case n > 0:
			last = now
		case s.tally.top == 0 && silent > patient:
			return fmt.Errorf("not one datagram arrived within %v", patient)
		case s.tally.top > 0 && silent > quiet:
			return nil
		}
	}
	return nil
}

// look receives by every socket that has something, without waiting, and returns how many datagrams came.
func (s *sink) look() (total int, err error) {
	if s.epoll < 0 {
		return s.receive(s.fds[0])
	}
	n, err := unix.EpollWait(s.epoll, s.ready, 0)
	if err != nil && err != unix.EINTR {
		return 0, err
	}
	for i := range max(n, 0) {
		n, err := s.receive(int(s.ready[i].Fd))
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

func (s *sink) receive(fd int) (int, error) {
	for i := range s.list {
		s.list[i].Namelen = unix.SizeofSockaddrInet4
	}
	n, err := recvmmsg(fd, s.list, unix.MSG_DONTWAIT)
	if err == unix.EAGAIN || err == unix.EINTR {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	now := time.Now()
	for i := range n {
		s.tally.take(s.bufs[i][:s.list[i].n], now)
	}
	// A quarter of the window is often enough for a sender that never waits, and seldom enough to weigh nothing.
	if w := uint64(s.o.Window); w > 0 && s.tally.top >= s.told+w/4 {
		s.told = s.tally.top
		s.tell(fd)
	}
	return n, nil
}

// tell tells the sender of the first message of the last call what has arrived. Whether it hears is its own concern.
func (s *sink) tell(fd int) {
	var b [headLen]byte
	head{run: s.o.Run, kind: seen, number: s.told}.put(b[:])
	port := (*[2]byte)(unsafe.Pointer(&s.names[0].Port))
	_ = unix.Sendto(fd, b[:], unix.MSG_DONTWAIT, &unix.SockaddrInet4{Addr: s.names[0].Addr, Port: int(port[0])<<8 | int(port[1])})
}
