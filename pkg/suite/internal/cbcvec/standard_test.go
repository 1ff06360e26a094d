package cbcvec

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/goipsec/goipsec/pkg/suite/internal/aeadtest"
)

// TestEveryLength compares with the standard library every length up to 9000, at every alignment, in place and from buffer to
// buffer. What lies beside the buffers must stay as it is.
func TestEveryLength(t *testing.T) {
	for _, size := range []int{16, 24, 32} {
		key := aeadtest.Pattern(size, size)
		a := aeadtest.NewArena(ours(t, key))
		other := standard(t, key)
		for n := 0; n <= 9000; n += blockSize {
			iv, text := aeadtest.Pattern(16, n), aeadtest.Pattern(n, size)
			sealed := other.Seal(nil, iv, text, nil)
			for from := range 64 {
				to := (from*29 + n/16) % 64
				a.Compare(t, fmt.Sprintf("%d bytes at %d to %d, key %d", n, from, to, size), from, to, iv, nil, text, sealed)
			}
		}
		for _, n := range []int{65520, 65536, 70000 / 16 * 16} {
			iv, text := aeadtest.Pattern(16, n), aeadtest.Pattern(n, size)
			a.Compare(t, fmt.Sprint(n, " bytes"), 3, 5, iv, nil, text, other.Seal(nil, iv, text, nil))
		}
	}
}

// TestEveryBlockCounts changes each block of a ciphertext: it and the next are decrypted to something else, and no other.
func TestEveryBlockCounts(t *testing.T) {
	m := ours(t, aeadtest.Pattern(16, 1))
	const n = 41 * blockSize // two strides, two vectors and a block
	iv, text := aeadtest.Pattern(16, 2), aeadtest.Pattern(n, 3)
	sealed := m.Seal(nil, iv, text, nil)
	for i := 0; i < n; i += blockSize {
		changed := bytes.Clone(sealed)
		changed[i+i/blockSize%16] ^= 0x10
		got, _ := m.Open(changed[:0], iv, changed, nil)
		for at := 0; at < n; at += blockSize {
			same := bytes.Equal(got[at:at+blockSize], text[at:at+blockSize])
			if want := at != i && at != i+blockSize; same != want {
				t.Fatalf("block %d changed: block %d the same is %v", i/blockSize, at/blockSize, same)
			}
		}
	}
}

// TestRandom compares keys, IVs and texts of no pattern.
func TestRandom(t *testing.T) {
	random := rand.NewChaCha8([32]byte{3, 6, 0, 2})
	buf := make([]byte, 3000)
	for i := range 3000 {
		random.Read(buf)
		key, iv, text := buf[:16+i%3*8], buf[32:48], buf[48:][:i*176%2944]
		ours(t, key).check(t, fmt.Sprintf("round %d, %d bytes", i, len(text)), iv, text, standard(t, key).Seal(nil, iv, text, nil))
	}
}

// FuzzAgainstStandard chooses key, IV, text and places. What is encrypted is also decrypted as if it were ciphertext.
func FuzzAgainstStandard(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), []byte("iv"), []byte("text"), uint16(1), uint8(0), uint8(1))
	f.Add(aeadtest.Pattern(32, 1), aeadtest.Pattern(16, 2), aeadtest.Pattern(1, 4), uint16(1424), uint8(17), uint8(44))
	f.Add(aeadtest.Pattern(24, 1), aeadtest.Pattern(16, 2), aeadtest.Pattern(20, 4), uint16(9000), uint8(63), uint8(63))
	f.Fuzz(func(t *testing.T, keySeed, ivSeed, seed []byte, length uint16, from, to uint8) {
		key, iv := aeadtest.Stretch(keySeed, 16+8*(len(keySeed)%3)), aeadtest.Stretch(ivSeed, 16)
		text := aeadtest.Stretch(seed, int(length)%9001/blockSize*blockSize)
		m, other := ours(t, key), standard(t, key)
		a := aeadtest.NewArena(m)
		a.Compare(t, "fuzz", int(from%64), int(to%64), iv, nil, text, other.Seal(nil, iv, text, nil))
		opened, _ := other.Open(nil, iv, text, nil)
		m.check(t, "text as ciphertext", iv, opened, text)
	})
}
