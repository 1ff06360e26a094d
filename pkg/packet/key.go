package packet

import "net/netip"

// Key is what a classifier may ask of one IP datagram: the selectors of RFC 4301 §4.4.1.1.
// Addresses are unmapped and carry no zone. For ICMP and ICMPv6 SrcPort holds the type and DstPort the code;
// for protocols without ports, and where the ports could not be read, both are zero and PortsKnown is clear.
type Key struct {
	Src, Dst         netip.Addr
	SrcPort, DstPort uint16
	// Proto is the upper-layer protocol, behind IPv6 extension headers; meaningless unless ProtoKnown is set.
	Proto uint8
	Flags KeyFlags
}

// KeyFlags says which parts of a Key could be read.
type KeyFlags uint8

const (
	// ProtoKnown is set if the upper-layer protocol could be read.
	ProtoKnown KeyFlags = 1 << iota
	// PortsKnown is set if SrcPort and DstPort are those of the datagram. Without it a filter that names
	// a port (or an ICMP type) does not match (OPAQUE, RFC 4301 §4.4.1.1).
	PortsKnown
	// Fragment is set on every fragment of a larger datagram.
	Fragment
	// NonFirst is set, with Fragment, on fragments that do not start the datagram.
	NonFirst
)
