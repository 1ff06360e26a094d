package aeskey

import "encoding/binary"

const blockSize = 16

// Expand fills round, 11, 13 or 15 blocks of 16 bytes, with the round keys of a key of 16, 24 or 32 bytes: FIPS 197 §5.2, with words in
// little endian, so that RotWord turns the other way.
func Expand(round, key []byte) {
	n := copy(round, key)
	constant := uint32(1)
	for i := n; i < len(round); i += 4 {
		word := binary.LittleEndian.Uint32(round[i-4:])
		switch {
		case i%n == 0:
			word = subWord(word>>8|word<<24) ^ constant
			constant = constant<<1 ^ constant>>7*0x11B // times x in GF(2^8)
		case i%n == 16 && n == 32:
			word = subWord(word)
		}
		binary.LittleEndian.PutUint32(round[i:], word^binary.LittleEndian.Uint32(round[i-n:]))
	}
}

// Invert turns what Expand made into the round keys of the equivalent inverse cipher (FIPS 197 §5.3.5), in the order in which decryption
// uses them.
func Invert(round []byte) {
	for low, high := 0, len(round)-blockSize; low < high; low, high = low+blockSize, high-blockSize {
		a, b := (*[blockSize]byte)(round[low:]), (*[blockSize]byte)(round[high:])
		*a, *b = *b, *a
	}
	for i := blockSize; i < len(round)-blockSize; i += blockSize {
		invMixColumns((*[blockSize]byte)(round[i:]))
	}
}
