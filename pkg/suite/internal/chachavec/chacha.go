package chachavec

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"github.com/goipsec/goipsec/pkg/suite/internal/buffer"
)

const (
	keySize   = 32
	nonceSize = 12
	tagSize   = 16

	// maxText is what RFC 8439 §2.8 allows under one nonce: the counter of 32 bits begins at 1 for the text and never comes to 0.
	maxText = (1<<32 - 1) * 64
)

// What golang.org/x/crypto panics for.
const (
	panicNonce   = "chachavec: the nonce is not 12 bytes long"
	panicLength  = "chachavec: the message is too long for one nonce"
	panicOverlap = "chachavec: the output overlaps the text, and not exactly, or the additional data"
)

var (
	errOpen        = errors.New("the message is not authentic")
	errUnavailable = errors.New("this processor, or its operating system, lacks multiplication by 52 bits on vectors of 512 bits")
)

// available is a variable for the tests.
var available = supported()

// Available says whether this processor and its operating system have what it takes.
func Available() bool { return available }

// New makes ChaCha20-Poly1305 from a key of 32 bytes, which it copies. It fails for other sizes, and where [Available] is false.
func New(key []byte) (cipher.AEAD, error) {
	if !Available() {
		return nil, errUnavailable
	}
	if len(key) != keySize {
		return nil, fmt.Errorf("a key of %d bytes, not of 32", len(key))
	}
	c := new(chacha)
	copy(c.key[:], key)
	return c, nil
}

// chacha is a key: what else a packet needs is made of its nonce.
type chacha struct{ key [keySize]byte }

func (c *chacha) NonceSize() int { return nonceSize }
func (c *chacha) Overhead() int  { return tagSize }

func (c *chacha) Seal(dst, nonce, plaintext, additional []byte) []byte {
	n := len(plaintext)
	if len(nonce) != nonceSize {
		panic(panicNonce)
	}
	if uint64(n) > maxText {
		panic(panicLength)
	}
	whole, out := buffer.Grow(dst, n+tagSize)
	if unsafe.SliceData(out) != unsafe.SliceData(plaintext) && buffer.Overlap(out, plaintext) || buffer.Overlap(out, additional) {
		panic(panicOverlap)
	}
	crypt(&c.key, unsafe.SliceData(out), unsafe.SliceData(plaintext), n, unsafe.SliceData(nonce), unsafe.SliceData(additional),
		len(additional), (*[tagSize]byte)(out[n:]), 0)
	return whole
}

// Open decrypts while it hashes. Of the plaintext of a forgery the caller sees nothing, in place or not: it is cleared.
func (c *chacha) Open(dst, nonce, sealed, additional []byte) ([]byte, error) {
	n := len(sealed) - tagSize
	if len(nonce) != nonceSize {
		panic(panicNonce)
	}
	if uint64(n) > maxText { // or less than a tag
		return nil, errOpen
	}
	whole, out := buffer.Grow(dst, n)
	if unsafe.SliceData(out) != unsafe.SliceData(sealed) && buffer.Overlap(out, sealed) || buffer.Overlap(out, additional) {
		panic(panicOverlap)
	}
	var tag [tagSize]byte
	crypt(&c.key, unsafe.SliceData(out), unsafe.SliceData(sealed), n, unsafe.SliceData(nonce), unsafe.SliceData(additional),
		len(additional), &tag, 1)
	if !equal(&tag, sealed[n:]) {
		clear(out)
		return nil, errOpen
	}
	return whole, nil
}

// equal compares tags in constant time.
func equal(tag *[tagSize]byte, given []byte) bool {
	low := binary.LittleEndian.Uint64(tag[:]) ^ binary.LittleEndian.Uint64(given)
	high := binary.LittleEndian.Uint64(tag[8:]) ^ binary.LittleEndian.Uint64(given[8:])
	return low|high == 0
}
