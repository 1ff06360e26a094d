package aeadtest

import (
	"bytes"
	"crypto/cipher"
	"testing"
)

// Arena is room for texts at chosen alignments, between canaries.
type Arena struct {
	AEAD    cipher.AEAD
	in, out []byte
}

const (
	canary = 0x5A
	margin = 128 // more than a vector
)

// NewArena makes room for an AEAD.
func NewArena(aead cipher.AEAD) *Arena {
	return &Arena{aead, bytes.Repeat([]byte{canary}, 1<<17), bytes.Repeat([]byte{canary}, 1<<17)}
}

// Compare seals and opens text, as Check does, from and to places that lie so far from the beginning of the arena.
func (a *Arena) Compare(t *testing.T, name string, from, to int, nonce, additional, text, sealed []byte) {
	t.Helper()
	n, whole := len(text), len(sealed)
	in, out := a.in[margin+from:][:n:n], a.out[margin+to:][:whole:whole]
	copy(in, text)
	if got := a.AEAD.Seal(out[:0], nonce, in, additional); !bytes.Equal(got, sealed) {
		t.Fatalf("%s: sealed wrongly: byte %d", name, difference(got, sealed))
	}
	if !bytes.Equal(in, text) {
		t.Fatalf("%s: sealing changed its source", name)
	}
	a.surroundings(t, name, a.out, margin+to, whole)
	got, err := a.AEAD.Open(in[:0], nonce, out, additional)
	if err != nil || !bytes.Equal(got, text) {
		t.Fatalf("%s: opened wrongly: %v, byte %d", name, err, difference(got, text))
	}
	if !bytes.Equal(out, sealed) {
		t.Fatalf("%s: opening changed its source", name)
	}
	a.surroundings(t, name, a.in, margin+from, n)
	got, err = a.AEAD.Open(out[:0], nonce, out, additional)
	if err != nil || !bytes.Equal(got, text) || !bytes.Equal(out[n:], sealed[n:]) {
		t.Fatalf("%s: opened wrongly in place: %v, byte %d", name, err, difference(got, text))
	}
	if got := a.AEAD.Seal(out[:0], nonce, out[:n], additional); !bytes.Equal(got, sealed) {
		t.Fatalf("%s: sealed wrongly in place: byte %d", name, difference(got, sealed))
	}
	a.surroundings(t, name, a.out, margin+to, whole)
	fill(in)
	fill(out)
}

// surroundings looks at the canaries around n bytes at the place.
func (a *Arena) surroundings(t *testing.T, name string, b []byte, place, n int) {
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
