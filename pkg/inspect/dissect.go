package inspect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/goipsec/goipsec/pkg/keylog"
	"github.com/goipsec/goipsec/pkg/packet"
)

// Kinds of packets.
const (
	kindIKE       = "ike"
	kindESP       = "esp"
	kindAH        = "ah"
	kindKeepalive = "keepalive"
	kindMalformed = "malformed"
)

const (
	protoUDP = 17
	protoESP = 50
	protoAH  = 51
	ikePort  = 500
	natPort  = 4500
	// maxPairs bounds the pairs of ports, other than 4500, that IKE was seen between.
	maxPairs = 4096
)

// dissector tells packets apart and keeps what later ones need: fragments, conversations, port pairs. All of it is bounded.
type dissector struct {
	keys       *keylog.Tables
	reassembly packet.Reassembler
	ike        conversations
	sequences  map[saName]uint32          // high half of the last sequence number of each SA that has 64 bits
	encap      map[[2]netip.AddrPort]bool // port pairs with IKE behind a marker
}

func newDissector(keys *keylog.Tables) *dissector {
	return &dissector{keys: keys, ike: newConversations(keys), sequences: map[saName]uint32{}, encap: map[[2]netip.AddrPort]bool{}}
}

// frame returns the packet in a frame, or nil if it is none of ours (or a fragment that waits for the rest).
func (d *dissector) frame(number int, f frame) (*Packet, error) {
	b, err := network(f.link, f.data)
	if err != nil || b == nil {
		return nil, err
	}
	var h packet.Header
	if err := h.Parse(b); err != nil {
		return nil, nil // cut short by the capture, or no IP at all
	}
	whole, err := d.reassembly.Add(f.at, b[:h.TotalLen], &h)
	if err != nil || whole == nil {
		return nil, nil
	}
	if h.Key.Flags&packet.Fragment != 0 {
		if err := h.Parse(whole); err != nil {
			return nil, nil
		}
	}
	p := &Packet{SchemaVersion: SchemaVersion, Number: number, Time: f.at.UTC(), Src: h.Key.Src.String(), Dst: h.Key.Dst.String()}
	if !d.datagram(p, whole[:h.TotalLen], &h) {
		return nil, nil
	}
	return p, nil
}

// datagram fills p from a whole IP datagram, or returns false if it is none of ours.
func (d *dissector) datagram(p *Packet, b []byte, h *packet.Header) bool {
	upper := b[min(h.UpperOffset, len(b)):]
	switch {
	case h.Key.Flags&packet.ProtoKnown == 0:
		return false
	case h.Key.Proto == protoESP:
		d.esp(p, 0, upper, h.Key.Src, h.Key.Dst)
	case h.Key.Proto == protoAH:
		d.ah(p, b, h)
	case h.Key.Proto == protoUDP && len(upper) >= 8:
		return d.udp(p, upper, h)
	default:
		return false
	}
	return true
}

// udp tells IKE, ESP in UDP and keepalives apart (RFC 3948 §2).
func (d *dissector) udp(p *Packet, b []byte, h *packet.Header) bool {
	src, dst := netip.AddrPortFrom(h.Key.Src, binary.BigEndian.Uint16(b)), netip.AddrPortFrom(h.Key.Dst, binary.BigEndian.Uint16(b[2:]))
	p.Src, p.Dst = src.String(), dst.String()
	body := b[8:]
	if n := int(binary.BigEndian.Uint16(b[4:])); n >= 8 && n <= len(b) {
		body = b[8:n]
	}
	port := func(n uint16) bool { return src.Port() == n || dst.Port() == n }
	marked := looksMarked(body)
	if marked && !port(natPort) {
		d.remember(src, dst)
	}
	switch {
	case marked, port(natPort) && !port(ikePort), d.encap[[2]netip.AddrPort{src, dst}]:
		d.encapsulated(p, body, src.Addr(), dst.Addr())
	case port(ikePort):
		d.ike.message(p, body)
	default:
		return false
	}
	return true
}

// looksMarked reports whether a UDP payload is a non-ESP marker and an IKE message whose header fits.
func looksMarked(b []byte) bool {
	return len(b) >= 32 && binary.BigEndian.Uint32(b) == 0 && (b[21] == 0x10 || b[21] == 0x20) && uint64(binary.BigEndian.Uint32(b[28:])) == uint64(len(b)-4)
}

// remember notes that ESP may follow between two ports.
func (d *dissector) remember(src, dst netip.AddrPort) {
	if len(d.encap) < maxPairs {
		d.encap[[2]netip.AddrPort{src, dst}] = true
		d.encap[[2]netip.AddrPort{dst, src}] = true
	}
}

// encapsulated reads the payload of a NAT-T port.
func (d *dissector) encapsulated(p *Packet, b []byte, src, dst netip.Addr) {
	switch {
	case len(b) == 1 && b[0] == 0xff:
		p.Kind, p.Summary = kindKeepalive, "NAT keepalive"
	case len(b) >= 4 && binary.BigEndian.Uint32(b) == 0:
		d.ike.message(p, b[4:])
	default:
		d.esp(p, 0, b, src, dst)
	}
}

// malformed marks a packet that cannot be read.
func (p *Packet) malformed(what string, err error) {
	p.Kind = kindMalformed
	p.Summary = fmt.Sprintf("malformed %s: %v", what, err)
}

var errShort = errors.New("it is too short for its header")
