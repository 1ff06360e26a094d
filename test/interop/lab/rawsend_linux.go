package lab

import (
	"golang.org/x/sys/unix"
)

// A RawSender sends IP packets exactly as they are, headers included, from a host.
type RawSender struct {
	lab     *Lab
	v4, v6  int
	silence []int
}

// RawSender opens the host's raw sockets, with others that nobody reads: a host that has no raw socket open for ESP or AH answers
// each packet with an ICMP error.
func (h *Host) RawSender() *RawSender {
	h.lab.t.Helper()
	s := &RawSender{lab: h.lab}
	err := h.inside(func() (err error) {
		if s.v4, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW); err != nil {
			return err
		}
		if s.v6, err = unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW); err != nil {
			return err
		}
		for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
			for _, protocol := range []int{unix.IPPROTO_ESP, unix.IPPROTO_AH} {
				fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
				if err != nil {
					return err
				}
				s.silence = append(s.silence, fd)
			}
		}
		return unix.SetsockoptInt(s.v6, unix.IPPROTO_IPV6, unix.IPV6_HDRINCL, 1)
	})
	if err != nil {
		h.lab.t.Fatalf("raw sockets in %s: %v", h.Name, err)
	}
	h.lab.t.Cleanup(func() {
		for _, fd := range append(s.silence, s.v4, s.v6) {
			unix.Close(fd)
		}
	})
	return s
}

// Send sends one IPv4 or IPv6 packet to the destination in its header.
func (s *RawSender) Send(packet []byte) {
	s.lab.t.Helper()
	var err error
	if packet[0]>>4 == 4 {
		err = unix.Sendto(s.v4, packet, 0, &unix.SockaddrInet4{Addr: [4]byte(packet[16:20])})
	} else {
		err = unix.Sendto(s.v6, packet, 0, &unix.SockaddrInet6{Addr: [16]byte(packet[24:40])})
	}
	if err != nil {
		s.lab.t.Fatalf("sending a raw packet: %v", err)
	}
}
