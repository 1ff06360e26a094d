package packet

// InsertOffset returns where ESP or AH goes in a whole datagram in transport mode (RFC 4302 §3.1.1, RFC 4303 §3.1.1), and where the
// octet lies that will name it: behind the IPv4 header, or behind the IPv6 hop-by-hop and routing headers and the destination options
// that precede a routing header. pkt must have been parsed into h.
func InsertOffset(pkt []byte, h *Header) (at, nextAt int) {
	if h.Version == 4 {
		return h.UpperOffset, h.NextHeaderOffset
	}
	const hopByHop, routing, destination = 0, 43, 60
	at, nextAt = 40, 6
	for off, next := 40, 6; off+2 <= h.UpperOffset; {
		kind := pkt[next]
		if kind != hopByHop && kind != routing && kind != destination {
			break
		}
		next = off
		off += 8 + 8*int(pkt[off+1])
		if kind != destination {
			at, nextAt = off, next
		}
	}
	return at, nextAt
}
