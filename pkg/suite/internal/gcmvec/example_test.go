package gcmvec_test

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"

	"github.com/goipsec/goipsec/pkg/suite/internal/gcmvec"
)

// Whoever wants AES-GCM asks for the vectors first. What comes out is the same.
func Example() {
	key, nonce := []byte("sixteen bytes..."), []byte("used once...")
	var aead cipher.AEAD
	if gcmvec.Available() {
		aead, _ = gcmvec.New(key, 16)
	} else {
		block, _ := aes.NewCipher(key)
		aead, _ = cipher.NewGCM(block)
	}
	sealed := aead.Seal(nil, nonce, []byte("hello"), []byte("header"))
	fmt.Printf("%x\n", sealed)
	_, err := aead.Open(nil, nonce, sealed, []byte("another header"))
	fmt.Println(err != nil)
	// Output:
	// b58ee7dd72abbb744c674a7cba7e48fa61748ebdc8
	// true
}
