package suite

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// errOpen says no more than that: which part of a packet was wrong is nobody's business.
var errOpen = errors.New("the packet is not authentic")

// NewAEAD makes a combined-mode cipher from key (without the salt). Its nonce is salt and explicit IV together: 12 bytes, CCM 11.
// NullGMAC is included: everything is additional data, the plaintext is empty; it serves ESP and, with the key of AES128GMAC and its
// kin, AH. GCM-8 and CCM are ours, with one buffer allocated a packet; GCM-12, GCM-16, GMAC and ChaCha20-Poly1305 are
// ours too, and allocate nothing, where [UseVectors] allows it and the processor can; the rest is of Go's libraries and allocates nothing. What it returns is safe for concurrent use. Buffers either overlap exactly or not at all.
func NewAEAD(e Encr, key []byte) (cipher.AEAD, error) {
	if err := works(e); err != nil {
		return nil, err
	}
	return newAEAD(e, key)
}

func newAEAD(e Encr, key []byte) (cipher.AEAD, error) {
	info := e.info()
	if !info.Combined {
		return nil, fmt.Errorf("%v is not a combined mode", e)
	}
	if err := e.checkKey(len(key)); err != nil {
		return nil, err
	}
	if VectorsInUse(e) {
		return newVectorAEAD(e, key)
	}
	return newScalarAEAD(e, key)
}

// newScalarAEAD makes what is based on Go's libraries.
func newScalarAEAD(e Encr, key []byte) (cipher.AEAD, error) {
	if e == ChaCha20Poly1305 {
		return chacha20poly1305.New(key)
	}
	icv := e.info().ICVLen
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	switch e {
	case AESCCM8, AESCCM12, AESCCM16:
		return &ccm{block: block, tag: icv, nonce: ccmNonce}, nil
	case AESGCM8:
		return newShortGCM(block, icv)
	}
	return cipher.NewGCMWithTagSize(block, icv)
}
