package ah

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"hash"

	"github.com/goipsec/goipsec/pkg/suite"
)

// icv computes integrity check values. Either mac or gmac is set. GMAC carries an IV of eight bytes in front of its tag,
// both in the ICV field (RFC 4543 §3.4).
type icv struct {
	spi     uint32
	esn     bool
	iv, tag int
	mac     hash.Hash
	gmac    cipher.AEAD
	nonce   []byte // GMAC: salt, then room for the IV
	head    []byte // masked IP header and AH; for GMAC everything
	sum     []byte
	high    [4]byte
}

func newICV(i suite.Integ, keymat []byte, spi uint32, esn bool) (*icv, error) {
	info, ok := i.Info()
	if !ok || i == suite.IntegNone {
		return nil, fmt.Errorf("ah: integrity algorithm %d is unknown, or failed its self-test at start; AH cannot do without one", i)
	}
	c := &icv{spi: spi, esn: esn, iv: info.IVLen, tag: info.ICVLen, sum: make([]byte, 0, 64)}
	if !info.Counter {
		var err error
		if c.mac, err = suite.NewMAC(i, keymat); err != nil {
			return nil, fmt.Errorf("ah: %s: %w", info.Name, err)
		}
		return c, nil
	}
	if len(keymat) != i.KeyMatLen() {
		return nil, fmt.Errorf("ah: %s needs %d bytes of key and salt, not %d", info.Name, i.KeyMatLen(), len(keymat))
	}
	split := len(keymat) - info.SaltLen
	var err error
	if c.gmac, err = suite.NewAEAD(suite.NullGMAC, keymat[:split]); err != nil {
		return nil, fmt.Errorf("ah: %s: %w", info.Name, err)
	}
	c.nonce = make([]byte, info.SaltLen+info.IVLen)
	copy(c.nonce, keymat[split:])
	return c, nil
}

// field is the length of the ICV field without its padding.
func (c *icv) field() int { return c.iv + c.tag }

// compute returns the tag of a datagram whose AH starts at hlen and is ahLen bytes long, in scratch that the next call overwrites. The order is that
// of RFC 4302 §3.3.3: IP header, AH with a zero ICV (padding and GMAC's IV as they stand), payload, high half of the sequence number.
func (c *icv) compute(pkt []byte, hlen, ahLen int, seq uint64) ([]byte, error) {
	head, err := mask(c.head[:0], pkt[:hlen])
	c.head = head
	if err != nil {
		return nil, err
	}
	c.head = append(c.head, pkt[hlen:hlen+ahLen]...)
	clear(c.head[hlen+fixedLen+c.iv:][:c.tag])
	binary.BigEndian.PutUint32(c.high[:], uint32(seq>>32))
	payload := pkt[hlen+ahLen:]
	if c.gmac != nil {
		return c.computeGMAC(pkt[hlen+fixedLen:][:c.iv], payload), nil
	}
	c.mac.Reset()
	c.mac.Write(c.head)
	c.mac.Write(payload)
	if c.esn {
		c.mac.Write(c.high[:])
	}
	c.sum = c.mac.Sum(c.sum[:0])
	return c.sum, nil
}

func (c *icv) computeGMAC(iv, payload []byte) []byte {
	copy(c.nonce[len(c.nonce)-c.iv:], iv)
	c.head = append(c.head, payload...)
	if c.esn {
		c.head = append(c.head, c.high[:]...)
	}
	c.sum = c.gmac.Seal(c.sum[:0], c.nonce, nil, c.head)
	return c.sum
}
