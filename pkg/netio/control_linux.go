package netio

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Names of socket options that x/sys does not have everywhere.
const (
	optUDPSegment = 103
	optUDPGRO     = 104
)

// nameLen is the size of the larger socket address, that of IPv6.
const nameLen = unix.SizeofSockaddrInet6

// putName writes a socket address into b and returns its length.
func putName(b *[nameLen]byte, a netip.AddrPort) uint32 {
	addr := a.Addr().Unmap()
	if addr.Is4() {
		binary.NativeEndian.PutUint16(b[0:], unix.AF_INET)
		binary.BigEndian.PutUint16(b[2:], a.Port())
		ip := addr.As4()
		copy(b[4:], ip[:])
		clear(b[8:16])
		return unix.SizeofSockaddrInet4
	}
	binary.NativeEndian.PutUint16(b[0:], unix.AF_INET6)
	binary.BigEndian.PutUint16(b[2:], a.Port())
	clear(b[4:8])
	ip := addr.As16()
	copy(b[8:], ip[:])
	scope := uint32(0)
	if addr.IsLinkLocalUnicast() {
		scope = zoneIndex(addr.Zone())
	}
	binary.NativeEndian.PutUint32(b[24:], scope)
	return unix.SizeofSockaddrInet6
}

// getName reads the socket address that the kernel wrote.
func getName(b *[nameLen]byte) netip.AddrPort {
	port := binary.BigEndian.Uint16(b[2:])
	if binary.NativeEndian.Uint16(b[0:]) == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), port)
	}
	a := netip.AddrFrom16([16]byte(b[8:24]))
	if a.IsLinkLocalUnicast() {
		a = a.WithZone(zoneName(binary.NativeEndian.Uint32(b[24:])))
	}
	return netip.AddrPortFrom(a, port)
}

// appendControl appends one control message to b, whose capacity must suffice.
func appendControl(b []byte, level, kind int32, data []byte) []byte {
	at := len(b)
	b = b[:at+unix.CmsgSpace(len(data))]
	clear(b[at:])
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[at]))
	h.SetLen(unix.CmsgLen(len(data)))
	h.Level, h.Type = level, kind
	copy(b[at+unix.CmsgLen(0):], data)
	return b
}

// controls calls f for each control message in b.
func controls(b []byte, f func(level, kind int32, data []byte)) {
	for len(b) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		n := int(h.Len)
		if n < unix.SizeofCmsghdr || n > len(b) {
			return
		}
		f(h.Level, h.Type, b[unix.CmsgLen(0):n])
		next := unix.CmsgSpace(n - unix.CmsgLen(0))
		if next >= len(b) {
			return
		}
		b = b[next:]
	}
}

// appendSourceControl asks the kernel to send from the address a.
func appendSourceControl(b []byte, a netip.Addr) []byte {
	if a.Is4() {
		var info [unix.SizeofInet4Pktinfo]byte // index, spec_dst, addr
		ip := a.As4()
		copy(info[4:], ip[:])
		return appendControl(b, unix.IPPROTO_IP, unix.IP_PKTINFO, info[:])
	}
	var info [unix.SizeofInet6Pktinfo]byte // addr, index
	ip := a.As16()
	copy(info[:], ip[:])
	binary.NativeEndian.PutUint32(info[16:], zoneIndex(a.Zone()))
	return appendControl(b, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, info[:])
}

// appendIntControl appends a control message that holds one int.
func appendIntControl(b []byte, level, kind int32, value uint32) []byte {
	var v [4]byte
	binary.NativeEndian.PutUint32(v[:], value)
	return appendControl(b, level, kind, v[:])
}

func setOptions(fd int, options [][3]int) error {
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o[0], o[1], o[2]); err != nil {
			return err
		}
	}
	return nil
}
