package ikev1

import (
	"bytes"
	"crypto/hmac"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Informational exchanges (RFC 2409 §5.7) are one message, never answered as such:
//
//	Initiator                        Responder
//	-----------                      -----------
//	 HDR*, HASH(1), N/D        -->
//
// Before keys exist it is HDR, N, and proves nothing: it is counted, and at most makes an attempt end sooner (security.md P32).

// sendInformational sends payloads protected by an SA.
func (m *Machine) sendInformational(s *mainMode, ps ...isakmp.Payload) {
	if s.cipher == nil {
		return
	}
	id, err := m.newMessageID(s)
	if err != nil {
		return
	}
	h := s.suite.hash
	body, err := hashed(ps, h.Size(), func(rest []byte) []byte { return hash12(h, s.keys.auth, id, nil, rest) })
	if err != nil {
		return
	}
	out, _ := s.sealed(isakmp.Informational, id, isakmp.PayloadHash, body, s.firstIV(id))
	m.transmit(isakmp.Datagram{Local: s.local, Remote: s.remote, Data: out}, 0)
}

// sendNotify tells the peer of an error, protected.
func (m *Machine) sendNotify(s *mainMode, t isakmp.NotifyType, p isakmp.ProtocolID, spi []byte) {
	n := isakmp.Notify{DOI: isakmp.DOIIPsec, Protocol: p, Type: t, SPI: spi}
	m.sendInformational(s, isakmp.Payload{Type: isakmp.PayloadNotify, Body: n.Append(nil)})
}

// sendPlainNotify tells the peer of an error before there are keys: 40 bytes, once for a message.
func (m *Machine) sendPlainNotify(s *mainMode, t isakmp.NotifyType) {
	var b [4]byte
	if m.random(b[:]) != nil {
		return
	}
	n := isakmp.Notify{DOI: isakmp.DOIIPsec, Protocol: isakmp.ProtoISAKMP, Type: t}
	out, err := s.message(isakmp.Informational, spiNumber(b[:])|1, []isakmp.Payload{{Type: isakmp.PayloadNotify, Body: n.Append(nil)}})
	if err == nil {
		m.emit(isakmp.Transmit{Datagram: isakmp.Datagram{Local: s.local, Remote: s.remote, Data: out}})
	}
}

func (m *Machine) receiveInformational(now time.Time, d isakmp.Datagram, h isakmp.Header) {
	s := m.established[pairOf(h)]
	if s == nil {
		if s = m.initiating[h.InitiatorCookie]; s == nil {
			m.stats.Unknown++
			return
		}
	}
	if h.Flags&isakmp.FlagEncryption == 0 || s.cipher == nil {
		m.hint(now, s, d, h)
		return
	}
	if _, used := s.usedIDs[h.MessageID]; used || h.MessageID == 0 || len(s.usedIDs) >= maxUsedIDs || s.state == Dying {
		m.stats.Replayed++
		return
	}
	msg, _, err := s.openPhase2(d, h, s.firstIV(h.MessageID))
	if err == nil && !hmac.Equal(msg.Payloads[0].Body, hash12(s.suite.hash, s.keys.auth, h.MessageID, nil, afterHash(msg))) {
		err = errHash
	}
	if err != nil {
		m.stats.BadProofs++
		// A peer with another pre-shared key complains under other keys: to us that is noise, but noise at a telling moment.
		if s.state == Negotiating && s.role() == isakmp.Initiator && s.run.At > stepProofI && d.Remote.Addr() == s.remote.Addr() {
			m.suspectKey(now, s)
		}
		return
	}
	notes, deletes, ok := parseInformational(msg)
	if !ok {
		m.stats.Malformed++
		return
	}
	if !s.state.obeys() {
		// security.md P12: before the proof of identity nothing is obeyed; an initiator may take it as the reason of a refusal.
		if s.role() == isakmp.Initiator && len(notes) > 0 && notes[0].Type.IsError() {
			s.refusal = notes[0].Type
			m.refuse(now, &s.flight)
		}
		m.stats.Unexpected++
		return
	}
	s.usedIDs[h.MessageID] = struct{}{}
	m.heard(now, s, d)
	for _, n := range notes {
		m.takeNotify(now, s, n)
	}
	for _, x := range deletes {
		m.takeDelete(now, s, x)
	}
}

// parseInformational reads all payloads before any of them has an effect (security.md A3).
func parseInformational(msg *isakmp.Message) (notes []isakmp.Notify, deletes []isakmp.Delete, ok bool) {
	for _, p := range msg.Payloads[1:] {
		switch p.Type {
		case isakmp.PayloadNotify:
			n, err := isakmp.ParseNotify(p.Body)
			if err != nil {
				return nil, nil, false
			}
			notes = append(notes, n)
		case isakmp.PayloadDelete:
			x, err := isakmp.ParseDelete(p.Body)
			if err != nil {
				return nil, nil, false
			}
			deletes = append(deletes, x)
		case isakmp.PayloadVendor:
		default:
			return nil, nil, false
		}
	}
	return notes, deletes, true
}

// hint takes an informational message in the clear. It has no effect on any SA; for an attempt of our own it may explain the end, and
// bring it nearer.
func (m *Machine) hint(now time.Time, s *mainMode, d isakmp.Datagram, h isakmp.Header) {
	m.stats.Unauthenticated++
	if s.state != Negotiating || s.role() != isakmp.Initiator || d.Remote.Addr() != s.remote.Addr() || h.Flags&isakmp.FlagEncryption != 0 {
		return
	}
	msg, err := plainMessage(d, h)
	if err != nil {
		return
	}
	n, err := isakmp.ParseNotify(msg.First(isakmp.PayloadNotify))
	if err != nil || !n.Type.IsError() || s.refusal != 0 {
		return
	}
	s.refusal, s.answered = n.Type, true
	if m.mayComplain(now) {
		m.log(levelWarn, "the peer refuses main mode (unauthenticated)", "peer", s.remote, "notification", n.Type.String())
	}
	m.refuse(now, &s.flight)
}

// takeNotify obeys an authenticated notification.
func (m *Machine) takeNotify(now time.Time, s *mainMode, n isakmp.Notify) {
	switch n.Type {
	case isakmp.DPDRequest, isakmp.DPDReply:
		m.takeDPD(now, s, n)
	case isakmp.InitialContact:
		m.takeInitialContact(now, s)
	case isakmp.ResponderLifetime, isakmp.ReplayStatus, isakmp.Connected:
	default:
		if n.Type.IsError() {
			m.takeError(now, s, n)
		}
	}
}

// takeError ends the quick mode that an authenticated error is about: the one with its SPI, else the oldest that this host has begun.
func (m *Machine) takeError(now time.Time, s *mainMode, n isakmp.Notify) {
	var pick *quickMode
	for _, q := range s.phase2 {
		if q.role() != isakmp.Initiator || !q.run.Awaits() {
			continue
		}
		for _, spi := range q.spiIn {
			if bytes.Equal(n.SPI, be32(spi)) {
				m.refusedQuickMode(now, q, n.Type)
				return
			}
		}
		if pick == nil || q.began.Before(pick.began) {
			pick = q
		}
	}
	if pick != nil {
		m.refusedQuickMode(now, pick, n.Type)
		return
	}
	m.log(levelWarn, "the peer reports an error", "peer", s.remote, "notification", n.Type.String())
}

func (m *Machine) refusedQuickMode(now time.Time, q *quickMode, t isakmp.NotifyType) {
	q.refused = true
	if q.want.further() {
		m.failQuickMode(now, q, q.refusedFurther(t))
		return
	}
	f := isakmp.Failure{What: "the peer refused quick mode with " + t.String(), Why: "its policy does not allow what was offered",
		Next: "compare both rules and look at the peer's log", Answered: true}
	switch t {
	case isakmp.NoProposalChosen, isakmp.AttributesNotSupported, isakmp.BadProposalSyntax:
		f.Why = "its rule allows none of the security methods that this host offered"
		f.Next = "compare protocols, algorithms, mode and PFS group of both rules"
	case isakmp.InvalidIDInformation:
		f.Why = "its rules have no filter for " + q.selector.Mirror().String() + " with this host as the other end"
		f.Next = "make the filters of both ends mirror images, with the same protocol and ports, and check the tunnel endpoints"
	}
	m.failQuickMode(now, q, f)
}

// takeInitialContact removes what is left of the peer's earlier life (RFC 2407 §4.6.3.3): SAs with the same addresses and identity that
// were there before this one began. The notification is as old as the message that bore it, which may have been lost and repeated: what came
// up meanwhile is not meant.
func (m *Machine) takeInitialContact(now time.Time, s *mainMode) {
	p := s.peer
	for _, o := range append([]*mainMode(nil), p.sas...) {
		if o != s && o.state.obeys() && o.remoteID.Same(s.remoteID) && o.establishedAt.Before(s.began) {
			m.endSA(now, o, "the peer has started anew", false)
		}
	}
	for _, c := range childrenOf(p) {
		if c.sa.PeerID != s.id && c.remoteID.Same(s.remoteID) && c.began.Before(s.began) {
			m.removeChild(now, c, "the peer has started anew", false)
		}
	}
}

// takeDelete obeys an authenticated deletion. SPIs are the sender's inbound ones, our outbound ones.
func (m *Machine) takeDelete(now time.Time, s *mainMode, x isakmp.Delete) {
	for _, spi := range x.SPIs {
		switch x.Protocol {
		case isakmp.ProtoISAKMP:
			m.takeDeleteSA(now, s, spi)
		case isakmp.ProtoESP, isakmp.ProtoAH:
			if c := m.outbound[outboundSPI{s.peer, x.Protocol, spiNumber(spi)}]; c != nil {
				m.removeChild(now, c, "deleted by the peer", false)
			}
		}
	}
}

func (m *Machine) takeDeleteSA(now time.Time, s *mainMode, spi []byte) {
	for _, o := range append([]*mainMode(nil), s.peer.sas...) {
		if bytes.Equal(spi, isakmp.CookieSPI(o.cookies.initiator, o.cookies.responder)) && o.state.obeys() {
			m.endSA(now, o, "deleted by the peer", false)
		}
	}
}

// Deletions, which nobody acknowledges, are repeated under fresh message IDs: at once, and after these times.
var obituaryAfter = []time.Duration{time.Second, 4 * time.Second, 12 * time.Second}

// tellDeleted tells the peer that a child is gone, through any SA that is left.
func (m *Machine) tellDeleted(now time.Time, p *peer, sa *isakmp.ChildSA) {
	var ps []isakmp.Payload
	for _, proto := range []suite.Protocol{suite.ESP, suite.AH} {
		if spis := inboundSPIs(sa, proto); len(spis) > 0 {
			x := isakmp.Delete{DOI: isakmp.DOIIPsec, Protocol: wireProtocol(proto), SPIs: spis}
			ps = append(ps, isakmp.Payload{Type: isakmp.PayloadDelete, Body: x.Append(nil)})
		}
	}
	m.repeat(now, func() *mainMode { return p.newest() }, ps)
}

// unknownSPIEvery bounds the answers to packets of SAs that are not there (security.md D18).
const unknownSPIEvery = time.Second

// UnknownSPI tells of an ESP or AH packet from a peer with an SPI that no inbound SA has; its port is 0 if it did not come in UDP. If there is a main-mode SA the peer is told,
// authenticated, that this SA is deleted: it may have lost the deletion, and would go on sending into the void until its lifetime ends. A forged
// packet makes us say, at most once a second, what is true.
func (m *Machine) UnknownSPI(now time.Time, local netip.Addr, remote netip.AddrPort, protocol suite.Protocol, spi uint32) {
	p := m.peers[addrPair{local, remote.Addr(), remote.Port()}]
	if p == nil {
		p = m.peers[addrPair{local: local, remote: remote.Addr()}]
	}
	if p == nil || now.Sub(p.unknownAt) < unknownSPIEvery {
		return
	}
	s := p.newest()
	if s == nil {
		return
	}
	for _, c := range p.children {
		for _, k := range c.sa.Protocols {
			if k.Protocol == protocol && k.SPIIn == spi {
				return
			}
		}
	}
	p.unknownAt = now
	x := isakmp.Delete{DOI: isakmp.DOIIPsec, Protocol: wireProtocol(protocol), SPIs: [][]byte{be32(spi)}}
	m.sendInformational(s, isakmp.Payload{Type: isakmp.PayloadDelete, Body: x.Append(nil)})
}

// repeat sends an informational message now and again later, through the SA that through names at that time.
func (m *Machine) repeat(now time.Time, through func() *mainMode, ps []isakmp.Payload) {
	send := func(time.Time) {
		if s := through(); s != nil {
			m.sendInformational(s, ps...)
		}
	}
	send(now)
	for _, after := range obituaryAfter {
		m.alarms.set(&alarm{ring: send}, now.Add(after))
	}
}

// endSA ends an established main-mode SA. If tell is set the peer hears of it, and hears again: until then the SA is kept as dying.
func (m *Machine) endSA(now time.Time, s *mainMode, reason string, tell bool) {
	if !s.state.obeys() {
		return
	}
	p := s.peer
	for _, q := range s.phase2 {
		m.alarms.clear(&q.end)
		if q.run.Awaits() {
			m.orphan(now, q)
		}
	}
	if tell {
		x := isakmp.Delete{DOI: isakmp.DOIIPsec, Protocol: isakmp.ProtoISAKMP,
			SPIs: [][]byte{isakmp.CookieSPI(s.cookies.initiator, s.cookies.responder)}}
		m.repeat(now, func() *mainMode { return s }, []isakmp.Payload{{Type: isakmp.PayloadDelete, Body: x.Append(nil)}})
	}
	m.removeSA(s)
	m.emit(isakmp.PeerDown{ID: s.id, Reason: reason})
	m.pursue(now, p)
}

// orphan takes a quick mode off an SA that ends. A wish is pursued with another SA.
func (m *Machine) orphan(now time.Time, q *quickMode) {
	m.land(&q.flight)
	q.s.untrack(q)
	q.run.At = len(q.run.Script)
	if q.child != nil {
		m.removeChild(now, q.child, "its main-mode SA ended before it was confirmed", false)
	} else {
		m.releaseSPIs(q)
	}
	if q.want != nil {
		q.want.qm = nil
	}
}

func portless(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr(), 0) }
