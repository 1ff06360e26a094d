package sa

// A Sealer protects payloads for one outbound SA; esp and ah implement it. It holds the keys and nonce scratch: one goroutine at a time.
//
// Layout of the slice pkt that Seal is given and fills:
//
//	pkt[:hlen]                    final IP header (with what precedes ESP/AH); empty for ESP in UDP
//	pkt[hlen:hlen+Head()]         gap that Seal fills: ESP header and IV, or the AH header with its ICV
//	pkt[hlen+Head():…+n]          payload
//	pkt[…:hlen+SealedLen(n)]      gap that Seal fills: padding, pad length, next header, ICV (nothing for AH)
//
// The IP header's length, protocol and checksum are already those of the finished packet (len(pkt) = hlen+SealedLen(n)).
type Sealer interface {
	// Head is the number of bytes in front of the payload.
	Head() int
	// SealedLen is the length of the ESP or AH packet for a payload of n bytes, without the IP header. AH for
	// IPv4 and IPv6 may pad differently: the family is fixed when the Sealer is made.
	SealedLen(n int) int
	// MaxPayload is the largest n with SealedLen(n) <= room, or a negative number.
	MaxPayload(room int) int
	// Seal fills the gaps and encrypts in place. next is the payload's protocol number; seq the 64-bit sequence number,
	// of which the packet carries the low half.
	Seal(pkt []byte, hlen, n int, next uint8, seq uint64) error
}

// A DirectSealer is a Sealer that takes a payload from where it lies.
type DirectSealer interface {
	// SealFrom is Seal for a payload in src[:n], which is not to be copied first. src has a capacity of at least n+MaxTrailer() bytes; those behind the
	// payload may be used meanwhile. src and dst do not overlap.
	SealFrom(dst []byte, hlen int, src []byte, n int, next uint8, seq uint64) error
	// MaxTrailer is how many bytes follow a payload at most before it is encrypted.
	MaxTrailer() int
}

// An Opener is the inbound half. One goroutine at a time.
type Opener interface {
	// Sequence checks the shortest possible length and returns the 32-bit sequence number. pkt[hlen:] starts with the ESP or AH header.
	Sequence(pkt []byte, hlen int) (uint32, error)
	// Open authenticates, decrypts in place, checks the padding and returns where the payload lies in pkt and its protocol number.
	// For AH pkt[:hlen] is the IP header as received. The slice is left undefined on error.
	Open(pkt []byte, hlen int, seq uint64) (off, n int, next uint8, err error)
}
