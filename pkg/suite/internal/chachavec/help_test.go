package chachavec

import (
	"crypto/cipher"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

// ours makes a cipher of this package, or skips the test.
func ours(tb testing.TB, key []byte) cipher.AEAD {
	tb.Helper()
	if !Available() {
		tb.Skip("this processor, or its operating system, cannot multiply by 52 bits on vectors of 512 bits: there is nothing to test")
	}
	aead, err := New(key)
	if err != nil {
		tb.Fatal(err)
	}
	return aead
}

// library is ChaCha20-Poly1305 of golang.org/x/crypto, which everything here is compared with.
func library(tb testing.TB, key []byte) cipher.AEAD {
	tb.Helper()
	aead, err := chacha20poly1305.New(key)
	if err != nil {
		tb.Fatal(err)
	}
	return aead
}
