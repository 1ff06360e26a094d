package suite_test

import (
	"bytes"
	"crypto/rand"
	"fmt"

	"github.com/goipsec/goipsec/pkg/suite"
)

// A user's names become algorithms, and their Info says how much keying material to derive.
func Example() {
	encr, bits, err := suite.ParseEncr("aes256-gcm-16")
	if err != nil {
		fmt.Println(err)
		return
	}
	info, _ := encr.Info()
	fmt.Println(encr.Name(bits), "needs", encr.KeyMatLen(bits), "bytes of keying material,", info.SaltLen, "of them salt")

	keymat := make([]byte, encr.KeyMatLen(bits)) // derived from the peers' shared secret
	key, salt := keymat[:bits/8], keymat[bits/8:]
	aead, err := suite.NewAEAD(encr, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	nonce := append(salt, 0, 0, 0, 0, 0, 0, 0, 1) // the IV that the packet carries
	sealed := aead.Seal(nil, nonce, []byte("hello"), []byte("SPI and sequence number"))
	opened, err := aead.Open(nil, nonce, sealed, []byte("SPI and sequence number"))
	fmt.Printf("%d bytes on the wire, %q, %v\n", len(sealed), opened, err)
	// Output:
	// aes-gcm-16-256 needs 36 bytes of keying material, 4 of them salt
	// 21 bytes on the wire, "hello", <nil>
}

// Two peers agree on a secret.
func ExampleNewKeyExchange() {
	initiator, err := suite.NewKeyExchange(suite.Curve25519, rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	responder, err := suite.NewKeyExchange(suite.Curve25519, rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	one, _ := initiator.Shared(responder.Public())
	two, _ := responder.Shared(initiator.Public())
	_, err = initiator.Shared(make([]byte, 32)) // a point of small order
	fmt.Println(len(one), bytes.Equal(one, two))
	fmt.Println(err)
	// Output:
	// 32 true
	// the peer's Diffie-Hellman value is refused: it is a point of small order (RFC 8031 §5)
}

// A name that nobody knows is answered with those that are known.
func ExampleParseHash() {
	_, err := suite.ParseHash("sha3")
	fmt.Println(err)
	// Output: the hash "sha3" is not known; there are sha256, sha384, sha512, sha1, md5
}
