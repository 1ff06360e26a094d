package ikev1

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// peer is the other end of an address pair: what is wanted from it, its main-mode SAs, its children. It exists while it has any.
type peer struct {
	at       addrPair
	wants    []*want
	sas      []*mainMode // oldest first, negotiating ones of this host too
	children map[uint64]*child
	last     *isakmp.Failure
	lastAt   time.Time
	worry    worry
	keep     alarm

	unknownAt  time.Time // of the last answer to a packet with an unknown SPI
	remembered bool      // in Machine.failedPeers
}

// maxWants bounds what waits for one peer.
const maxWants = 256

// want is a child SA that this host wishes to have.
type want struct {
	filter   *policy.QuickModeFilter
	selector isakmp.Selector
	queue    int
	replaces uint64 // child that is being renewed, 0: none
	qm       *quickMode
	silence  alarm // ends the time in which the peer must reply
}

func (m *Machine) peerAt(at addrPair) *peer {
	p := m.peers[at]
	if p == nil {
		p = &peer{at: at, children: map[uint64]*child{}}
		m.peers[at] = p
	}
	return p
}

// forget drops a peer that has nothing left. Its last failure goes with it, unless nothing else came of it.
func (m *Machine) forget(p *peer) {
	if len(p.wants)+len(p.sas)+len(p.children) > 0 {
		return
	}
	m.alarms.clear(&p.keep)
	m.alarms.clear(&p.worry.alarm)
	if p.last == nil {
		delete(m.peers, p.at)
		return
	}
	m.rememberFailure(p)
}

// maxFailedPeers bounds the peers that are kept for nothing but the failure they have to tell of.
const maxFailedPeers = 256

// rememberFailure keeps a peer that has nothing left but its last failure, and drops the one that has been kept longest.
func (m *Machine) rememberFailure(p *peer) {
	if p.remembered {
		return
	}
	p.remembered = true
	m.failedPeers = append(m.failedPeers, p)
	for len(m.failedPeers) > maxFailedPeers {
		old := m.failedPeers[0]
		m.failedPeers = m.failedPeers[1:]
		old.remembered = false
		if len(old.wants)+len(old.sas)+len(old.children) == 0 && m.peers[old.at] == old {
			delete(m.peers, old.at)
		}
	}
}

// fresh reports whether nothing but s ties this host to the peer: then INITIAL-CONTACT is true (RFC 2407 §4.6.3.3).
func (p *peer) fresh(s *mainMode) bool {
	for _, o := range p.sas {
		if o != s && o.state.obeys() {
			return false
		}
	}
	return len(p.children) == 0
}

// usable is the newest SA that may start a quick mode, nil if there is none.
func (p *peer) usable(limit uint32) *mainMode {
	for i := len(p.sas) - 1; i >= 0; i-- {
		if s := p.sas[i]; s.state == Established && !s.config.pending && !s.doubted() && (limit == 0 || s.quickModes < limit) && len(s.usedIDs) < maxUsedIDs {
			return s
		}
	}
	return nil
}

// newest is the newest established SA, to speak through.
func (p *peer) newest() *mainMode {
	var pick *mainMode
	for _, s := range p.sas {
		if s.state == Established || s.state == Retiring && (pick == nil || pick.state == Retiring) {
			pick = s
		}
	}
	return pick
}

// negotiating is the main mode that this host has under way, nil if there is none.
func (p *peer) negotiating() *mainMode {
	for _, s := range p.sas {
		if s.state.unfinished() {
			return s
		}
	}
	return nil
}

// configuring reports whether the gateway has yet to answer the question for an address.
func (p *peer) configuring() bool {
	for _, s := range p.sas {
		if s.state == Established && s.config.pending {
			return true
		}
	}
	return false
}

// Acquire asks for a child for a filter of the outbound list and a selector within it. While one is there or under way nothing changes.
func (m *Machine) Acquire(now time.Time, f *policy.QuickModeFilter, sel isakmp.Selector, local, remote netip.Addr) {
	at := addrPair{local: local, remote: remote}
	p := m.peerAt(at)
	for _, w := range p.wants {
		if w.selector == sel && w.filter.ID == f.ID && !w.further() {
			m.watchSilence(now, p, w)
			return
		}
	}
	for _, c := range p.children {
		if c.sa.Selector == sel && c.sa.Filter == f.ID && c.usable() {
			return
		}
	}
	if len(p.wants) >= maxWants {
		m.stats.AcquiresDropped++
		return
	}
	m.stats.Acquires++
	w := &want{filter: f, selector: sel}
	p.wants = append(p.wants, w)
	m.watchSilence(now, p, w)
	m.pursue(now, p)
}

// pursue starts what the peer's wishes need: a quick mode each, or a main mode first.
func (m *Machine) pursue(now time.Time, p *peer) {
	for _, w := range append([]*want(nil), p.wants...) {
		if w.qm != nil {
			continue
		}
		if s := p.usable(m.policy.Policy.KeyExchange.QuickModes); s != nil {
			if t := w.filter.Rule.Tunnel; t != nil && t.AskAddress && !t.Inner.IsValid() {
				m.putOff(now, p, w) // the owner is about to ask again, with the address that was assigned
				continue
			}
			m.startQuickMode(now, s, w)
			continue
		}
		if p.negotiating() == nil && !p.configuring() {
			m.begin(now, p, 0)
		}
		return
	}
	m.forget(p)
}

func (p *peer) drop(w *want) { p.wants = minus(p.wants, w) }

func (p *peer) dropSA(s *mainMode) { p.sas = minus(p.sas, s) }

// minus is a new list without x. Nothing of the old one is kept alive, as the first bytes of its memory would be by an empty slice of it.
func minus[T comparable](list []T, x T) []T {
	i := slices.Index(list, x)
	switch {
	case i < 0:
		return list
	case len(list) == 1:
		return nil
	}
	return slices.Concat(list[:i], list[i+1:])
}

// begin starts a main mode with the peer.
func (m *Machine) begin(now time.Time, p *peer, replaces uint64) {
	f := m.mainModeFor(p)
	if f == nil {
		m.failWants(now, p, netip.AddrPort{}, netip.AddrPort{}, isakmp.Failure{
			What: fmt.Sprintf("no main-mode filter covers %v and %v", p.at.local, p.at.remote),
			Why:  "the policy has no negotiate rule between these two addresses", Next: "run \"goipsec policy explain\" for the two addresses"})
		return
	}
	s := m.newMainMode(now, f, isakmp.Initiator)
	s.local, s.remote = m.startPorts(p.at, f.Rule)
	s.peer, s.replaces = p, replaces
	if why := s.unable(); why != nil {
		m.failWants(now, p, s.local, s.remote, *why)
		return
	}
	if m.random(s.cookies.initiator[:]) != nil {
		return
	}
	p.sas = append(p.sas, s)
	m.initiating[s.cookies.initiator] = s
	m.sendMainMode(now, s)
}

// mainModeFor is the filter to begin a main mode with a peer under. Where several rules are for its address, it is the one of what is wanted, or of what is there.
func (m *Machine) mainModeFor(p *peer) *policy.MainModeFilter {
	f := m.policy.FindMainMode(p.at.local, p.at.remote)
	if f == nil || len(f.Others) == 0 {
		return f
	}
	meaning := ""
	if len(p.wants) > 0 {
		meaning = p.wants[0].filter.MainMode
	} else if s := p.newest(); s != nil {
		meaning = s.meaning
	}
	if own := m.policy.FindMainModeBy(p.at.local, p.at.remote, func(o *policy.MainModeFilter) bool { return o.Meaning == meaning }); own != nil {
		return own
	}
	return f
}

// startPorts are the ends of the first message. Off port 500 every datagram carries the marker, so a peer on a port of its own is
// spoken to from the port that has it.
func (m *Machine) startPorts(at addrPair, r *policy.Rule) (local, remote netip.AddrPort) {
	lp, rp := m.cfg.Port, r.Peer.Port
	if at.port != 0 {
		rp = at.port
	}
	if rp == 0 {
		rp = standardPort
	}
	if lp == standardPort && rp != standardPort {
		lp = m.cfg.NATPort
	}
	return netip.AddrPortFrom(at.local, lp), netip.AddrPortFrom(at.remote, rp)
}

func (m *Machine) newMainMode(now time.Time, f *policy.MainModeFilter, r isakmp.Role) *mainMode {
	s := &mainMode{m: m, id: m.newID(), state: Negotiating, exchange: isakmp.MainMode, run: isakmp.Run[*mainMode]{Script: mainModeScript, Role: r},
		meaning: f.Meaning, rule: f.Rule, offers: withXAuth(phase1Offers(m.policy.Policy.KeyExchange, f.Rule.Auth), f.Rule, r), began: now,
		usedIDs: map[uint32]struct{}{}}
	if f.Rule.Aggressive {
		s.exchange, s.run.Script = isakmp.Aggressive, aggressiveScript
		if r == isakmp.Initiator {
			s.offers = oneGroup(s.offers)
		}
	}
	return s
}

// unable says why main mode cannot even begin, nil if it can.
func (s *mainMode) unable() *isakmp.Failure {
	if len(s.offers) > 0 {
		return nil
	}
	if len(phase1Suites(s.m.policy.Policy.KeyExchange)) == 0 {
		return &isakmp.Failure{What: "there is no main-mode method to offer", Why: "none of the policy's key exchange methods can be used here",
			Next: "name a method with des, 3des or aes-cbc, a hash and a group that IKEv1 has"}
	}
	if x := s.rule.Auth; len(x) > 0 && x[0].XAuth != nil && x[0].XAuth.Server() == (s.role() == isakmp.Responder) {
		return &isakmp.Failure{What: "no main mode with " + s.remote.Addr().String(), Why: "extended authentication (XAUTH) goes with a pre-shared key or a certificate with an RSA key, and the rule has neither",
			Next: "give the rule one of these"}
	}
	if len(s.rule.Auth) > 0 && s.rule.Auth[0].XAuth != nil {
		return &isakmp.Failure{What: "no main mode with " + s.remote.Addr().String(), Why: "with extended authentication (XAUTH) only the client can begin, for it has to log in",
			Next: "let the client begin"}
	}
	return &isakmp.Failure{What: "no main mode with " + s.remote.Addr().String(),
		Why:  "the rule has no authentication method that can be used: no pre-shared key, and no machine certificate with an RSA key or an ECDSA key on P-256, P-384 or P-521",
		Next: "give the rule a pre-shared key or a machine certificate"}
}

// failWants ends all wishes with a peer that no quick mode is working on.
func (m *Machine) failWants(now time.Time, p *peer, local, remote netip.AddrPort, f isakmp.Failure) {
	f = inStage(f, isakmp.StageMainMode)
	for _, w := range append([]*want(nil), p.wants...) {
		if w.qm == nil {
			m.failWant(now, p, w, local, remote, f)
		}
	}
	m.forget(p)
}

func (m *Machine) failWant(now time.Time, p *peer, w *want, local, remote netip.AddrPort, f isakmp.Failure) {
	f = inStage(f, isakmp.StageQuickMode)
	m.putOff(now, p, w)
	p.failed(now, f)
	if w.replaces == 0 && !w.further() {
		m.stats.AcquiresFailed++
	}
	m.emit(isakmp.Failed{Filter: w.filter.ID, Local: local, Remote: remote, Failure: f})
}

// putOff gives up a wish. If it was for the renewal of a child, that is tried again later.
func (m *Machine) putOff(now time.Time, p *peer, w *want) {
	p.drop(w)
	if c := m.children[w.replaces]; c != nil {
		c.rekeyFailed(now)
	}
}

func (p *peer) failed(now time.Time, f isakmp.Failure) { p.last, p.lastAt = &f, now }

// movePeer follows a peer whose address or port a NAT has changed.
func (m *Machine) movePeer(s *mainMode, was netip.AddrPort) {
	p := s.peer
	to := placeOf(s)
	if to != p.at {
		if _, taken := m.peers[to]; taken || !s.nat.remote {
			s.remote = was
			return
		}
		delete(m.peers, p.at)
		p.at = to
		m.peers[to] = p
	}
	told := map[uint64]bool{}
	for _, o := range p.sas {
		if o != s && o.remote == was {
			o.local, o.remote = s.local, s.remote
		}
	}
	for _, c := range p.children {
		if c.sa.Remote != was {
			continue
		}
		sa := *c.sa
		sa.Local, sa.Remote = s.local, s.remote
		c.sa = &sa
		if !told[sa.PeerID] {
			told[sa.PeerID] = true
			m.emit(isakmp.Moved{PeerID: sa.PeerID, Local: s.local, Remote: s.remote})
		}
	}
	if !told[s.id] {
		m.emit(isakmp.Moved{PeerID: s.id, Local: s.local, Remote: s.remote})
	}
}

// wireProtocol and ipProtocol translate between a proposal's protocol and the IP protocol.
func ipProtocol(p isakmp.ProtocolID) suite.Protocol {
	if p == isakmp.ProtoAH {
		return suite.AH
	}
	return suite.ESP
}

func wireProtocol(p suite.Protocol) isakmp.ProtocolID {
	if p == suite.AH {
		return isakmp.ProtoAH
	}
	return isakmp.ProtoESP
}
