package pipeline

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/goipsec/goipsec/pkg/suite"
)

// protection is a suite as the data plane and as the standard library know it.
type protection struct {
	name  string
	encr  suite.Encr
	integ suite.Integ
	// raw makes the bare cipher for payloads of n bytes: what one call of each costs is what the path is compared with.
	raw func(n int) (seal, open func(), err error)
}

func protections() []protection {
	return []protection{
		{"aes-gcm-16-128", suite.AESGCM16, suite.IntegNone, rawGCM},
		{"aes-cbc-128 hmac-sha256-128", suite.AESCBC, suite.HMACSHA256_128, rawCBC},
	}
}

// Suites names what can be measured.
func Suites() (names []string) {
	for _, p := range protections() {
		names = append(names, p.name)
	}
	return names
}

const keyBits = 128

// rawGCM seals and opens payload and trailer, which ESP pads to whole words (RFC 4303 §2.4), with the eight bytes of an ESP header beside them.
func rawGCM(n int) (seal, open func(), err error) {
	n = (n + 2 + 3) &^ 3
	block, err := aes.NewCipher(make([]byte, keyBits/8))
	if err != nil {
		return nil, nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, nil, err
	}
	var nonce [12]byte
	var header [8]byte
	buf := make([]byte, n+aead.Overhead())
	var seq uint64
	seal = func() {
		seq++
		binary.BigEndian.PutUint64(nonce[4:], seq)
		aead.Seal(buf[:0], nonce[:], buf[:n], header[:])
	}
	fixed := make([]byte, aead.NonceSize())
	sealed := aead.Seal(nil, fixed, make([]byte, n), header[:])
	plain := make([]byte, 0, n)
	open = func() {
		if _, err := aead.Open(plain, fixed, sealed, header[:]); err != nil {
			panic(fmt.Sprint("the standard library does not open what it sealed: ", err))
		}
	}
	return seal, open, nil
}

// rawCBC encrypts or decrypts whole blocks and authenticates them with header and IV.
func rawCBC(n int) (seal, open func(), err error) {
	block, err := aes.NewCipher(make([]byte, keyBits/8))
	if err != nil {
		return nil, nil, err
	}
	iv := make([]byte, aes.BlockSize)
	encrypter, decrypter := cipher.NewCBCEncrypter(block, iv), cipher.NewCBCDecrypter(block, iv)
	mac := hmac.New(sha256.New, make([]byte, sha256.Size))
	const head = 8 + aes.BlockSize
	padded := (n + 2 + aes.BlockSize - 1) / aes.BlockSize * aes.BlockSize
	buf, sum := make([]byte, head+padded), make([]byte, 0, sha256.Size)
	authenticate := func() {
		mac.Reset()
		mac.Write(buf)
		mac.Sum(sum)
	}
	seal = func() { encrypter.CryptBlocks(buf[head:], buf[head:]); authenticate() }
	open = func() { authenticate(); decrypter.CryptBlocks(buf[head:], buf[head:]) }
	return seal, open, nil
}
