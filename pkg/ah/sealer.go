package ah

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/goipsec/goipsec/pkg/suite"
)

var (
	// ErrBuffer is a slice that is not exactly as long as header and SealedLen together.
	ErrBuffer = errors.New("ah: the buffer's length does not fit the payload's")
	// ErrSequence is a sequence number that does not rise, or is beyond 32 bits without ESN.
	ErrSequence = errors.New("ah: sequence number used before or out of range")
)

// Sealer authenticates datagrams. It satisfies sa.Sealer. One goroutine at a time.
type Sealer struct {
	icv  *icv
	head int
	v6   bool
	last uint64 // highest sequence number used
}

// NewSealer makes the outbound half of an AH SA. key is the integrity key, for GMAC followed by its salt. v6 says that the outer IP header
// is IPv6: then the AH is a multiple of 8 bytes long, else of 4 (RFC 4302 §2.2).
func NewSealer(i suite.Integ, key []byte, spi uint32, esn, v6 bool) (*Sealer, error) {
	c, err := newICV(i, key, spi, esn)
	if err != nil {
		return nil, err
	}
	align := 4
	if v6 {
		align = 8
	}
	return &Sealer{icv: c, v6: v6, head: (fixedLen + c.field() + align - 1) / align * align}, nil
}

// Head is the number of bytes in front of the payload: the AH with its ICV and padding.
func (s *Sealer) Head() int { return s.head }

// SealedLen is the length of AH and payload for a payload of n bytes.
func (s *Sealer) SealedLen(n int) int { return s.head + n }

// MaxPayload is the largest n with SealedLen(n) <= room; negative if there is none.
func (s *Sealer) MaxPayload(room int) int { return room - s.head }

// Seal writes the AH at pkt[hlen:] for the payload of n bytes after it. pkt[:hlen] is the IP header in its final form, with what precedes
// the AH. The errors are ErrBuffer, ErrSequence, ErrHeader and ErrFragment; after an error the packet is not to be sent.
func (s *Sealer) Seal(pkt []byte, hlen, n int, next uint8, seq uint64) error {
	if hlen <= 0 || n < 0 || hlen > len(pkt) || len(pkt)-hlen != s.head+n {
		return ErrBuffer
	}
	if pkt[0]>>4 == 6 != s.v6 {
		return ErrHeader
	}
	// A number used twice would be a nonce used twice, which gives away the key of a GMAC.
	if seq <= s.last || !s.icv.esn && seq > 1<<32-1 {
		return ErrSequence
	}
	s.last = seq
	ah := pkt[hlen:][:s.head]
	clear(ah)
	ah[0] = next
	ah[1] = byte(s.head/4 - 2) // "in 32-bit words, minus 2" (RFC 4302 §2.2)
	binary.BigEndian.PutUint32(ah[4:], s.icv.spi)
	binary.BigEndian.PutUint32(ah[8:], uint32(seq))
	if s.icv.iv > 0 {
		binary.BigEndian.PutUint64(ah[fixedLen:], seq)
	}
	tag, err := s.icv.compute(pkt, hlen, s.head, seq)
	if err != nil {
		return err
	}
	copy(ah[fixedLen+s.icv.iv:], tag)
	return nil
}

// Format prints the SPI and nothing of the key, whatever the verb.
func (s *Sealer) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "AH sealer, SPI 0x%08x", s.icv.spi) }
