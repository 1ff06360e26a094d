package suite

import (
	"crypto/cipher"
	"crypto/subtle"
)

// shortGCM is GCM with the ICV of 8 bytes that RFC 4106 §6 allows and the standard library refuses.
//
// It is made of the library's own GCM, so that the arithmetic is the library's, in constant time. Sealing cuts the ICV short.
// Opening cannot be had from the library's Open, which wants all 16 bytes; but sealing a ciphertext under the same nonce
// turns it into the plaintext (the key stream is XORed a second time), and sealing that plaintext gives the ICV to compare with.
type shortGCM struct {
	cipher.AEAD
	tag int
}

const gcmTag = 16

func newShortGCM(block cipher.Block, tag int) (cipher.AEAD, error) {
	full, err := cipher.NewGCM(block)
	return &shortGCM{full, tag}, err
}

func (g *shortGCM) Overhead() int { return g.tag }

func (g *shortGCM) Seal(dst, nonce, plaintext, additional []byte) []byte {
	sealed := g.AEAD.Seal(make([]byte, 0, len(plaintext)+gcmTag), nonce, plaintext, additional)
	return append(dst, sealed[:len(plaintext)+g.tag]...)
}

// Open shows the plaintext only after the ICV has been compared.
func (g *shortGCM) Open(dst, nonce, sealed, additional []byte) ([]byte, error) {
	n := len(sealed) - g.tag
	if n < 0 {
		return nil, errOpen
	}
	scratch := make([]byte, 0, 2*(n+gcmTag))
	plaintext := g.AEAD.Seal(scratch, nonce, sealed[:n], nil)[:n]
	again := g.AEAD.Seal(scratch[n+gcmTag:n+gcmTag], nonce, plaintext, additional)
	if subtle.ConstantTimeCompare(again[n:n+g.tag], sealed[n:]) != 1 {
		return nil, errOpen
	}
	return append(dst, plaintext...), nil
}
