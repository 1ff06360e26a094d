package gcmvec

import (
	"bytes"
	"crypto/cipher"
	"fmt"
	"testing"
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
		key := pattern(size, size)
		a := newArena(ours(t, key, 16))
		other := standard(t, key, 16)
		for i, n := range lengths {
			nonce, additional, text := pattern(12, i), pattern(i%65, n), pattern(n, size)
			sealed := other.Seal(nil, nonce, text, additional)
			for from := range 64 {
				if size != 16 && from != (i*7)%64 {
					continue // the length of the key has nothing to do with alignments
				}
				to := (from*29 + i) % 64
				a.compare(t, fmt.Sprintf("%d bytes at %d to %d, additional %d, key %d", n, from, to, len(additional), size), from, to, nonce, additional, text, sealed)
			}
		}
	}
}

// TestCountersOfThreeBytes compares texts whose counter goes past two bytes: what does not carry would use a key stream twice.
func TestCountersOfThreeBytes(t *testing.T) {
	const n = 1<<20 + 300
	for _, size := range []int{16, 32} {
		key, nonce, text := pattern(size, size), pattern(12, 3), pattern(n, 5)
		want := standard(t, key, 16).Seal(nil, nonce, text, nil)
		check(t, "a mebibyte and more", ours(t, key, 16), nonce, nil, text, want)
	}
}

// TestEveryAdditional compares every length of additional data up to 300, for texts around the ends of vectors and strides.
func TestEveryAdditional(t *testing.T) {
	for _, tagSize := range []int{16, 12} {
		for _, size := range []int{16, 24, 32} {
			key := pattern(size, size)
			a := newArena(ours(t, key, tagSize))
			other := standard(t, key, tagSize)
			for n := range 301 {
				for i, length := range []int{0, 1, 16, 47, 48, 64, 112, 113, 240, 241, 255, 256, 257, 495, 496, 497, 1420} {
					nonce, additional, text := pattern(12, i), pattern(n, size), pattern(length, n)
					a.compare(t, fmt.Sprintf("additional %d, %d bytes, key %d, tag %d", n, length, size, tagSize), n%64, i, nonce, additional, text,
						other.Seal(nil, nonce, text, additional))
				}
			}
		}
	}
}

// TestLongAdditional is GMAC: all of a packet is additional data.
func TestLongAdditional(t *testing.T) {
	key := pattern(16, 1)
	a, other := newArena(ours(t, key, 16)), standard(t, key, 16)
	for n := 300; n < 9000; n += 37 {
		nonce, additional := pattern(12, n), pattern(n, 5)
		a.compare(t, fmt.Sprint("additional ", n), 0, n%64, nonce, additional, nil, other.Seal(nil, nonce, nil, additional))
	}
}

// FuzzAgainstStandard chooses key, nonce, additional data, text, places, and what to change.
func FuzzAgainstStandard(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), []byte("nonce"), []byte("spi+sequence"), []byte("text"), uint16(0), uint16(3), uint8(0), uint8(1), uint32(0))
	f.Add(pattern(32, 1), pattern(12, 2), pattern(8, 3), pattern(1, 4), uint16(1419), uint16(8), uint8(17), uint8(44), uint32(1000))
	f.Add(pattern(24, 1), pattern(12, 2), pattern(33, 3), pattern(20, 4), uint16(9000), uint16(33), uint8(63), uint8(63), uint32(80001))
	f.Fuzz(func(t *testing.T, keySeed, nonceSeed, additional, seed []byte, length, additionalLength uint16, from, to uint8, flip uint32) {
		key := stretch(keySeed, 16+8*(int(flip)%3))
		tagSize := 12 + 4*(len(additional)&1)
		nonce, text := stretch(nonceSeed, 12), stretch(seed, int(length)%9001)
		additional = stretch(additional, int(additionalLength)%600)
		a, other := newArena(ours(t, key, tagSize)), standard(t, key, tagSize)
		sealed := other.Seal(nil, nonce, text, additional)
		a.compare(t, "fuzz", int(from%64), int(to%64), nonce, additional, text, sealed)
		bit := int(flip/3) % (8 * len(sealed))
		sealed[bit/8] ^= 1 << (bit % 8)
		if _, err := a.aead.Open(nil, nonce, sealed, additional); err == nil {
			t.Errorf("opened with bit %d of %d bytes changed", bit, len(sealed))
		}
	})
}

// stretch makes n bytes of any number of bytes.
func stretch(b []byte, n int) []byte {
	out := pattern(n, len(b))
	for i := range b {
		if n > 0 {
			out[i%n] ^= b[i]
		}
	}
	return out
}

// arena is room for texts at chosen alignments, between canaries.
type arena struct {
	aead    cipher.AEAD
	in, out []byte
}

const (
	canary = 0x5A
	margin = 128 // more than a vector
)

func newArena(aead cipher.AEAD) *arena {
	return &arena{aead, bytes.Repeat([]byte{canary}, 1<<17), bytes.Repeat([]byte{canary}, 1<<17)}
}

// compare seals and opens text, as check does, from and to places that lie so far from the beginning of the arena.
func (a *arena) compare(t *testing.T, name string, from, to int, nonce, additional, text, sealed []byte) {
	t.Helper()
	n, whole := len(text), len(sealed)
	in, out := a.in[margin+from:][:n:n], a.out[margin+to:][:whole:whole]
	copy(in, text)
	if got := a.aead.Seal(out[:0], nonce, in, additional); !bytes.Equal(got, sealed) {
		t.Fatalf("%s: sealed wrongly: byte %d", name, difference(got, sealed))
	}
	if !bytes.Equal(in, text) {
		t.Fatalf("%s: sealing changed its source", name)
	}
	a.surroundings(t, name, a.out, margin+to, whole)
	got, err := a.aead.Open(in[:0], nonce, out, additional)
	if err != nil || !bytes.Equal(got, text) {
		t.Fatalf("%s: opened wrongly: %v, byte %d", name, err, difference(got, text))
	}
	if !bytes.Equal(out, sealed) {
		t.Fatalf("%s: opening changed its source", name)
	}
	a.surroundings(t, name, a.in, margin+from, n)
	got, err = a.aead.Open(out[:0], nonce, out, additional)
	if err != nil || !bytes.Equal(got, text) || !bytes.Equal(out[n:], sealed[n:]) {
		t.Fatalf("%s: opened wrongly in place: %v, byte %d", name, err, difference(got, text))
	}
	if got := a.aead.Seal(out[:0], nonce, out[:n], additional); !bytes.Equal(got, sealed) {
		t.Fatalf("%s: sealed wrongly in place: byte %d", name, difference(got, sealed))
	}
	a.surroundings(t, name, a.out, margin+to, whole)
	fill(in)
	fill(out)
}

// surroundings looks at the canaries around n bytes at the place.
func (a *arena) surroundings(t *testing.T, name string, b []byte, place, n int) {
	t.Helper()
	for i := range margin {
		if b[place-1-i] != canary || b[place+n+i] != canary {
			t.Fatalf("%s: written %d bytes beside the buffer", name, i+1)
		}
	}
}

func fill(b []byte) {
	for i := range b {
		b[i] = canary
	}
}

func difference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
