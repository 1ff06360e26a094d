package packet

import (
	"encoding/binary"
	"net/netip"
)

const (
	icmpUnreachable     = 3
	icmpFragNeeded      = 4
	icmpProhibited      = 13
	icmp6Unreachable    = 1
	icmp6Prohibited     = 1
	icmp6TooBig         = 2
	icmp6Redirect       = 137
	icmpHeaderLen       = 8
	icmpMaxLen4         = 576  // RFC 1812 §4.3.2.3
	icmpMaxLen6         = 1280 // RFC 4443 §2.4 (c)
	icmpTTL             = 64
	internetworkControl = 0xc0 // RFC 1812 §4.3.2.5
	minMTU4             = 68   // RFC 791 §3.2
	minMTU6             = 1280 // RFC 8200 §5
)

// TooBig builds, in buf's storage where that suffices, the ICMP answer to a datagram that does not fit a path of mtu bytes: IPv4 "fragmentation needed"
// (RFC 1191 §4) or ICMPv6 "packet too big" (RFC 4443 §3.2), from the datagram's destination to its source. The MTU in it is never under 68 or 1280
// bytes. It returns nil where no ICMP error may be sent: about fragments but the first, about ICMP errors, about what came from or went to
// more than one host (RFC 1122 §3.2.2, RFC 4443 §2.4).
func TooBig(buf, pkt []byte, h *Header, mtu int) []byte {
	return TooBigFrom(buf, pkt, h, mtu, h.Key.Dst)
}

// TooBigFrom is TooBig with the address that the answer comes from, which must be of the datagram's family.
func TooBigFrom(buf, pkt []byte, h *Header, mtu int, from netip.Addr) []byte {
	if h.Version == 4 {
		return icmpError(buf, pkt, h, from, icmpUnreachable, icmpFragNeeded, uint32(min(max(mtu, minMTU4), maxDatagram)))
	}
	return icmpError(buf, pkt, h, from, icmp6TooBig, 0, uint32(max(mtu, minMTU6)))
}

// Prohibited builds the answer "communication administratively prohibited" in the same way (RFC 1812 §5.2.7.1, RFC 4443 §3.1).
// An invalid from stands for the datagram's destination.
func Prohibited(buf, pkt []byte, h *Header, from netip.Addr) []byte {
	if !from.IsValid() {
		from = h.Key.Dst
	}
	if h.Version == 4 {
		return icmpError(buf, pkt, h, from, icmpUnreachable, icmpProhibited, 0)
	}
	return icmpError(buf, pkt, h, from, icmp6Unreachable, icmp6Prohibited, 0)
}

// icmpError builds an ICMP error that quotes as much of the datagram as may be.
func icmpError(buf, pkt []byte, h *Header, from netip.Addr, kind, code uint8, rest uint32) []byte {
	if !mayAnswer(h) || h.TotalLen > len(pkt) || from.Is4() != (h.Version == 4) {
		return nil
	}
	o := Outer{Src: from, Dst: h.Key.Src, Proto: protoICMPv6, TTL: icmpTTL}
	limit := icmpMaxLen6
	if h.Version == 4 {
		o.Proto, o.TOS, o.DF, limit = protoICMP, internetworkControl, true, icmpMaxLen4
	}
	at := o.Len()
	quote := pkt[:min(h.TotalLen, limit-at-icmpHeaderLen)]
	total := at + icmpHeaderLen + len(quote)
	if cap(buf) < total {
		buf = make([]byte, total)
	}
	out := buf[:total]
	o.Put(out, total)
	clear(out[at : at+icmpHeaderLen])
	out[at], out[at+1] = kind, code
	binary.BigEndian.PutUint32(out[at+4:], rest)
	copy(out[at+icmpHeaderLen:], quote)
	acc := uint64(0)
	if h.Version == 6 {
		acc = pseudo(o.Src, o.Dst, o.Proto, total-at)
	}
	binary.BigEndian.PutUint16(out[at+2:], ^fold(sum(out[at:], acc)))
	return out
}

// mayAnswer reports whether an ICMP error may be sent about a datagram.
func mayAnswer(h *Header) bool {
	k := &h.Key
	if k.Flags&NonFirst != 0 || !oneHost(k.Src) || k.Src.IsLoopback() || !oneHost(k.Dst) {
		return false
	}
	if k.Flags&ProtoKnown == 0 {
		return false
	}
	switch {
	case h.Version == 4 && k.Proto == protoICMP:
		return k.Flags&PortsKnown != 0 && !isError4(k.SrcPort)
	case h.Version == 6 && k.Proto == protoICMPv6:
		return k.Flags&PortsKnown != 0 && k.SrcPort >= 128 && k.SrcPort != icmp6Redirect
	}
	return true
}

// isError4 reports whether an ICMP type is an error message (RFC 1122 §3.2.2).
func isError4(kind uint16) bool {
	return kind == 3 || kind == 4 || kind == 5 || kind == 11 || kind == 12
}

// oneHost reports whether an address can be that of a single host: not unspecified, multicast, broadcast or class E.
func oneHost(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsMulticast() && !(a.Is4() && a.As4()[0] >= 240)
}
