package ikev1

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// keepaliveInterval is how often a NAT's mapping is refreshed (RFC 3948 §4).
const keepaliveInterval = 20 * time.Second

// natState is what is known of NATs on the way.
type natState struct {
	peerSpeaks    bool // RFC 3947
	heard         bool // the peer's NAT-D payloads have come
	local, remote bool // this host, the peer is behind one (or says so)
	forced        bool // this host says that it is behind one, so that ESP goes in UDP
}

// udp reports whether ESP is to be encapsulated in UDP.
func (n natState) udp() bool { return n.local || n.remote || n.forced }

// natHash is the body of a NAT-D payload: HASH(CKY-I | CKY-R | IP | Port) (RFC 3947 §3.2).
func (s *mainMode) natHash(a netip.AddrPort) []byte {
	return digest(s.suite.hash, s.cookies.initiator[:], s.cookies.responder[:], a.Addr().AsSlice(),
		binary.BigEndian.AppendUint16(nil, a.Port()))
}

// natPayloads are the NAT-D payloads to send: the destination first, then the source. To force UDP encapsulation the source's hash
// is a random one, and the peer concludes that there is a NAT.
func (s *mainMode) natPayloads() ([]isakmp.Payload, error) {
	source := s.natHash(s.local)
	if s.rule.Peer.ForceUDP {
		s.nat.forced = true
		if err := s.m.random(source); err != nil {
			return nil, err
		}
	}
	return []isakmp.Payload{{Type: isakmp.PayloadNATD, Body: s.natHash(s.remote)}, {Type: isakmp.PayloadNATD, Body: source}}, nil
}

// takeNATD compares the peer's hashes with the addresses of its packet: the first is of our address, each other one of an address of its
// own.
func (s *mainMode) takeNATD(msg *isakmp.Message) error {
	hashes := msg.All(isakmp.PayloadNATD)
	if len(hashes) < 2 || !s.nat.peerSpeaks {
		if s.rule.Peer.ForceUDP {
			return &isakmp.Refusal{Notify: isakmp.NoProposalChosen, Failure: isakmp.Failure{
				What: "UDP encapsulation was asked for, but the peer does not know NAT traversal (RFC 3947)",
				Why:  "NAT traversal is off at the peer, or it is too old",
				Next: "switch it on there, or take \"encapsulation: udp\" out of the rule", Answered: true}}
		}
		return nil
	}
	s.nat.heard = true
	s.nat.local = string(hashes[0]) != string(s.natHash(s.local))
	s.nat.remote = true
	own := s.natHash(s.remote)
	for _, h := range hashes[1:] {
		if string(h) == string(own) {
			s.nat.remote = false
		}
	}
	return nil
}

// float moves the initiator to port 4500 with message 5 if there is a NAT (RFC 3947 §4), unless it is not on port 500 anyway.
func (s *mainMode) float() {
	if s.nat.udp() && s.local.Port() == standardPort && s.m.cfg.NATPort != standardPort {
		s.local = netip.AddrPortFrom(s.local.Addr(), s.m.cfg.NATPort)
		s.remote = netip.AddrPortFrom(s.remote.Addr(), standardNATPort)
	}
}

// followPeer takes the addresses of a message that the peer has authenticated as those to send to, where a NAT may have changed them
// (RFC 3947 §4, security.md D16). A peer behind no NAT stays where it is. The caller has made sure that the message is new.
func (m *Machine) followPeer(s *mainMode, d isakmp.Datagram) {
	if s.remote == d.Remote && s.local == d.Local {
		return
	}
	if !s.nat.remote || s.local.Addr() != d.Local.Addr() {
		return
	}
	was := s.remote
	s.local, s.remote = d.Local, d.Remote
	if s.peer == nil {
		return
	}
	m.movePeer(s, was)
}
