package packet

import "net/netip"

// maxExtensions bounds the IPv6 extension headers of one datagram. RFC 8504 §5.3 allows a limit; eight are defined to occur once.
const maxExtensions = 12

// parse6 reads an IPv6 header and its extension headers (RFC 8200 §3 and §4).
func (h *Header) parse6(b []byte) error {
	if len(b) < ipv6HeaderLen {
		return ErrTruncated
	}
	total := ipv6HeaderLen + int(b[4])<<8 + int(b[5])
	if total == ipv6HeaderLen && b[6] == protoHopByHop {
		return ErrJumbo
	}
	if total > len(b) {
		return ErrTruncated
	}
	h.Version = 6
	h.TOS = b[0]<<4 | b[1]>>4
	h.FlowLabel = uint32(b[1]&15)<<16 | uint32(b[2])<<8 | uint32(b[3])
	h.TTL = b[7]
	h.DF = true
	h.TotalLen = total
	h.NextHeaderOffset = 6
	h.UpperOffset = ipv6HeaderLen
	h.Key.Src = netip.AddrFrom16([16]byte(b[8:24]))
	h.Key.Dst = netip.AddrFrom16([16]byte(b[24:40]))
	// A mapped address on the wire would be an IPv4 host to one reader and an IPv6 host to another: a way round a filter.
	if h.Key.Src.Is4In6() || h.Key.Dst.Is4In6() {
		return ErrMapped
	}
	if err := h.walkExtensions(b[:total]); err != nil {
		return err
	}
	if h.Key.Flags&ProtoKnown != 0 {
		h.readPorts(b[h.UpperOffset:total])
	}
	return nil
}

// walkExtensions follows the chain to the upper-layer header, or to the end of the fragment header of a fragment that does not start
// its datagram: what follows there is data that only looks like headers.
func (h *Header) walkExtensions(b []byte) error {
	next := b[h.NextHeaderOffset]
	for i := 0; ; i++ {
		if !isExtension(next) {
			h.Key.Proto = next
			h.Key.Flags |= ProtoKnown
			return nil
		}
		// The proper order is recommended to senders only, except that hop-by-hop options come first (RFC 8200 §4.1).
		if i == maxExtensions || next == protoHopByHop && i > 0 || next == protoFragment && h.FragHeader > 0 {
			return ErrExtension
		}
		at := h.UpperOffset
		if len(b)-at < 8 {
			return ErrTruncated
		}
		n := 8
		if next != protoFragment {
			n = 8 + int(b[at+1])*8
		}
		if len(b)-at < n {
			return ErrTruncated
		}
		h.NextHeaderOffset, h.UpperOffset = at, at+n
		if err := h.extension(next, b[at:at+n], at); err != nil {
			return err
		}
		next = b[at]
		if h.Key.Flags&NonFirst != 0 {
			// The fragment header names the first header of the whole datagram's fragmentable part: the protocol is known
			// only if that is not an extension header again (RFC 8200 §4.5).
			if !isExtension(next) {
				h.Key.Proto = next
				h.Key.Flags |= ProtoKnown
			}
			return nil
		}
	}
}

// isExtension reports whether a next-header value is one that hides the upper-layer protocol.
func isExtension(next uint8) bool {
	return next == protoHopByHop || next == protoRouting || next == protoFragment || next == protoDestOpts
}

// extension notes what one extension header says about the datagram.
func (h *Header) extension(kind uint8, ext []byte, at int) error {
	switch kind {
	case protoHopByHop:
		if hasJumboOption(ext[2:]) {
			return ErrJumbo
		}
	case protoRouting:
		h.SourceRouted = h.SourceRouted || ext[3] > 0
	case protoFragment:
		h.FragHeader = at
		h.FragOffset = (int(ext[2])<<8 | int(ext[3])) &^ 7
		h.MF = ext[3]&1 != 0
		h.ID = uint32(ext[4])<<24 | uint32(ext[5])<<16 | uint32(ext[6])<<8 | uint32(ext[7])
		// An atomic fragment (offset 0, no more) is a whole datagram and gets no flag (RFC 6946 §4).
		return h.noteFragment()
	}
	return nil
}

// hasJumboOption looks for the jumbo payload option (RFC 2675 §2), which must not stand beside a payload length.
func hasJumboOption(opts []byte) bool {
	for len(opts) > 1 {
		switch {
		case opts[0] == 0xc2:
			return true
		case opts[0] == 0: // Pad1 has no length
			opts = opts[1:]
		case 2+int(opts[1]) > len(opts):
			return false
		default:
			opts = opts[2+int(opts[1]):]
		}
	}
	return false
}
