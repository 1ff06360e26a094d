package esp

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/goipsec/goipsec/pkg/suite"
)

var (
	// ErrShort is a packet without room for its parts, or of a length that no padding gives.
	ErrShort = errors.New("esp: packet too short or not whole blocks")
	// ErrIntegrity is a wrong ICV or wrong padding. They are one error, so that no peer learns which.
	ErrIntegrity = errors.New("esp: integrity check failed")
)

// Opener opens packets. It satisfies sa.Opener. One goroutine at a time.
type Opener struct {
	layout
	transform transform
}

// NewOpener makes the inbound half of an ESP SA. The arguments are those of NewSealer.
func NewOpener(e suite.Encr, keymat []byte, i suite.Integ, integKey []byte, spi uint32, esn bool, opts ...Option) (*Opener, error) {
	l, t, err := choose(e, keymat, i, integKey, spi, esn, false, opts)
	if err != nil {
		return nil, err
	}
	return &Opener{layout: l, transform: t}, nil
}

// Sequence returns the packet's 32-bit sequence number; ErrShort if pkt[hlen:] cannot be an ESP packet of this SA.
func (o *Opener) Sequence(pkt []byte, hlen int) (uint32, error) {
	if hlen < 0 || hlen > len(pkt) || !o.valid(len(pkt)-hlen) {
		return 0, ErrShort
	}
	return binary.BigEndian.Uint32(pkt[hlen+4:]), nil
}

// Open authenticates and decrypts pkt[hlen:] in place, seq being its 64-bit sequence number, and checks the padding. The payload is
// pkt[off:off+n]; next is its protocol, NoNextHeader for a dummy, which the caller drops. The errors are ErrShort and ErrIntegrity.
func (o *Opener) Open(pkt []byte, hlen int, seq uint64) (off, n int, next uint8, err error) {
	if _, err := o.Sequence(pkt, hlen); err != nil {
		return 0, 0, 0, err
	}
	esp := pkt[hlen:]
	if !o.transform.open(esp, seq) {
		return 0, 0, 0, ErrIntegrity
	}
	n, next, ok := unpad(esp[o.head() : len(esp)-o.icv()])
	if !ok {
		return 0, 0, 0, ErrIntegrity
	}
	return hlen + o.head(), n, next, nil
}

// unpad checks padding and returns the payload's length (RFC 4303 §2.4: "the receiver SHOULD inspect the Padding field"). Other padding than 1, 2, 3, … is refused.
func unpad(body []byte) (n int, next uint8, ok bool) {
	trailer := body[len(body)-trailerLen:]
	size := int(trailer[0])
	n = len(body) - trailerLen - size
	if n < 0 {
		return 0, 0, false
	}
	var wrong byte
	for i, b := range body[n : n+size] {
		wrong |= b ^ byte(i+1)
	}
	return n, trailer[1], wrong == 0
}

// Format prints the SPI and nothing of the keys, whatever the verb.
func (o *Opener) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "ESP opener, SPI 0x%08x", o.spi) }
