package netio

import "net/netip"

// PathEvent is what a router on the way to Remote said: a datagram of ours was too big for its next link (RFC 1191, RFC 8201). Anybody
// can forge one. Believe it only if Quoted is a datagram that we may have sent: a live SPI and a sequence number of late (RFC 4301
// §8.2.1), or our UDP ports.
type PathEvent struct {
	// Remote is the destination of the quoted datagram.
	Remote netip.Addr
	// MTU is what the router's link takes, in octets with the IP header; 0 if it did not say (before RFC 1191).
	MTU int
	// Quoted is the beginning of our datagram, from its IP header on; at least the header and eight octets.
	Quoted []byte
}

// PathEvents receives reports of routers.
type PathEvents interface {
	// Read waits for the next report. After Close it returns net.ErrClosed; all other errors are temporary.
	Read() (PathEvent, error)
	Close() error
}

// ListenPathEvents opens the receiver for what routers say about path MTUs, both families. The error is ErrUnavailable where the
// system has no such sockets.
func ListenPathEvents(o Options) (PathEvents, error) { return listenPathEvents(o) }

// parseTooBig4 reads an ICMP message behind its IPv4 header: destination unreachable, fragmentation needed.
func parseTooBig4(b []byte) (PathEvent, bool) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return PathEvent{}, false
	}
	hl := int(b[0]&15) * 4
	if hl < 20 || len(b) < hl+8 {
		return PathEvent{}, false
	}
	icmp := b[hl:]
	if icmp[0] != 3 || icmp[1] != 4 || !checksumOK(icmp) {
		return PathEvent{}, false
	}
	return event(icmp[8:], int(icmp[6])<<8|int(icmp[7]), 4)
}

// parseTooBig6 reads an ICMPv6 packet too big message; the kernel has checked its checksum.
func parseTooBig6(icmp []byte) (PathEvent, bool) {
	if len(icmp) < 8 || icmp[0] != 2 || icmp[4] != 0 || icmp[5] != 0 { // an MTU over 65535 is nonsense
		return PathEvent{}, false
	}
	return event(icmp[8:], int(icmp[6])<<8|int(icmp[7]), 6)
}

// event makes a PathEvent that owns its quote.
func event(quoted []byte, mtu int, version byte) (PathEvent, bool) {
	dst, ok := destination(quoted)
	if !ok || quoted[0]>>4 != version {
		return PathEvent{}, false
	}
	header := 40
	if version == 4 {
		header = int(quoted[0]&15) * 4
	}
	if header < 20 || len(quoted) < header+8 {
		return PathEvent{}, false
	}
	return PathEvent{Remote: dst, MTU: mtu, Quoted: append([]byte(nil), quoted...)}, true
}

// checksumOK verifies an Internet checksum (RFC 1071). The kernel gives ICMP to raw sockets before it does.
func checksumOK(b []byte) bool {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return sum == 0xffff
}

// destination reads the destination address of an IP datagram.
func destination(b []byte) (netip.Addr, bool) {
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		return netip.AddrFrom4([4]byte(b[16:20])), true
	case len(b) >= 40 && b[0]>>4 == 6:
		return netip.AddrFrom16([16]byte(b[24:40])), true
	}
	return netip.Addr{}, false
}
