package suite

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"hash"
)

// cbcMAC is AES-CMAC (RFC 4493) and AES-XCBC-MAC (RFC 3566): a CBC-MAC whose last block is masked with one key if it is whole, and
// is padded with 10* and masked with another if not. They differ only in where the three keys come from.
type cbcMAC struct {
	block   cipher.Block
	whole   [aes.BlockSize]byte // K1 of CMAC, K2 of XCBC
	partial [aes.BlockSize]byte // K2 of CMAC, K3 of XCBC
	state   [aes.BlockSize]byte
	buf     [aes.BlockSize]byte // the last block so far: it is kept until it is known to be the last
	n       int                 // bytes in buf
	last    [aes.BlockSize]byte // scratch of Sum
}

// newCMAC makes AES-CMAC. The subkeys are E(0) times x and times x² in GF(2^128) (RFC 4493 §2.3).
func newCMAC(block cipher.Block) hash.Hash {
	m := &cbcMAC{block: block}
	block.Encrypt(m.whole[:], m.whole[:])
	double(&m.whole)
	m.partial = m.whole
	double(&m.partial)
	return m
}

// newXCBC makes AES-XCBC-MAC. Its three keys are E(01…), E(02…) and E(03…) (RFC 3566 §4).
func newXCBC(block cipher.Block) (hash.Hash, error) {
	m := &cbcMAC{}
	var k1 [aes.BlockSize]byte
	for i, key := range []*[aes.BlockSize]byte{&k1, &m.whole, &m.partial} {
		for j := range key {
			key[j] = byte(i + 1)
		}
		block.Encrypt(key[:], key[:])
	}
	var err error
	m.block, err = aes.NewCipher(k1[:])
	return m, err
}

// double multiplies b by x, in constant time.
func double(b *[aes.BlockSize]byte) {
	carry := b[0] >> 7
	for i := range len(b) - 1 {
		b[i] = b[i]<<1 | b[i+1]>>7
	}
	b[len(b)-1] = b[len(b)-1]<<1 ^ carry*0x87
}

func (m *cbcMAC) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if m.n == aes.BlockSize {
			subtle.XORBytes(m.state[:], m.state[:], m.buf[:])
			m.block.Encrypt(m.state[:], m.state[:])
			m.n = 0
		}
		n := copy(m.buf[m.n:], p)
		m.n += n
		p = p[n:]
	}
	return total, nil
}

// Sum appends the MAC of 16 bytes. More may be written afterwards.
func (m *cbcMAC) Sum(b []byte) []byte {
	m.last = [aes.BlockSize]byte{}
	copy(m.last[:], m.buf[:m.n])
	mask := &m.whole
	if m.n < aes.BlockSize {
		m.last[m.n] = 0x80
		mask = &m.partial
	}
	subtle.XORBytes(m.last[:], m.last[:], mask[:])
	subtle.XORBytes(m.last[:], m.last[:], m.state[:])
	m.block.Encrypt(m.last[:], m.last[:])
	return append(b, m.last[:]...)
}

func (m *cbcMAC) Reset() {
	m.state, m.n = [aes.BlockSize]byte{}, 0
}

func (m *cbcMAC) Size() int      { return aes.BlockSize }
func (m *cbcMAC) BlockSize() int { return aes.BlockSize }
