package chachavec

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/goipsec/goipsec/pkg/suite/internal/aeadtest"
)

// TestEveryLength compares with golang.org/x/crypto every length up to 2100, and some up to 9000 around the ends of turns, at every
// alignment, with every length of additional data up to 64, in place and from buffer to buffer. What lies beside the buffers must stay as
// it is.
func TestEveryLength(t *testing.T) {
	lengths := make([]int, 0, 2500)
	for n := range 2101 {
		lengths = append(lengths, n)
	}
	for n := 2112; n <= 9000; n += 64 {
		lengths = append(lengths, n-17, n-1, n, n+1, n+16, n+33)
	}
	lengths = append(lengths, 8999, 9000, 65535, 70000)
	key := aeadtest.Pattern(keySize, 1)
	a, other := aeadtest.NewArena(ours(t, key)), library(t, key)
	for i, n := range lengths {
		nonce, text := aeadtest.Pattern(nonceSize, i), aeadtest.Pattern(n, i)
		for from := range 64 {
			if n > 1500 && from%16 != i%16 {
				continue
			}
			to, additional := (from*29+i)%64, aeadtest.Pattern((from+i)%65, n)
			a.Compare(t, fmt.Sprintf("%d bytes at %d to %d, additional %d", n, from, to, len(additional)), from, to, nonce, additional, text,
				other.Seal(nil, nonce, text, additional))
		}
	}
}

// TestCounters compares texts whose counter goes past one byte and past two: what does not carry would use a key stream twice.
func TestCounters(t *testing.T) {
	key, nonce, text := aeadtest.Pattern(keySize, 2), aeadtest.Pattern(nonceSize, 3), aeadtest.Pattern(64<<16+5000, 5)
	for _, n := range []int{64 << 8, 64<<8 + 1000, len(text)} {
		aeadtest.Check(t, fmt.Sprint(n, " bytes"), ours(t, key), nonce, nil, text[:n], library(t, key).Seal(nil, nonce, text[:n], nil))
	}
}

// TestEveryAdditional compares every length of additional data up to 300 and some that are longer, for texts that are hashed in each way.
func TestEveryAdditional(t *testing.T) {
	key := aeadtest.Pattern(keySize, 3)
	a, other := aeadtest.NewArena(ours(t, key)), library(t, key)
	for n := 0; n < 9000; n += 1 + n/300*36 {
		for i, length := range []int{0, 1, 16, 96, 192, 193, 224, 225, 256, 449, 704, 961, 1420} {
			nonce, additional, text := aeadtest.Pattern(nonceSize, i), aeadtest.Pattern(n, i), aeadtest.Pattern(length, n)
			a.Compare(t, fmt.Sprintf("additional %d, %d bytes", n, length), n%64, i, nonce, additional, text, other.Seal(nil, nonce, text, additional))
		}
	}
}

// TestRandom compares keys, nonces and texts of no pattern: of a thousand keys, some make numbers that carry far.
func TestRandom(t *testing.T) {
	random := rand.NewChaCha8([32]byte{8, 4, 3, 9})
	buf := make([]byte, 3000)
	for i := range 4000 {
		random.Read(buf)
		key, nonce := buf[:keySize], buf[keySize:keySize+nonceSize]
		additional, text := buf[50:50+i%41], buf[100:100+(i*611)%2900]
		aeadtest.Check(t, fmt.Sprintf("round %d, %d bytes", i, len(text)), ours(t, key), nonce, additional, text, library(t, key).Seal(nil, nonce, text, additional))
	}
}

// FuzzAgainstLibrary chooses key, nonce, additional data, text, places, and what to change.
func FuzzAgainstLibrary(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), []byte("nonce"), []byte("spi+sequence"), []byte("text"), uint16(0), uint16(3), uint8(0), uint8(1), uint32(0))
	f.Add(aeadtest.Pattern(32, 1), aeadtest.Pattern(12, 2), aeadtest.Pattern(8, 3), aeadtest.Pattern(1, 4), uint16(1419), uint16(8), uint8(17), uint8(44), uint32(1000))
	f.Add(aeadtest.Pattern(24, 1), aeadtest.Pattern(12, 2), aeadtest.Pattern(33, 3), aeadtest.Pattern(20, 4), uint16(9000), uint16(33), uint8(63), uint8(63), uint32(80001))
	f.Fuzz(func(t *testing.T, keySeed, nonceSeed, additional, seed []byte, length, additionalLength uint16, from, to uint8, flip uint32) {
		key, nonce, text := aeadtest.Stretch(keySeed, keySize), aeadtest.Stretch(nonceSeed, nonceSize), aeadtest.Stretch(seed, int(length)%9001)
		additional = aeadtest.Stretch(additional, int(additionalLength)%600)
		a, other := aeadtest.NewArena(ours(t, key)), library(t, key)
		sealed := other.Seal(nil, nonce, text, additional)
		a.Compare(t, "fuzz", int(from%64), int(to%64), nonce, additional, text, sealed)
		bit := int(flip) % (8 * len(sealed))
		sealed[bit/8] ^= 1 << (bit % 8)
		if _, err := a.AEAD.Open(nil, nonce, sealed, additional); err == nil {
			t.Errorf("opened with bit %d of %d bytes changed", bit, len(sealed))
		}
	})
}
