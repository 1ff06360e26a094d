package packet

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Checksum returns the Internet checksum of b (RFC 1071): the value that a checksum field holds when the sum was taken with the field zero,
// and 0 when b holds its own correct checksum. A last odd byte counts as the high half of a word.
func Checksum(b []byte) uint16 { return ^fold(sum(b, 0)) }

// sum adds b to a running one's complement sum of 64 bits. The sum is taken in eight-byte words: one's complement addition is
// indifferent to the word's size (RFC 1071 §2), so that an add with carry does four 16-bit words at once.
func sum(b []byte, acc uint64) uint64 {
	var carry uint64
	for len(b) >= 32 {
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(b), 0)
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(b[8:]), carry)
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(b[16:]), carry)
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(b[24:]), carry)
		acc, carry = bits.Add64(acc, 0, carry)
		acc += carry
		b = b[32:]
	}
	for len(b) >= 8 {
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(b), 0)
		acc += carry
		b = b[8:]
	}
	if len(b) > 0 {
		var tail [8]byte
		copy(tail[:], b)
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(tail[:]), 0)
		acc += carry
	}
	return acc
}

// fold brings a running sum down to 16 bits.
func fold(acc uint64) uint16 {
	acc = acc>>32 + acc&0xffffffff
	acc = acc>>16 + acc&0xffff
	acc = acc>>16 + acc&0xffff
	acc = acc>>16 + acc&0xffff
	return uint16(acc)
}

// pseudo is the sum of the pseudo header of RFC 9293 §3.1 or RFC 8200 §8.1.
func pseudo(src, dst netip.Addr, proto uint8, length int) uint64 {
	return addressSum(dst, addressSum(src, uint64(proto)+uint64(length)))
}

// addressSum adds an address of either family to a running sum.
func addressSum(a netip.Addr, acc uint64) uint64 {
	if a.Is4() {
		b := a.As4()
		return sum(b[:], acc)
	}
	b := a.As16()
	return sum(b[:], acc)
}

// AdjustChecksum returns what a checksum field that held field must hold after bytes from became bytes to (RFC 1624 §3, equation 3).
// Both must start at an even offset of what the checksum covers and have the same even length.
func AdjustChecksum(field uint16, from, to []byte) uint16 {
	return ^fold(uint64(^field) + uint64(^fold(sum(from, 0))) + uint64(fold(sum(to, 0))))
}
