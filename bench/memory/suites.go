package memory

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/goipsec/goipsec/pkg/suite"
)

// protection is a suite as SAs and as the standard library know it.
type protection struct {
	name  string
	encr  suite.Encr
	bits  int
	integ suite.Integ
	// bare makes what one direction needs of the standard library.
	bare func(key []byte) (any, error)
}

func protections() []protection {
	return []protection{
		{"aes-gcm-16-128", suite.AESGCM16, 128, suite.IntegNone, func(key []byte) (any, error) {
			block, err := aes.NewCipher(key[:16])
			if err != nil {
				return nil, err
			}
			return cipher.NewGCM(block)
		}},
		{"chacha20-poly1305", suite.ChaCha20Poly1305, 256, suite.IntegNone, func(key []byte) (any, error) {
			return chacha20poly1305.New(key[:32])
		}},
		{"aes-cbc-128 hmac-sha256-128", suite.AESCBC, 128, suite.HMACSHA256_128, func(key []byte) (any, error) {
			block, err := aes.NewCipher(key[:16])
			if err != nil {
				return nil, err
			}
			mac := hmac.New(sha256.New, key[:32])
			mac.Reset() // keeps what later ones use again
			return []any{cipher.NewCBCEncrypter(block, make([]byte, aes.BlockSize)), mac}, nil
		}},
	}
}

// Suites names what can be measured.
func Suites() (names []string) {
	for _, p := range protections() {
		names = append(names, p.name)
	}
	return names
}
