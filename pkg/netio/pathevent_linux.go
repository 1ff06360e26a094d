package netio

import (
	"errors"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

// pathQueue is how many reports wait for the reader; more are dropped, since the next oversized datagram brings the next one.
const pathQueue = 64

// pathEvents has a raw ICMP socket of each family, and a goroutine that reads each.
type pathEvents struct {
	sockets []*socket
	events  chan PathEvent
	done    chan struct{}
	once    sync.Once
}

func listenPathEvents(o Options) (PathEvents, error) {
	p := &pathEvents{events: make(chan PathEvent, pathQueue), done: make(chan struct{})}
	o.Buffer = 64 << 10
	s4, err := openICMP(unix.AF_INET, o)
	if err != nil {
		return nil, explainRaw(unix.IPPROTO_ICMP, err)
	}
	p.sockets = append(p.sockets, s4)
	s6, err := openICMP(unix.AF_INET6, o)
	if err == nil {
		p.sockets = append(p.sockets, s6)
	} else if !errors.Is(err, unix.EAFNOSUPPORT) {
		s4.Close()
		return nil, explainRaw(unix.IPPROTO_ICMPV6, err)
	}
	for _, s := range p.sockets {
		parse := parseTooBig6
		if s.is4 {
			parse = parseTooBig4
		}
		go p.read(s, parse)
	}
	return p, nil
}

// openICMP opens a socket whose filter in the kernel passes the one type that tells of MTUs.
func openICMP(family int, o Options) (*socket, error) {
	s := &socket{opts: o}
	if family == unix.AF_INET {
		fd, err := newSocket(family, unix.SOCK_RAW, unix.IPPROTO_ICMP, o)
		if err != nil {
			return nil, err
		}
		const solRaw, icmpFilter, unreachable = 255, 1, 3
		blocked := uint32(1<<unreachable) ^ 0xffffffff
		if err := unix.SetsockoptInt(fd, solRaw, icmpFilter, int(int32(blocked))); err != nil {
			unix.Close(fd)
			return nil, err
		}
		return s, s.finish(fd, netip.AddrPortFrom(netip.IPv4Unspecified(), 0))
	}
	fd, err := newSocket(family, unix.SOCK_RAW, unix.IPPROTO_ICMPV6, o)
	if err != nil {
		return nil, err
	}
	filter := &unix.ICMPv6Filter{}
	for i := range filter.Data {
		filter.Data[i] = 0xffffffff
	}
	const tooBig = 2
	filter.Data[0] &^= 1 << tooBig
	if err := unix.SetsockoptICMPv6Filter(fd, unix.IPPROTO_ICMPV6, 1, filter); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return s, s.finish(fd, netip.AddrPortFrom(netip.IPv6Unspecified(), 0))
}

// read passes on what parses until the socket is closed.
func (p *pathEvents) read(s *socket, parse func([]byte) (PathEvent, bool)) {
	in := newReceiver(8)
	msgs := make([]Message, 8)
	for i := range msgs {
		msgs[i].Buf = make([]byte, 2048)
	}
	for {
		n, err := in.receive(s, msgs, 0)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		for i := range n {
			if e, ok := parse(msgs[i].Buf[:min(int(in.hdrs[i].n), len(msgs[i].Buf))]); ok {
				select {
				case p.events <- e:
				default:
				}
			}
		}
	}
}

func (p *pathEvents) Read() (PathEvent, error) {
	select {
	case <-p.done:
		return PathEvent{}, net.ErrClosed
	default:
	}
	select {
	case e := <-p.events:
		return e, nil
	case <-p.done:
		return PathEvent{}, net.ErrClosed
	}
}

func (p *pathEvents) Close() (err error) {
	p.once.Do(func() {
		close(p.done)
		for _, s := range p.sockets {
			err = errors.Join(err, s.Close())
		}
	})
	return err
}
