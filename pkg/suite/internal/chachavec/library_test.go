package chachavec

import (
	"bytes"
	"crypto/cipher"
	"fmt"
	"math/rand/v2"
	"testing"
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
	key := pattern(keySize, 1)
	a, other := newArena(ours(t, key)), library(t, key)
	for i, n := range lengths {
		nonce, text := pattern(nonceSize, i), pattern(n, i)
		for from := range 64 {
			if n > 1500 && from%16 != i%16 {
				continue
			}
			to, additional := (from*29+i)%64, pattern((from+i)%65, n)
			a.compare(t, fmt.Sprintf("%d bytes at %d to %d, additional %d", n, from, to, len(additional)), from, to, nonce, additional, text,
				other.Seal(nil, nonce, text, additional))
		}
	}
}

// TestCounters compares texts whose counter goes past one byte and past two: what does not carry would use a key stream twice.
func TestCounters(t *testing.T) {
	key, nonce, text := pattern(keySize, 2), pattern(nonceSize, 3), pattern(64<<16+5000, 5)
	for _, n := range []int{64 << 8, 64<<8 + 1000, len(text)} {
		check(t, fmt.Sprint(n, " bytes"), ours(t, key), nonce, nil, text[:n], library(t, key).Seal(nil, nonce, text[:n], nil))
	}
}

// TestEveryAdditional compares every length of additional data up to 300 and some that are longer, for texts that are hashed in each way.
func TestEveryAdditional(t *testing.T) {
	key := pattern(keySize, 3)
	a, other := newArena(ours(t, key)), library(t, key)
	for n := 0; n < 9000; n += 1 + n/300*36 {
		for i, length := range []int{0, 1, 16, 96, 192, 193, 224, 225, 256, 449, 704, 961, 1420} {
			nonce, additional, text := pattern(nonceSize, i), pattern(n, i), pattern(length, n)
			a.compare(t, fmt.Sprintf("additional %d, %d bytes", n, length), n%64, i, nonce, additional, text, other.Seal(nil, nonce, text, additional))
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
		check(t, fmt.Sprintf("round %d, %d bytes", i, len(text)), ours(t, key), nonce, additional, text, library(t, key).Seal(nil, nonce, text, additional))
	}
}

// FuzzAgainstLibrary chooses key, nonce, additional data, text, places, and what to change.
func FuzzAgainstLibrary(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), []byte("nonce"), []byte("spi+sequence"), []byte("text"), uint16(0), uint16(3), uint8(0), uint8(1), uint32(0))
	f.Add(pattern(32, 1), pattern(12, 2), pattern(8, 3), pattern(1, 4), uint16(1419), uint16(8), uint8(17), uint8(44), uint32(1000))
	f.Add(pattern(24, 1), pattern(12, 2), pattern(33, 3), pattern(20, 4), uint16(9000), uint16(33), uint8(63), uint8(63), uint32(80001))
	f.Fuzz(func(t *testing.T, keySeed, nonceSeed, additional, seed []byte, length, additionalLength uint16, from, to uint8, flip uint32) {
		key, nonce, text := stretch(keySeed, keySize), stretch(nonceSeed, nonceSize), stretch(seed, int(length)%9001)
		additional = stretch(additional, int(additionalLength)%600)
		a, other := newArena(ours(t, key)), library(t, key)
		sealed := other.Seal(nil, nonce, text, additional)
		a.compare(t, "fuzz", int(from%64), int(to%64), nonce, additional, text, sealed)
		bit := int(flip) % (8 * len(sealed))
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
