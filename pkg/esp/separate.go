package esp

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"

	"github.com/goipsec/goipsec/pkg/suite"
)

// separate is a cipher and a MAC over its result: CBC, CTR or NULL with an HMAC, XCBC or CMAC. The MAC covers everything from SPI to next header
// and, with ESN, the high half of the sequence number after it (RFC 4303 §2.2.1).
type separate struct {
	cipher  suite.Cipher // one direction of it
	mac     hash.Hash    // nil where an AH outside covers the packet
	iv, icv uint8
	esn     bool
	high    [4]byte
	sum     [64]byte
}

func newSeparate(e suite.Encr, keymat []byte, i suite.Integ, integKey []byte, info suite.EncrInfo, esn, covered, seals bool) (*separate, error) {
	if i == suite.IntegNone && !covered {
		return nil, ErrNoIntegrity
	}
	newCipher := suite.NewDecrypter
	if seals {
		newCipher = suite.NewEncrypter
	}
	c, err := newCipher(e, keymat)
	if err != nil {
		return nil, fmt.Errorf("esp: %s: %w", info.Name, err)
	}
	s := &separate{cipher: c, esn: esn, iv: uint8(info.IVLen)}
	if i == suite.IntegNone {
		return s, nil
	}
	integ, ok := i.Info()
	if !ok || integ.Counter {
		return nil, fmt.Errorf("esp: integrity algorithm %d is unknown, failed its self-test at start, or is for AH only (for GMAC in ESP choose null-gmac as encryption)", i)
	}
	if s.mac, err = suite.NewMAC(i, integKey); err != nil {
		return nil, fmt.Errorf("esp: %s: %w", integ.Name, err)
	}
	s.icv = uint8(integ.ICVLen)
	return s, nil
}

func (s *separate) seal(esp, plain []byte, seq uint64) {
	head, end := headerLen+int(s.iv), len(esp)-int(s.icv)
	iv, body := esp[headerLen:head], esp[head:end]
	s.cipher.Encrypt(body, plain, iv)
	if s.mac != nil {
		copy(esp[end:], s.compute(esp[:end], seq))
	}
}

func (s *separate) open(esp []byte, seq uint64) bool {
	head, end := headerLen+int(s.iv), len(esp)-int(s.icv)
	if s.mac != nil && subtle.ConstantTimeCompare(s.compute(esp[:end], seq), esp[end:]) != 1 {
		return false
	}
	iv, body := esp[headerLen:head], esp[head:end]
	s.cipher.Decrypt(body, body, iv)
	return true
}

// compute returns the ICV, in scratch that the next call overwrites.
func (s *separate) compute(covered []byte, seq uint64) []byte {
	s.mac.Reset()
	s.mac.Write(covered)
	if s.esn {
		binary.BigEndian.PutUint32(s.high[:], uint32(seq>>32))
		s.mac.Write(s.high[:])
	}
	return s.mac.Sum(s.sum[:0])
}
