package netio

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr of sendmmsg(2) and recvmmsg(2).
type mmsghdr struct {
	unix.Msghdr
	n uint32
	_ [unsafe.Sizeof(uintptr(0)) - 4]byte
}

// socket is what UDP and raw sockets share: a descriptor and the counters.
type socket struct {
	fd    int // of a socket that blocks; to be used between enter and leave only
	is4   bool
	local netip.AddrPort
	opts  Options

	closed atomic.Bool
	users  sync.RWMutex // held by whoever uses fd, against its end and another's beginning under the same number

	truncated, full, refusals, runs, fallbacks atomic.Uint64
}

// newSocket opens a socket and sets what all kinds have: mark and buffers.
func newSocket(family, kind, proto int, o Options) (fd int, err error) {
	fd, err = unix.Socket(family, kind|unix.SOCK_CLOEXEC, proto)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	if o.Mark != 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(o.Mark)); err != nil {
			unix.Close(fd)
			return -1, fmt.Errorf("the firewall mark could not be set: %w", err)
		}
	}
	for _, b := range [...]struct{ force, plain int }{{unix.SO_RCVBUFFORCE, unix.SO_RCVBUF}, {unix.SO_SNDBUFFORCE, unix.SO_SNDBUF}} {
		// The kernel doubles the number to account for its bookkeeping. Without CAP_NET_ADMIN its limit applies.
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, b.force, o.buffer()) != nil {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, b.plain, o.buffer())
		}
	}
	return fd, nil
}

// setMark marks a socket that the net package has made; 0 leaves it as it is.
func setMark(c syscall.RawConn, mark uint32) (err error) {
	if mark == 0 {
		return nil
	}
	failed := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, int(mark)) })
	return errors.Join(failed, err)
}

// finish binds fd. On an error fd is closed.
func (s *socket) finish(fd int, local netip.AddrPort) error {
	if err := unix.Bind(fd, sockaddr(local)); err != nil {
		unix.Close(fd)
		return err
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		unix.Close(fd)
		return err
	}
	s.is4 = local.Addr().Is4()
	s.local = fromSockaddr(bound)
	if local.Addr().Zone() != "" {
		s.local = netip.AddrPortFrom(local.Addr(), s.local.Port())
	}
	s.fd = fd
	return nil
}

// enter lets the caller use fd until leave; not if the socket is closed.
func (s *socket) enter() bool {
	s.users.RLock()
	if s.closed.Load() {
		s.users.RUnlock()
		return false
	}
	return true
}

func (s *socket) leave() { s.users.RUnlock() }

// Lend and Return are those of PolledConn. Close makes the descriptor readable.
func (s *socket) Lend(fds []int) ([]int, bool) {
	if !s.enter() {
		return fds, false
	}
	return append(fds, s.fd), true
}

// Return gives back what Lend lent.
func (s *socket) Return() { s.leave() }

// set sets an option.
func (s *socket) set(level, option, value int) error {
	if !s.enter() {
		return net.ErrClosed
	}
	defer s.leave()
	return unix.SetsockoptInt(s.fd, level, option, value)
}

func (s *socket) LocalAddr() netip.AddrPort { return s.local }

// Close wakes the reader and waits until the last call has left the descriptor.
func (s *socket) Close() error {
	s.users.RLock()
	was := s.closed.Swap(true)
	if !was {
		_ = unix.Shutdown(s.fd, unix.SHUT_RD) // it complains that there is no connection, and wakes whoever reads all the same
	}
	s.users.RUnlock()
	if was {
		return nil
	}
	s.users.Lock()
	defer s.users.Unlock()
	return unix.Close(s.fd)
}

func (s *socket) Stats() Stats {
	return Stats{Truncated: s.truncated.Load(), Full: s.full.Load(), Refused: s.refusals.Load(), Runs: s.runs.Load(), Fallbacks: s.fallbacks.Load()}
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16(), ZoneId: zoneIndex(a.Addr().Zone())}
}

func fromSockaddr(sa unix.Sockaddr) netip.AddrPort {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).WithZone(zoneName(a.ZoneId)), uint16(a.Port))
	}
	return netip.AddrPort{}
}

// zoneIndex and zoneName translate the zones of link-local addresses; they are rare, so nothing is cached.
func zoneIndex(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	n := uint32(0)
	for _, c := range []byte(zone) {
		if c < '0' || c > '9' || n > 1<<27 {
			return 0
		}
		n = n*10 + uint32(c-'0')
	}
	return n
}

func zoneName(index uint32) string {
	if index == 0 {
		return ""
	}
	if i, err := net.InterfaceByIndex(int(index)); err == nil {
		return i.Name
	}
	return fmt.Sprint(index)
}
