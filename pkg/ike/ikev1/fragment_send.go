package ikev1

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
)

// Sizes of the IP datagrams that parts of a message go in, where the rule gives none. All IPv6 paths carry 1280 bytes, and of the IPv4 paths almost all; fewer parts
// mean fewer that can be lost. Where that many do not get through, an IPv4 path is asked for what every one carries.
const (
	fragmentSize      = 1280
	smallFragmentSize = 576
	// smallAfter is how many times a message was sent in vain before it goes in small parts.
	smallAfter   = 2
	udpAndMarker = 8 + 4
)

// transmit sends a message: in parts, if it is too long for the path and the peer can join them. tries counts how often it was sent before.
func (m *Machine) transmit(d isakmp.Datagram, tries int) {
	for _, part := range m.inParts(d, tries) {
		m.emit(isakmp.Transmit{Datagram: isakmp.Datagram{Local: d.Local, Remote: d.Remote, Data: part}})
	}
}

func (m *Machine) inParts(d isakmp.Datagram, tries int) [][]byte {
	whole := [][]byte{d.Data}
	h, err := isakmp.ParseHeader(d.Data)
	if err != nil {
		return whole
	}
	s := m.established[pairOf(h)]
	if s == nil || !s.frags || !s.rule.Peer.Fragments() {
		return whole
	}
	room := fragmentRoom(s.rule.Peer, d.Remote.Addr(), tries)
	if len(d.Data) <= room {
		return whole
	}
	parts, err := isakmp.SplitMessage(d.Data, fragmentID(d.Data, room), room-isakmp.FragmentOverhead)
	if err != nil {
		return whole
	}
	return parts
}

// fragmentRoom is how long an IKE message may be that goes in one datagram.
func fragmentRoom(o policy.PeerOptions, remote netip.Addr, tries int) int {
	size, ip := o.FragmentSize, 40
	if remote.Is4() {
		ip = 20
	}
	if size == 0 {
		size = fragmentSize
		if remote.Is4() && tries >= smallAfter {
			size = smallFragmentSize
		}
	}
	return size - ip - udpAndMarker
}

// fragmentID is the same whenever the same message goes in parts of the same size, so that parts of a repetition fill the holes of what came before.
func fragmentID(message []byte, room int) uint16 {
	h := sha256.New()
	h.Write(message)
	h.Write(be32(uint32(room)))
	return binary.BigEndian.Uint16(h.Sum(nil))
}
