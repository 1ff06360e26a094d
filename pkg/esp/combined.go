package esp

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"

	"github.com/goipsec/goipsec/pkg/suite"
)

// combined is a combined mode: AES-GCM (RFC 4106), AES-CCM (RFC 4309), ChaCha20-Poly1305 (RFC 7634). The nonce is the salt and the IV in the packet. Additional data is SPI and sequence number, the latter of
// 64 bits with ESN; for GMAC also the IV and everything after it.
type combined struct {
	aead cipher.AEAD
	aad  [12]byte
	room [12]byte // for the nonce: salt and IV
	salt uint8    // bytes of it in the nonce
	esn  bool
}

// gmac is AES-GMAC, which encrypts nothing (RFC 4543): all of the packet is additional data.
type gmac struct {
	combined
	whole []byte // with ESN: SPI, high, low, IV and payload side by side
}

// combinedIV is the length of the IV in the packet, in bytes (RFC 4106 §3.1, RFC 4309 §3.1, RFC 7634 §2).
const combinedIV = 8

func newCombined(e suite.Encr, keymat []byte, info suite.EncrInfo, esn bool) (*combined, error) {
	split := len(keymat) - info.SaltLen
	aead, err := suite.NewAEAD(e, keymat[:split])
	if err != nil {
		return nil, fmt.Errorf("esp: %s: %w", info.Name, err)
	}
	c := &combined{aead: aead, esn: esn}
	if n := info.SaltLen + info.IVLen; info.IVLen != combinedIV || aead.NonceSize() != n || n > len(c.room) || aead.Overhead() != info.ICVLen {
		return nil, fmt.Errorf("esp: %s has a nonce of %d and an ICV of %d bytes, not %d and %d", info.Name, aead.NonceSize(), aead.Overhead(), n, info.ICVLen)
	}
	c.salt = uint8(copy(c.room[:], keymat[split:]))
	return c, nil
}

func (c *combined) seal(esp, plain []byte, seq uint64) {
	nonce, body := c.prepare(esp)
	c.aead.Seal(body[:0], nonce, plain, c.additional(esp, seq))
}

func (c *combined) open(esp []byte, seq uint64) bool {
	nonce, body := c.prepare(esp)
	_, err := c.aead.Open(body[:0], nonce, body, c.additional(esp, seq))
	return err == nil
}

// prepare puts the packet's IV behind the salt and returns this nonce, and what follows the IV in the packet.
func (c *combined) prepare(esp []byte) (nonce, body []byte) {
	// Every combined mode has an IV of eight bytes; newCombined makes sure of it.
	nonce = c.room[:c.salt+combinedIV]
	*(*[combinedIV]byte)(nonce[c.salt:]) = [combinedIV]byte(esp[headerLen:])
	return nonce, esp[headerLen+combinedIV:]
}

// additional is SPI and sequence number (RFC 4106 §5). The high half stands between SPI and low half.
func (c *combined) additional(esp []byte, seq uint64) []byte {
	if !c.esn {
		return esp[:headerLen]
	}
	copy(c.aad[:4], esp)
	binary.BigEndian.PutUint64(c.aad[4:], seq)
	return c.aad[:]
}

func (g *gmac) seal(esp, plain []byte, seq uint64) {
	nonce, body := g.prepare(esp)
	copy(body, plain)
	icv := len(esp) - g.aead.Overhead()
	g.aead.Seal(esp[icv:icv], nonce, nil, g.covered(esp[:icv], seq))
}

func (g *gmac) open(esp []byte, seq uint64) bool {
	nonce, _ := g.prepare(esp)
	icv := len(esp) - g.aead.Overhead()
	_, err := g.aead.Open(nil, nonce, esp[icv:], g.covered(esp[:icv], seq))
	return err == nil
}

// covered is all that GMAC authenticates (RFC 4543 §3.3): SPI, sequence number, IV, payload and trailer.
func (g *gmac) covered(esp []byte, seq uint64) []byte {
	if !g.esn {
		return esp
	}
	g.whole = append(g.whole[:0], g.additional(esp, seq)...)
	g.whole = append(g.whole, esp[headerLen:]...)
	return g.whole
}
