package packet

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
	// NextHeaderOffset is where the octet lies that names the upper-layer protocol.
	NextHeaderOffset int
	// UpperOffset is where the upper-layer header (or the payload of a fragment) begins.
	UpperOffset int
	// TotalLen is the length that the header claims; never more than the slice that was parsed.
	TotalLen int
	// FragOffset is the fragment's offset in bytes.
	FragOffset int
	// ID is the IPv4 identification or that of the IPv6 fragment header.
	ID uint32
	// FlowLabel is the IPv6 flow label.
	FlowLabel uint32
}

// Parse reads the headers of one IP datagram.
func (h *Header) Parse(b []byte) error { panic("being written") }
