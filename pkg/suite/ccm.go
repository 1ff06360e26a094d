package suite

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"slices"
	"sync"

	"github.com/goipsec/goipsec/pkg/suite/internal/buffer"
)

// ccm is AES-CCM (RFC 3610). RFC 4309 uses it with nonces of 11 bytes (salt 3, IV 8), which leaves 4 for the length of the message,
// and with ICVs of 8, 12 or 16 bytes.
type ccm struct {
	block cipher.Block
	tag   int // bytes of the ICV
	nonce int // bytes of the nonce, 15-L with the L of RFC 3610: the bytes of the length field and of the block counter
}

const ccmNonce = 11 // RFC 4309 §4

func (c *ccm) NonceSize() int { return c.nonce }
func (c *ccm) Overhead() int  { return c.tag }

func (c *ccm) Seal(dst, nonce, plaintext, additional []byte) []byte {
	s := c.start(nonce)
	defer s.end()
	icv := s.mac(c, nonce, plaintext, additional)
	whole, tail := buffer.Grow(dst, len(plaintext)+c.tag)
	s.stream.XORKeyStream(tail, plaintext)
	copy(tail[len(plaintext):], icv[:c.tag])
	return whole
}

// Open shows the plaintext only after the ICV has been compared; until then it lies in a buffer of its own.
func (c *ccm) Open(dst, nonce, sealed, additional []byte) ([]byte, error) {
	n := len(sealed) - c.tag
	if n < 0 {
		return nil, errOpen
	}
	s := c.start(nonce)
	defer s.end()
	s.plaintext = slices.Grow(s.plaintext[:0], n)[:n]
	defer clear(s.plaintext)
	s.stream.XORKeyStream(s.plaintext, sealed[:n])
	icv := s.mac(c, nonce, s.plaintext, additional)
	if subtle.ConstantTimeCompare(icv[:c.tag], sealed[n:]) != 1 {
		return nil, errOpen
	}
	return append(dst, s.plaintext...), nil
}

// ccmState is what one packet needs. It is kept for the next: the one allocation a packet is the stream's.
type ccmState struct {
	stream    cipher.Stream       // the key stream from its second block on
	first     [aes.BlockSize]byte // the first block of it, which hides the ICV
	x         [aes.BlockSize]byte // the CBC-MAC so far
	b         [aes.BlockSize]byte // the block being made
	plaintext []byte              // what Open has not yet shown
}

var ccmStates = sync.Pool{New: func() any { return new(ccmState) }}

// start makes the key stream: counter blocks are the flags L-1, the nonce, and a counter from 0 (RFC 3610 §2.3).
func (c *ccm) start(nonce []byte) *ccmState {
	if len(nonce) != c.nonce {
		panic("suite: wrong length of the nonce of AES-CCM")
	}
	s := ccmStates.Get().(*ccmState)
	s.b[0] = c.flags()
	copy(s.b[1:], nonce)
	s.stream = cipher.NewCTR(c.block, s.b[:])
	s.stream.XORKeyStream(s.first[:], s.first[:])
	return s
}

// end gives the state back without what it knew.
func (s *ccmState) end() {
	*s = ccmState{plaintext: s.plaintext}
	ccmStates.Put(s)
}

// flags returns L-1 with the L of RFC 3610.
func (c *ccm) flags() byte { return byte(aes.BlockSize - 1 - c.nonce - 1) }

// mac returns the encrypted CBC-MAC over B_0, the additional data with its length before it, and the message (RFC 3610 §2.2).
func (s *ccmState) mac(c *ccm, nonce, message, additional []byte) *[aes.BlockSize]byte {
	binary.BigEndian.PutUint64(s.b[aes.BlockSize-8:], uint64(len(message)))
	s.b[0] = byte((c.tag-2)/2<<3) | c.flags()
	if len(additional) > 0 {
		s.b[0] |= 1 << 6
	}
	copy(s.b[1:], nonce) // over the zeros before the length
	s.absorb(c.block, s.b[:])
	if len(additional) > 0 {
		s.absorbAdditional(c.block, additional)
	}
	s.absorb(c.block, message)
	subtle.XORBytes(s.x[:], s.x[:], s.first[:])
	return &s.x
}

// absorbAdditional writes the length of the additional data in 2 bytes, or in 6 from 0xff00 on, directly before them.
func (s *ccmState) absorbAdditional(block cipher.Block, additional []byte) {
	s.b = [aes.BlockSize]byte{}
	head := 2
	if len(additional) < 0xff00 {
		binary.BigEndian.PutUint16(s.b[:], uint16(len(additional)))
	} else {
		head = 6
		binary.BigEndian.PutUint16(s.b[:], 0xfffe)
		binary.BigEndian.PutUint32(s.b[2:], uint32(len(additional)))
	}
	n := copy(s.b[head:], additional)
	s.absorb(block, s.b[:])
	s.absorb(block, additional[n:])
}

// absorb adds data to the CBC-MAC, its last block filled with zeros.
func (s *ccmState) absorb(block cipher.Block, data []byte) {
	for len(data) > 0 {
		n := subtle.XORBytes(s.x[:], s.x[:], data[:min(len(data), aes.BlockSize)])
		block.Encrypt(s.x[:], s.x[:])
		data = data[n:]
	}
}
