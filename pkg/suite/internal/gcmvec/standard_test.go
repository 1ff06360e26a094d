package gcmvec

import (
	"fmt"
	"testing"

	"github.com/goipsec/goipsec/pkg/suite/internal/aeadtest"
)

// TestEveryLength compares with the standard library every length up to 2048, and some up to 9000 around the ends of strides, at every
// alignment, in place and from buffer to buffer. What lies beside the buffers must stay as it is.
func TestEveryLength(t *testing.T) {
	lengths := make([]int, 0, 2300)
	for n := range 2049 {
		lengths = append(lengths, n)
	}
	for n := 2048 + 240; n <= 9000; n += 256 {
		lengths = append(lengths, n-17, n-1, n, n+1, n+15, n+16, n+17, n+100)
	}
	lengths = append(lengths, 4063, 4064, 4065, 4080, 4081, 8191, 8192, 8193, 8999, 9000, 65535, 70000)
	for _, size := range []int{16, 24, 32} {
		key := aeadtest.Pattern(size, size)
		a := aeadtest.NewArena(ours(t, key, 16))
		other := standard(t, key, 16)
		for i, n := range lengths {
			nonce, additional, text := aeadtest.Pattern(12, i), aeadtest.Pattern(i%65, n), aeadtest.Pattern(n, size)
			sealed := other.Seal(nil, nonce, text, additional)
			for from := range 64 {
				if size != 16 && from != (i*7)%64 {
					continue // the length of the key has nothing to do with alignments
				}
				to := (from*29 + i) % 64
				a.Compare(t, fmt.Sprintf("%d bytes at %d to %d, additional %d, key %d", n, from, to, len(additional), size), from, to, nonce, additional, text, sealed)
			}
		}
	}
}

// TestCountersOfThreeBytes compares texts whose counter goes past two bytes: what does not carry would use a key stream twice.
func TestCountersOfThreeBytes(t *testing.T) {
	const n = 1<<20 + 300
	for _, size := range []int{16, 32} {
		key, nonce, text := aeadtest.Pattern(size, size), aeadtest.Pattern(12, 3), aeadtest.Pattern(n, 5)
		want := standard(t, key, 16).Seal(nil, nonce, text, nil)
		aeadtest.Check(t, "a mebibyte and more", ours(t, key, 16), nonce, nil, text, want)
	}
}

// TestEveryAdditional compares every length of additional data up to 300, for texts around the ends of vectors and strides.
func TestEveryAdditional(t *testing.T) {
	for _, tagSize := range []int{16, 12} {
		for _, size := range []int{16, 24, 32} {
			key := aeadtest.Pattern(size, size)
			a := aeadtest.NewArena(ours(t, key, tagSize))
			other := standard(t, key, tagSize)
			for n := range 301 {
				for i, length := range []int{0, 1, 16, 47, 48, 64, 112, 113, 240, 241, 255, 256, 257, 495, 496, 497, 1420} {
					nonce, additional, text := aeadtest.Pattern(12, i), aeadtest.Pattern(n, size), aeadtest.Pattern(length, n)
					a.Compare(t, fmt.Sprintf("additional %d, %d bytes, key %d, tag %d", n, length, size, tagSize), n%64, i, nonce, additional, text,
						other.Seal(nil, nonce, text, additional))
				}
			}
		}
	}
}

// TestLongAdditional is GMAC: all of a packet is additional data.
func TestLongAdditional(t *testing.T) {
	key := aeadtest.Pattern(16, 1)
	a, other := aeadtest.NewArena(ours(t, key, 16)), standard(t, key, 16)
	for n := 300; n < 9000; n += 37 {
		nonce, additional := aeadtest.Pattern(12, n), aeadtest.Pattern(n, 5)
		a.Compare(t, fmt.Sprint("additional ", n), 0, n%64, nonce, additional, nil, other.Seal(nil, nonce, nil, additional))
	}
}

// FuzzAgainstStandard chooses key, nonce, additional data, text, places, and what to change.
func FuzzAgainstStandard(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), []byte("nonce"), []byte("spi+sequence"), []byte("text"), uint16(0), uint16(3), uint8(0), uint8(1), uint32(0))
	f.Add(aeadtest.Pattern(32, 1), aeadtest.Pattern(12, 2), aeadtest.Pattern(8, 3), aeadtest.Pattern(1, 4), uint16(1419), uint16(8), uint8(17), uint8(44), uint32(1000))
	f.Add(aeadtest.Pattern(24, 1), aeadtest.Pattern(12, 2), aeadtest.Pattern(33, 3), aeadtest.Pattern(20, 4), uint16(9000), uint16(33), uint8(63), uint8(63), uint32(80001))
	f.Fuzz(func(t *testing.T, keySeed, nonceSeed, additional, seed []byte, length, additionalLength uint16, from, to uint8, flip uint32) {
		key := aeadtest.Stretch(keySeed, 16+8*(int(flip)%3))
		tagSize := 12 + 4*(len(additional)&1)
		nonce, text := aeadtest.Stretch(nonceSeed, 12), aeadtest.Stretch(seed, int(length)%9001)
		additional = aeadtest.Stretch(additional, int(additionalLength)%600)
		a, other := aeadtest.NewArena(ours(t, key, tagSize)), standard(t, key, tagSize)
		sealed := other.Seal(nil, nonce, text, additional)
		a.Compare(t, "fuzz", int(from%64), int(to%64), nonce, additional, text, sealed)
		bit := int(flip/3) % (8 * len(sealed))
		sealed[bit/8] ^= 1 << (bit % 8)
		if _, err := a.AEAD.Open(nil, nonce, sealed, additional); err == nil {
			t.Errorf("opened with bit %d of %d bytes changed", bit, len(sealed))
		}
	})
}
