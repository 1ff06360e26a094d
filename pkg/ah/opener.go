package ah

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/goipsec/goipsec/pkg/suite"
)

var (
	// ErrShort is a packet without room for its AH, or an AH of a length that the SA's algorithm does not give.
	ErrShort = errors.New("ah: packet too short or of the wrong header length")
	// ErrIntegrity is a wrong ICV.
	ErrIntegrity = errors.New("ah: integrity check failed")
)

// Opener verifies datagrams. It satisfies sa.Opener. One goroutine at a time.
type Opener struct{ icv *icv }

// NewOpener makes the inbound half of an AH SA. key is the integrity key, for GMAC followed by its salt.
func NewOpener(i suite.Integ, key []byte, spi uint32, esn bool) (*Opener, error) {
	c, err := newICV(i, key, spi, esn)
	if err != nil {
		return nil, err
	}
	return &Opener{c}, nil
}

// Sequence returns the packet's 32-bit sequence number. ErrShort if pkt[hlen:] cannot start with an AH of this SA; ErrHeader or ErrFragment if
// pkt[:hlen] cannot be what stands in front of it.
func (o *Opener) Sequence(pkt []byte, hlen int) (uint32, error) {
	if _, err := o.length(pkt, hlen); err != nil {
		return 0, err
	}
	head, err := mask(o.icv.head[:0], pkt[:hlen])
	o.icv.head = head
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(pkt[hlen+8:]), nil
}

// length returns the length of the AH in bytes. Padding of the ICV to 8 bytes is accepted in IPv4 too, where 4 would do: Linux sends it so unless told
// otherwise, and the padding is authenticated.
func (o *Opener) length(pkt []byte, hlen int) (int, error) {
	if hlen <= 0 || hlen > len(pkt) || len(pkt)-hlen < fixedLen {
		return 0, ErrShort
	}
	n := (int(pkt[hlen+1]) + 2) * 4
	need := fixedLen + o.icv.field()
	if n > len(pkt)-hlen || n < need || n > (need+7)&^7 || pkt[0]>>4 == 6 && n%8 != 0 {
		return 0, ErrShort
	}
	return n, nil
}

// Open verifies the datagram pkt, whose IP header and what else precedes the AH are pkt[:hlen], as received; seq is its 64-bit sequence number. The
// payload is pkt[off:off+n], next its protocol. Nothing is changed. The errors are those of Sequence, and ErrIntegrity.
func (o *Opener) Open(pkt []byte, hlen int, seq uint64) (off, n int, next uint8, err error) {
	length, err := o.length(pkt, hlen)
	if err != nil {
		return 0, 0, 0, err
	}
	tag, err := o.icv.compute(pkt, hlen, length, seq)
	if err != nil {
		return 0, 0, 0, err
	}
	if subtle.ConstantTimeCompare(tag, pkt[hlen+fixedLen+o.icv.iv:][:o.icv.tag]) != 1 {
		return 0, 0, 0, ErrIntegrity
	}
	off = hlen + length
	return off, len(pkt) - off, pkt[hlen], nil
}

// Format prints the SPI and nothing of the key, whatever the verb.
func (o *Opener) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "AH opener, SPI 0x%08x", o.icv.spi) }
