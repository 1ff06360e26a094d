package inspect

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/goipsec/goipsec/pkg/ah"
	"github.com/goipsec/goipsec/pkg/esp"
	"github.com/goipsec/goipsec/pkg/keylog"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/suite"
)

const (
	// maxSequences bounds the SAs whose 64-bit sequence numbers are followed.
	maxSequences = 1 << 16
	// maxNesting is how many IPsec packets inside one another are taken apart.
	maxNesting = 4
)

// saName is what a packet says of its SA.
type saName struct {
	proto    suite.Protocol
	src, dst netip.Addr
	spi      uint32
}

// esp prints an ESP packet, and what is in it where its key is known.
func (d *dissector) esp(p *Packet, depth int, b []byte, src, dst netip.Addr) {
	if len(b) < 8 {
		p.malformed("ESP packet", errShort)
		return
	}
	name := saName{suite.ESP, src, dst, binary.BigEndian.Uint32(b)}
	seq := binary.BigEndian.Uint32(b[4:])
	text := fmt.Sprintf("ESP SPI %08x, sequence %d, %d bytes", name.spi, seq, len(b))
	if depth == 0 {
		p.Kind, p.Summary = kindESP, text
	} else {
		p.add(depth-1, "%s", text)
	}
	key, ok := d.keys.Find(suite.ESP, src, dst, name.spi)
	if !ok {
		return
	}
	plain, next, err := d.openESP(name, &key, b, seq)
	if err != nil {
		p.add(depth, "not decrypted with %s: %v", algorithmsOf(&key), err)
		return
	}
	p.add(depth, "decrypted with %s, authentic", algorithmsOf(&key))
	d.inner(p, depth, plain, next, src, dst)
}

// openESP decrypts a copy of the packet. With 64-bit sequence numbers the half that is not sent is that of the last packet, or the next.
func (d *dissector) openESP(name saName, key *keylog.SA, b []byte, seq uint32) (plain []byte, next uint8, err error) {
	o, err := esp.NewOpener(key.Encr, key.EncrKey, key.Integ, key.IntegKey, name.spi, key.ESN, esp.CoveredByAH)
	if err != nil {
		return nil, 0, err
	}
	err = d.trySequences(name, key.ESN, seq, func(full uint64) error {
		pkt := append([]byte(nil), b...)
		off, n, nh, err := o.Open(pkt, 0, full)
		if err == nil {
			plain, next = pkt[off:off+n], nh
		}
		return err
	})
	return plain, next, err
}

// trySequences calls open with the sequence numbers that a packet may have, until one is right.
func (d *dissector) trySequences(name saName, esn bool, seq uint32, open func(uint64) error) error {
	if !esn {
		return open(uint64(seq))
	}
	high := d.sequences[name]
	err := open(uint64(high)<<32 | uint64(seq))
	if err != nil && high < 1<<32-1 {
		if open(uint64(high+1)<<32|uint64(seq)) == nil {
			high, err = high+1, nil
		}
	}
	if err == nil && (len(d.sequences) < maxSequences || d.sequences[name] != 0) {
		d.sequences[name] = high
	}
	return err
}

// ah prints an AH packet (RFC 4302 §2), checks it where its key is known, and goes on with what it covers.
func (d *dissector) ah(p *Packet, b []byte, h *packet.Header) {
	p.Kind = kindAH
	a := b[h.UpperOffset:]
	if len(a) < 12 || len(a) < (int(a[1])+2)*4 {
		p.malformed("AH packet", errShort)
		return
	}
	size := (int(a[1]) + 2) * 4
	name := saName{suite.AH, h.Key.Src, h.Key.Dst, binary.BigEndian.Uint32(a[4:])}
	seq := binary.BigEndian.Uint32(a[8:])
	p.Summary = fmt.Sprintf("AH SPI %08x, sequence %d, ICV of %d bytes, holds %s", name.spi, seq, max(size-12, 0), protocolName(a[0]))
	if key, ok := d.keys.Find(suite.AH, name.src, name.dst, name.spi); ok {
		if err := d.checkAH(name, &key, b, h.UpperOffset, seq); err != nil {
			p.add(0, "not authentic with %s: %v", algorithmsOf(&key), err)
		} else {
			p.add(0, "authentic with %s", algorithmsOf(&key))
		}
	}
	d.inner(p, 0, a[size:], a[0], h.Key.Src, h.Key.Dst)
}

func (d *dissector) checkAH(name saName, key *keylog.SA, b []byte, hlen int, seq uint32) error {
	o, err := ah.NewOpener(key.Integ, key.IntegKey, name.spi, key.ESN)
	if err != nil {
		return err
	}
	return d.trySequences(name, key.ESN, seq, func(full uint64) error {
		_, _, _, err := o.Open(append([]byte(nil), b...), hlen, full)
		return err
	})
}

// inner prints what an IPsec packet protects: a datagram (tunnel mode), another IPsec packet, or an upper-layer payload (transport mode).
func (d *dissector) inner(p *Packet, depth int, b []byte, next uint8, src, dst netip.Addr) {
	switch {
	case next == 59:
		p.add(depth, "a dummy packet of %d bytes (RFC 4303 §2.6)", len(b))
	case next == 4 || next == 41:
		var h packet.Header
		if err := h.Parse(b); err != nil {
			p.add(depth, "tunnel mode: %d bytes that are no IP datagram: %v", len(b), err)
			return
		}
		p.add(depth, "tunnel mode: %s, %d bytes", questionText(&h.Key), h.TotalLen)
	case next == protoESP && depth < maxNesting:
		d.esp(p, depth+1, b, src, dst)
	default:
		p.add(depth, "transport mode: %s", upperSummary(next, b))
	}
}

// upperSummary is a transport-mode payload on one line.
func upperSummary(proto uint8, b []byte) string {
	s := protocolName(proto)
	switch {
	case hasPorts(proto) && len(b) >= 4:
		s += fmt.Sprintf(", port %d -> %d", binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]))
	case hasTypes(proto) && len(b) >= 2:
		s += fmt.Sprintf(", type %d code %d", b[0], b[1])
	}
	return fmt.Sprintf("%s, %d bytes", s, len(b))
}

// algorithmsOf names the algorithms of a key, never the key.
func algorithmsOf(key *keylog.SA) string {
	if key.Encr == suite.EncrNone {
		return key.Integ.String()
	}
	if key.Integ == suite.IntegNone {
		return key.Encr.String()
	}
	return key.Encr.String() + " and " + key.Integ.String()
}
