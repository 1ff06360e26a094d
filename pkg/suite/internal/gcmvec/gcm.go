package gcmvec

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"github.com/goipsec/goipsec/pkg/suite/internal/aeskey"
	"github.com/goipsec/goipsec/pkg/suite/internal/buffer"
)

const (
	blockSize = 16
	nonceSize = 12
	shortTag  = 12

	// maxText is what SP 800-38D §5.2.1.1 allows under one nonce: the counter of 32 bits begins at 2 for the text and never comes to 0.
	maxText = (1<<32 - 2) * blockSize
)

type block [blockSize]byte

// What the standard library panics for.
const (
	panicNonce   = "gcmvec: the nonce is not 12 bytes long"
	panicLength  = "gcmvec: the message is too long for one nonce"
	panicOverlap = "gcmvec: the output overlaps the text, and not exactly, or the additional data"
)

var (
	errOpen        = errors.New("the message is not authentic")
	errUnavailable = errors.New("this processor, or its operating system, lacks AES on vectors of 512 bits")
)

// available is a variable for the tests.
var available = supported()

// Available says whether this processor and its operating system have what it takes.
func Available() bool { return available }

// New makes AES-GCM from a key of 16, 24 or 32 bytes, with tags of 12 or 16 bytes and nonces of 12. It fails for other sizes, and where
// [Available] is false. It does not keep the key.
func New(key []byte, tagSize int) (cipher.AEAD, error) {
	switch {
	case !Available():
		return nil, errUnavailable
	case tagSize != shortTag && tagSize != blockSize:
		return nil, fmt.Errorf("a tag of %d bytes, not of 12 or 16", tagSize)
	}
	switch len(key) {
	case 16:
		g := new(gcm128)
		return g.init(g.round[:], key, tagSize), nil
	case 24:
		g := new(gcm192)
		return g.init(g.round[:], key, tagSize), nil
	case 32:
		g := new(gcm256)
		return g.init(g.round[:], key, tagSize), nil
	}
	return nil, fmt.Errorf("a key of %d bytes, not of 16, 24 or 32", len(key))
}

// gcm is the beginning of a key, and all of it that Go looks at. A key is as small as can be, since there may be a hundred thousand: one
// object, and in it no more round keys than it has. The assembly knows the layout.
type gcm struct {
	rounds, tagSize int32
	powers          [17]block // H^17 to H^1, each times x, with the bytes reversed; the round keys follow
}

type (
	gcm128 struct {
		gcm
		round [11]block
	}
	gcm192 struct {
		gcm
		round [13]block
	}
	gcm256 struct {
		gcm
		round [15]block
	}
)

func (g *gcm) init(round []block, key []byte, tagSize int) *gcm {
	g.rounds, g.tagSize = int32(len(round)-1), int32(tagSize)
	aeskey.Expand(unsafe.Slice(&round[0][0], blockSize*len(round)), key)
	setPowers(g)
	return g
}

func (g *gcm) NonceSize() int { return nonceSize }
func (g *gcm) Overhead() int  { return int(g.tagSize) }

func (g *gcm) Seal(dst, nonce, plaintext, additional []byte) []byte {
	n := len(plaintext)
	if len(nonce) != nonceSize {
		panic(panicNonce)
	}
	if uint64(n) > maxText {
		panic(panicLength)
	}
	whole, out := buffer.Grow(dst, n+int(g.tagSize))
	if unsafe.SliceData(out) != unsafe.SliceData(plaintext) && buffer.Overlap(out, plaintext) || buffer.Overlap(out, additional) {
		panic(panicOverlap)
	}
	var sum, short block
	first, tag := unsafe.SliceData(additional), &short
	if len(additional) > blockSize {
		first = g.shorten(&sum, additional)
	}
	if g.tagSize == blockSize {
		tag = (*block)(out[n:])
	}
	seal(g, unsafe.SliceData(out), unsafe.SliceData(plaintext), n, unsafe.SliceData(nonce), first, len(additional), tag)
	if g.tagSize < blockSize {
		copy(out[n:], short[:])
	}
	return whole
}

// Open decrypts while it hashes. Of the plaintext of a forgery the caller sees nothing, in place or not: it is cleared.
func (g *gcm) Open(dst, nonce, sealed, additional []byte) ([]byte, error) {
	n := len(sealed) - int(g.tagSize)
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
	var sum, tag block
	first := unsafe.SliceData(additional)
	if len(additional) > blockSize {
		first = g.shorten(&sum, additional)
	}
	open(g, unsafe.SliceData(out), unsafe.SliceData(sealed), n, unsafe.SliceData(nonce), first, len(additional), &tag)
	if !equal(&tag, sealed[n:]) {
		clear(out)
		return nil, errOpen
	}
	return whole, nil
}

// shorten makes additional data of more than one block into one block: the hash of all but the last 16 or fewer bytes, with those added.
//
//go:noinline
func (g *gcm) shorten(sum *block, additional []byte) *byte {
	n := (len(additional) - 1) / blockSize * blockSize
	hash(g, sum, unsafe.SliceData(additional), n)
	subtle.XORBytes(sum[:], sum[:], additional[n:])
	return &sum[0]
}

// equal compares a tag of 16 bytes, or its first 12, in constant time.
func equal(tag *block, given []byte) bool {
	low := binary.LittleEndian.Uint64(tag[:]) ^ binary.LittleEndian.Uint64(given)
	if len(given) == shortTag {
		high := binary.LittleEndian.Uint32(tag[8:]) ^ binary.LittleEndian.Uint32(given[8:])
		return low|uint64(high) == 0
	}
	high := binary.LittleEndian.Uint64(tag[8:]) ^ binary.LittleEndian.Uint64(given[8:])
	return low|high == 0
}
