package cbcvec_test

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"

	"github.com/goipsec/goipsec/pkg/suite/internal/cbcvec"
)

// Whoever wants AES-CBC asks for the vectors first. What comes out is the same.
func Example() {
	key, iv := []byte("sixteen bytes..."), []byte("and sixteen more")
	text := []byte("whole blocks, of sixteen octets.")
	if cbcvec.Available() {
		e, _ := cbcvec.NewEncrypter(key)
		e.Encrypt(text, text, iv)
	} else {
		block, _ := aes.NewCipher(key)
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(text, text)
	}
	fmt.Printf("%x\n", text)
	// Output:
	// f91dee5964d65364643f6904b796295a27d5074ba8db9e8b9f79dc244d5cdcca
}
