package packet

import "net/netip"

// Header is a datagram parsed once: its selector key and where its parts lie. The zero value is ready for Parse,
// and one Header may be used again for packet after packet. Offsets are in bytes from the start of the datagram.
type Header struct {
	Key Key
	// Version is 4 or 6.
	Version uint8
	// TOS is the IPv4 TOS or IPv6 traffic class octet (DSCP and ECN).
	TOS uint8
	// TTL is the IPv4 TTL or IPv6 hop limit.
	TTL uint8
	// DF is the IPv4 don't-fragment flag; true for IPv6.
	DF bool
	// MF is the more-fragments flag of either family.
	MF bool
	// SourceRouted is set while the datagram is on its way to an intermediate address: an IPv6 routing header with
	// segments left, or an IPv4 source route that is not used up. Key.Dst is then not the final destination.
	SourceRouted bool
	// NextHeaderOffset is where the octet lies that names the upper-layer protocol.
	NextHeaderOffset int
	// UpperOffset is where the upper-layer header (or the payload of a fragment) begins.
	UpperOffset int
	// FragHeader is where the IPv6 fragment header begins, 0 without one.
	FragHeader int
	// TotalLen is the length that the header claims; never more than the slice that was parsed.
	TotalLen int
	// FragOffset is the fragment's offset in bytes.
	FragOffset int
	// ID is the IPv4 identification or that of the IPv6 fragment header.
	ID uint32
	// FlowLabel is the IPv6 flow label.
	FlowLabel uint32
}

// Protocol numbers that the parser looks into (IANA protocol numbers).
const (
	protoHopByHop = 0
	protoICMP     = 1
	protoTCP      = 6
	protoUDP      = 17
	protoDCCP     = 33
	protoRouting  = 43
	protoFragment = 44
	protoESP      = 50
	protoAH       = 51
	protoICMPv6   = 58
	protoNoNext   = 59
	protoDestOpts = 60
	protoSCTP     = 132
	protoMobility = 135
	protoUDPLite  = 136
)

const (
	ipv4HeaderLen = 20
	ipv6HeaderLen = 40
	fragHeaderLen = 8
	maxDatagram   = 65535
)

// Parse reads the headers of one IP datagram. It never reads past the length that the IP header claims, does not allocate,
// and takes a bounded number of steps whatever b holds. Bytes of b behind TotalLen are link-layer padding and are ignored.
// AH and ESP are upper-layer protocols here, as they are for selectors (RFC 4301 §4.4.1.1). After an error h is of no use.
func (h *Header) Parse(b []byte) error {
	*h = Header{}
	if len(b) == 0 {
		return ErrTruncated
	}
	switch b[0] >> 4 {
	case 4:
		return h.parse4(b)
	case 6:
		return h.parse6(b)
	}
	return ErrVersion
}

// parse4 reads an IPv4 header (RFC 791 §3.1). The header checksum is not verified: the kernel and the ICV have done that.
func (h *Header) parse4(b []byte) error {
	if len(b) < ipv4HeaderLen {
		return ErrTruncated
	}
	headerLen := int(b[0]&15) * 4
	total := int(b[2])<<8 | int(b[3])
	if total > len(b) {
		return ErrTruncated
	}
	if headerLen < ipv4HeaderLen || headerLen > total {
		return ErrHeaderLen
	}
	h.Version = 4
	h.TOS = b[1]
	h.TotalLen = total
	h.ID = uint32(b[4])<<8 | uint32(b[5])
	h.DF = b[6]&0x40 != 0
	h.MF = b[6]&0x20 != 0
	h.FragOffset = (int(b[6]&0x1f)<<8 | int(b[7])) * 8
	h.TTL = b[8]
	h.NextHeaderOffset = 9
	h.UpperOffset = headerLen
	h.Key.Src = netip.AddrFrom4([4]byte(b[12:16]))
	h.Key.Dst = netip.AddrFrom4([4]byte(b[16:20]))
	h.Key.Proto = b[9]
	h.Key.Flags = ProtoKnown
	if headerLen > ipv4HeaderLen {
		pending, ok := scanOptions4(b[ipv4HeaderLen:headerLen])
		if !ok {
			return ErrOptions
		}
		h.SourceRouted = pending
	}
	if err := h.noteFragment(); err != nil {
		return err
	}
	h.readPorts(b[headerLen:total])
	return nil
}

// noteFragment sets the fragment flags of the key and refuses a fragment that ends past the largest datagram: the "ping of death".
func (h *Header) noteFragment() error {
	if h.FragOffset == 0 && !h.MF {
		return nil
	}
	h.Key.Flags |= Fragment
	if h.FragOffset > 0 {
		h.Key.Flags |= NonFirst
	}
	if h.FragOffset+h.TotalLen-h.UpperOffset > maxDatagram {
		return ErrOversize
	}
	return nil
}

// readPorts reads ports, ICMP type and code, or the mobility header type from the start of the upper-layer header.
func (h *Header) readPorts(upper []byte) {
	if h.Key.Flags&NonFirst != 0 {
		return
	}
	switch h.Key.Proto {
	case protoTCP, protoUDP, protoUDPLite, protoSCTP, protoDCCP:
		if len(upper) < 4 {
			return
		}
		h.Key.SrcPort = uint16(upper[0])<<8 | uint16(upper[1])
		h.Key.DstPort = uint16(upper[2])<<8 | uint16(upper[3])
	case protoICMP, protoICMPv6:
		if len(upper) < 2 {
			return
		}
		h.Key.SrcPort, h.Key.DstPort = uint16(upper[0]), uint16(upper[1])
	case protoMobility:
		if len(upper) < 3 {
			return
		}
		h.Key.SrcPort = uint16(upper[2])
	default:
		return
	}
	h.Key.Flags |= PortsKnown
}

// scanOptions4 walks IPv4 options and reports whether a source route still has hops to go. ok is false where a length is wrong.
func scanOptions4(opts []byte) (pending, ok bool) {
	for len(opts) > 0 {
		kind := opts[0]
		if kind == optEnd {
			break
		}
		if kind == optNop {
			opts = opts[1:]
			continue
		}
		if len(opts) < 2 || int(opts[1]) < 2 || int(opts[1]) > len(opts) {
			return false, false
		}
		n := int(opts[1])
		if kind == optLSRR || kind == optSSRR {
			if n < 3 {
				return false, false
			}
			// The pointer counts from one and stands past the option when the route is used up (RFC 791 §3.1).
			pending = pending || int(opts[2]) <= n
		}
		opts = opts[n:]
	}
	return pending, true
}

const (
	optEnd    = 0
	optNop    = 1
	optLSRR   = 131
	optSSRR   = 137
	optCopied = 0x80
)
