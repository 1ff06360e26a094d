package suite

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

// ccm is AES-CCM as RFC 4309 uses it: nonces of 11 bytes (salt 3, IV 8), messages of less than 2^32 bytes, ICVs of 8, 12 or 16 bytes.
type ccm struct {
	block cipher.Block
	tag   int
}

const (
	ccmNonce   = 11
	ccmLenSize = 4 // L of RFC 3610: bytes of the length field and of the block counter
)

func (c *ccm) NonceSize() int { return ccmNonce }
func (c *ccm) Overhead() int  { return c.tag }

func (c *ccm) Seal(dst, nonce, plaintext, additional []byte) []byte {
	s := c.start(nonce)
	icv := s.mac(c, plaintext, additional)
	whole, tail := grow(dst, len(plaintext)+c.tag)
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
	plaintext := make([]byte, n)
	s.stream.XORKeyStream(plaintext, sealed[:n])
	icv := s.mac(c, plaintext, additional)
	if subtle.ConstantTimeCompare(icv[:c.tag], sealed[n:]) != 1 {
		return nil, errOpen
	}
	return append(dst, plaintext...), nil
}

// ccmState is what one packet needs.
type ccmState struct {
	nonce  []byte
	stream cipher.Stream       // the key stream from its second block on
	first  [aes.BlockSize]byte // the first block of it, which hides the ICV
	x      [aes.BlockSize]byte // the CBC-MAC so far
	b      [aes.BlockSize]byte // the block being made
}

// start makes the key stream: counter blocks are the flags L-1, the nonce, and a counter from 0 (RFC 3610 §2.3).
func (c *ccm) start(nonce []byte) *ccmState {
	if len(nonce) != ccmNonce {
		panic("suite: AES-CCM takes a nonce of 11 bytes")
	}
	s := &ccmState{nonce: nonce}
	s.b[0] = ccmLenSize - 1
	copy(s.b[1:], nonce)
	s.stream = cipher.NewCTR(c.block, s.b[:])
	s.stream.XORKeyStream(s.first[:], s.first[:])
	return s
}

// mac returns the encrypted CBC-MAC over B_0, the additional data with its length before it, and the message (RFC 3610 §2.2).
func (s *ccmState) mac(c *ccm, message, additional []byte) *[aes.BlockSize]byte {
	s.b = [aes.BlockSize]byte{}
	s.b[0] = byte((c.tag-2)/2<<3 | (ccmLenSize - 1))
	if len(additional) > 0 {
		s.b[0] |= 1 << 6
	}
	copy(s.b[1:], s.nonce)
	binary.BigEndian.PutUint32(s.b[aes.BlockSize-ccmLenSize:], uint32(len(message)))
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
