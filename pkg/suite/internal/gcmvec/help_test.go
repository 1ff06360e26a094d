package gcmvec

import (
	"crypto/aes"
	"crypto/cipher"
	"testing"
)

// ours makes a cipher of this package, or skips the test.
func ours(tb testing.TB, key []byte, tagSize int) cipher.AEAD {
	tb.Helper()
	if !Available() {
		tb.Skip("this processor, or its operating system, has no AES on vectors of 512 bits: there is nothing to test")
	}
	aead, err := New(key, tagSize)
	if err != nil {
		tb.Fatal(err)
	}
	return aead
}

// standard is the standard library's GCM, which everything here is compared with.
func standard(tb testing.TB, key []byte, tagSize int) cipher.AEAD {
	tb.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		tb.Fatal(err)
	}
	aead, err := cipher.NewGCMWithTagSize(block, tagSize)
	if err != nil {
		tb.Fatal(err)
	}
	return aead
}
