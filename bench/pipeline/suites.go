package pipeline

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/goipsec/goipsec/pkg/suite"
)

// protection is a suite as the data plane knows it and as Go's libraries do.
type protection struct {
	name  string
	encr  suite.Encr
	bits  int // of the key
	integ suite.Integ
	// raw makes the bare cipher for payloads of n bytes: what one call of each costs is what the path is compared with. It seals what ESP seals: the
	// payload with its trailer.
	raw func(n int) (seal, open func(), err error)
}

func protections() []protection {
	return []protection{
		combined(suite.AESGCM16, 128, newGCM(128)),
		combined(suite.AESGCM16, 256, newGCM(256)),
		combined(suite.ChaCha20Poly1305, 256, func() (cipher.AEAD, error) { return chacha20poly1305.New(make([]byte, chacha20poly1305.KeySize)) }),
		separate(128, suite.HMACSHA256_128, sha256.New),
		separate(128, suite.HMACSHA1_96, sha1.New),
		separate(256, suite.HMACSHA512_256, sha512.New),
		gmac(128),
	}
}

// Suites names what can be measured.
func Suites() (names []string) {
	for _, p := range protections() {
		names = append(names, p.name)
	}
	return names
}

// Cipher is who does the cryptography on the path. The bare cipher beside it is always that of Go's libraries.
type Cipher string

// The ciphers.
const (
	// Standard is Go's libraries.
	Standard Cipher = "standard"
	// Vector is pkg/suite's AES-GCM, AES-GMAC, AES-CBC or ChaCha20-Poly1305 on vectors of 512 bits.
	Vector Cipher = "vector"
)

// cipher is what the path uses for p: NewAEAD chooses.
func (p *protection) cipher() Cipher {
	if suite.VectorsInUse(p.encr) {
		return Vector
	}
	return Standard
}

// covered is the length of what the ICV covers beside the packet's body: SPI and a sequence number of 64 bits.
const covered = 4 + 8

func newGCM(bits int) func() (cipher.AEAD, error) {
	return func() (cipher.AEAD, error) {
		block, err := aes.NewCipher(make([]byte, bits/8))
		if err != nil {
			return nil, err
		}
		return cipher.NewGCM(block)
	}
}

// words is the length of n bytes of payload with the trailer of a combined mode: whole words (RFC 4303 §2.4).
func words(n int) int { return (n + 2 + 3) &^ 3 }

// combined is a mode that encrypts and authenticates, with SPI and sequence number beside the payload.
func combined(e suite.Encr, bits int, make func() (cipher.AEAD, error)) protection {
	return protection{e.Name(bits), e, bits, suite.IntegNone, func(n int) (seal, open func(), err error) { return rawAEAD(make, words(n), covered) }}
}

// gmac authenticates everything and encrypts nothing (RFC 4543).
func gmac(bits int) protection {
	return protection{suite.NullGMAC.Name(bits), suite.NullGMAC, bits, suite.IntegNone,
		func(n int) (seal, open func(), err error) { return rawAEAD(newGCM(bits), 0, covered+8+words(n)) }}
}

// rawAEAD seals, and opens, n bytes with more bytes of additional data.
func rawAEAD(new func() (cipher.AEAD, error), n, more int) (seal, open func(), err error) {
	aead, err := new()
	if err != nil {
		return nil, nil, err
	}
	var nonce [12]byte
	header := make([]byte, more)
	buf := make([]byte, n+aead.Overhead())
	var seq uint64
	seal = func() {
		seq++
		binary.BigEndian.PutUint64(nonce[4:], seq)
		aead.Seal(buf[:0], nonce[:], buf[:n], header)
	}
	fixed := make([]byte, aead.NonceSize())
	sealed := aead.Seal(nil, fixed, make([]byte, n), header)
	plain := make([]byte, 0, n)
	open = func() {
		if _, err := aead.Open(plain, fixed, sealed, header); err != nil {
			panic(fmt.Sprint("the library does not open what it sealed: ", err))
		}
	}
	return seal, open, nil
}

// separate is AES-CBC on whole blocks, authenticated with header and IV.
func separate(bits int, i suite.Integ, hash func() hash.Hash) protection {
	return protection{suite.AESCBC.Name(bits) + " " + i.String(), suite.AESCBC, bits, i, func(n int) (seal, open func(), err error) {
		block, err := aes.NewCipher(make([]byte, bits/8))
		if err != nil {
			return nil, nil, err
		}
		iv := make([]byte, aes.BlockSize)
		encrypter, decrypter := cipher.NewCBCEncrypter(block, iv), cipher.NewCBCDecrypter(block, iv)
		mac := hmac.New(hash, make([]byte, hash().Size()))
		const head = covered + aes.BlockSize
		padded := (n + 2 + aes.BlockSize - 1) / aes.BlockSize * aes.BlockSize
		buf, sum := make([]byte, head+padded), make([]byte, 0, sha512.Size)
		authenticate := func() {
			mac.Reset()
			mac.Write(buf)
			mac.Sum(sum)
		}
		seal = func() { encrypter.CryptBlocks(buf[head:], buf[head:]); authenticate() }
		open = func() { authenticate(); decrypter.CryptBlocks(buf[head:], buf[head:]) }
		return seal, open, nil
	}}
}
