package chachavec_test

import (
	"crypto/cipher"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/goipsec/goipsec/pkg/suite/internal/chachavec"
)

// Whoever wants ChaCha20-Poly1305 asks for the vectors first. What comes out is the same.
func Example() {
	key, nonce := []byte("thirty-two bytes are a whole key"), []byte("used once...")
	var aead cipher.AEAD
	if chachavec.Available() {
		aead, _ = chachavec.New(key)
	} else {
		aead, _ = chacha20poly1305.New(key)
	}
	sealed := aead.Seal(nil, nonce, []byte("hello"), []byte("header"))
	fmt.Printf("%x\n", sealed)
	_, err := aead.Open(nil, nonce, sealed, []byte("another header"))
	fmt.Println(err != nil)
	// Output:
	// c34ce28109509f23aa85d662ab144e81c25e5ae072
	// true
}
