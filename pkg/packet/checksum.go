package packet

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Checksum returns the Internet checksum of b (RFC 1071): the value that a checksum field holds when the sum was taken with the field zero,
// and 0 when b holds its own correct checksum. A last odd byte counts as the high half of a word.
func Checksum(b []byte) uint16 { return ^fold(sum(b, 0)) }

// sum adds b to a running one's complement sum of 64 bits. It is taken in eight-byte words, because one's complement addition is indifferent to the
// word's size, so that an add with carry does four 16-bit words at once; and in little-endian order, which most machines load without a
// swap, because the sum of swapped words is the swapped sum (RFC 1071 §2). Where there are vectors, they do the most of what is long.
func sum(b []byte, acc uint64) uint64 {
	var le, carry uint64
	whole := b
	if vectors && len(b) >= vectorsPay {
		n := len(b) &^ 31
		le, b = sumVector(&b[0], n), b[n:]
	}
	for len(b) >= 64 {
		w := (*[64]byte)(b)
		le, carry = bits.Add64(le, binary.LittleEndian.Uint64(w[0:]), 0)
		le, carry = bits.Add64(le, binary.LittleEndian.Uint64(w[8:]), carry)
		le, carry = bits.Add64(le, binary.LittleEndian.Uint64(w[16:]), carry)
		le, carry = bits.Add64(le, binary.LittleEndian.Uint64(w[24:]), carry)
		le, carry = bits.Add64(le, binary.LittleEndian.Uint64(w[32:]), carry)
		le, carry = bits.Add64(le, binary.LittleEndian.Uint64(w[40:]), carry)
		le, carry = bits.Add64(le, binary.LittleEndian.Uint64(w[48:]), carry)
		le, carry = bits.Add64(le, binary.LittleEndian.Uint64(w[56:]), carry)
		le, carry = bits.Add64(le, 0, carry)
		le += carry
		b = b[64:]
	}
	for len(b) >= 8 {
		le, carry = bits.Add64(le, binary.LittleEndian.Uint64(b), 0)
		le += carry
		b = b[8:]
	}
	if n := len(b); n > 0 {
		var tail uint64
		if before := len(whole) - 8; before >= 0 {
			tail = binary.LittleEndian.Uint64(whole[before:]) >> (64 - 8*n) // without what is added up already
		} else {
			for i, octet := range b {
				tail |= uint64(octet) << (8 * i)
			}
		}
		le, carry = bits.Add64(le, tail, 0)
		le += carry
	}
	// The running sum may come near 2^64 only after 2^48 calls.
	return acc + uint64(bits.ReverseBytes16(fold(le)))
}

// words is sum for a few whole words of 32 bits.
func words(b []byte) (acc uint64) {
	for ; len(b) >= 4; b = b[4:] {
		acc += uint64(binary.BigEndian.Uint32(b))
	}
	return acc
}

// vectorsPay is from how many bytes on vectors are faster.
const vectorsPay = 256

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
