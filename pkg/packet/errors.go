package packet

import "errors"

// What is wrong with a datagram. They are sentinels: no error of this package allocates, so that hostile traffic costs no memory.
var (
	ErrTruncated   = errors.New("packet: a header or length reaches past the end of the datagram")
	ErrVersion     = errors.New("packet: neither IPv4 nor IPv6")
	ErrHeaderLen   = errors.New("packet: IPv4 header length under 20 bytes or over the total length")
	ErrOptions     = errors.New("packet: malformed IPv4 options")
	ErrExtension   = errors.New("packet: IPv6 extension headers out of order, repeated or too many")
	ErrJumbo       = errors.New("packet: IPv6 jumbogram")
	ErrMapped      = errors.New("packet: IPv4-mapped address in an IPv6 header")
	ErrOversize    = errors.New("packet: datagram or fragment ends past 65535 bytes")
	ErrMTU         = errors.New("packet: MTU too small for this datagram's headers")
	ErrDF          = errors.New("packet: don't-fragment is set")
	ErrNotWhole    = errors.New("packet: an IPv6 fragment cannot be fragmented again")
	ErrTiny        = errors.New("packet: first fragment too small to hold the upper-layer header")
	ErrMisaligned  = errors.New("packet: fragment but the last is empty or no multiple of 8 bytes")
	ErrOverlap     = errors.New("packet: fragments overlap or disagree; the datagram is discarded")
	ErrTooManyFrag = errors.New("packet: datagram in too many fragments")
	ErrShare       = errors.New("packet: source prefix holds its whole share of the reassembly memory")
	ErrECN         = errors.New("packet: fragments mix congestion experienced with not-ECT (RFC 3168 §5.3)")
)
