package diagnose

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goipsec/goipsec/pkg/packet"
)

// rawEcho is a raw ICMP socket, connected, or the kernel's ping socket where there is no right to one.
type rawEcho struct {
	file     *os.File
	is4, raw bool
	id, seq  uint16
	cookie   [8]byte
	answer   []byte
}

func openEcho(from, to netip.Addr) (echoer, error) {
	e := &rawEcho{is4: to.Is4(), raw: true, answer: make([]byte, 1<<16)}
	if _, err := rand.Read(e.cookie[:]); err != nil {
		return nil, err
	}
	e.id = binary.BigEndian.Uint16(e.cookie[:])
	fd, err := e.socket(unix.SOCK_RAW)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		e.raw = false
		fd, err = e.socket(unix.SOCK_DGRAM)
	}
	if err != nil {
		return nil, fmt.Errorf("an echo cannot be sent: %w (root can)", err)
	}
	if err := e.prepare(fd, from, to); err != nil {
		return nil, errors.Join(fmt.Errorf("an echo from %v to %v cannot be sent: %w", from, to, err), unix.Close(fd))
	}
	e.file = os.NewFile(uintptr(fd), "echo")
	return e, nil
}

func (e *rawEcho) socket(kind int) (int, error) {
	kind |= unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
	if e.is4 {
		return unix.Socket(unix.AF_INET, kind, unix.IPPROTO_ICMP)
	}
	return unix.Socket(unix.AF_INET6, kind, unix.IPPROTO_ICMPV6)
}

// prepare sets don't-fragment without asking the kernel's own memory of the path, which forgers can write to.
func (e *rawEcho) prepare(fd int, from, to netip.Addr) error {
	level, option := unix.IPPROTO_IP, unix.IP_MTU_DISCOVER
	if !e.is4 {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER
	}
	return errors.Join(unix.SetsockoptInt(fd, level, option, unix.IP_PMTUDISC_PROBE), unix.Bind(fd, sockaddr(from)), unix.Connect(fd, sockaddr(to)))
}

func sockaddr(a netip.Addr) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4()}
	}
	return &unix.SockaddrInet6{Addr: a.As16()}
}

func (e *rawEcho) close() { e.file.Close() }

func (e *rawEcho) ask(size int, deadline time.Time) (bool, error) {
	e.seq++
	if err := e.file.SetDeadline(deadline); err != nil {
		return false, err
	}
	_, err := e.file.Write(e.request(size))
	switch {
	case errors.Is(err, unix.EMSGSIZE):
		return false, errTooBig
	case errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ENOBUFS), errors.Is(err, os.ErrDeadlineExceeded):
		// An answer to an earlier one, or a queue that is full: this one is as good as lost.
	case err != nil:
		return false, fmt.Errorf("an echo could not be sent: %w", err)
	}
	for {
		n, err := e.file.Read(e.answer)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return false, nil
		case errors.Is(err, unix.EMSGSIZE):
			return false, errTooBig
		case errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.EACCES):
			return false, nil // some router or the peer says no
		case err != nil:
			return false, fmt.Errorf("an echo could not be heard: %w", err)
		}
		if e.mine(e.answer[:n]) {
			return true, nil
		}
	}
}

const (
	echoRequest4, echoReply4 = 8, 0
	echoRequest6, echoReply6 = 128, 129
)

func (e *rawEcho) request(size int) []byte {
	m := make([]byte, 8+max(size, len(e.cookie)))
	m[0] = echoRequest6
	if e.is4 {
		m[0] = echoRequest4
	}
	binary.BigEndian.PutUint16(m[4:], e.id)
	binary.BigEndian.PutUint16(m[6:], e.seq)
	copy(m[8:], e.cookie[:])
	if e.is4 { // in IPv6 the kernel does it
		binary.BigEndian.PutUint16(m[2:], packet.Checksum(m))
	}
	return m
}

// mine reports whether a message answers the newest request. The kernel's ping socket has an identifier of its own.
func (e *rawEcho) mine(m []byte) bool {
	if e.is4 && e.raw {
		if len(m) < 20 || len(m) < int(m[0]&15)*4 {
			return false
		}
		m = m[int(m[0]&15)*4:]
	}
	reply := byte(echoReply6)
	if e.is4 {
		reply = echoReply4
	}
	return len(m) >= 8+len(e.cookie) && m[0] == reply && binary.BigEndian.Uint16(m[6:]) == e.seq && bytes.Equal(m[8:8+len(e.cookie)], e.cookie[:])
}
