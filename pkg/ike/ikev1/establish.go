package ikev1

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
)

// establish ends main mode: the peer has proved its identity.
func (m *Machine) establish(now time.Time, s *mainMode) {
	switch s.state = afterMessage(s.state, s.exchange, s.role(), s.run.Done(), s.remoteID.Type != 0, s.suite.xauth); s.state {
	case Established:
		m.begun(now, s)
	case Examining:
		m.examine(now, s)
	default:
		m.removeSA(s)
	}
}

// admit ends XAUTH.
func (m *Machine) admit(now time.Time, s *mainMode, passed bool) {
	if s.state = afterMessage(s.state, isakmp.Transaction, s.role(), true, passed, s.suite.xauth); s.state == Established {
		m.begun(now, s)
	}
}

// begun puts an SA into use whose peer is the right one.
func (m *Machine) begun(now time.Time, s *mainMode) {
	m.aggressive.drop(s)
	if s.role() == isakmp.Responder {
		m.halfOpen.settled(s.prefix)
		s.peer = m.peerAt(placeOf(s))
		s.peer.sas = append(s.peer.sas, s)
	} else {
		// The newest established SA stands last, whenever it was begun.
		s.peer.dropSA(s)
		s.peer.sas = append(s.peer.sas, s)
	}
	s.establishedAt = now
	if s.role() == isakmp.Initiator {
		m.stats.MainModesInitiated++
	} else {
		m.stats.MainModesAnswered++
	}
	life := s.agreedMainMode(m.policy.Policy.KeyExchange)
	early := life / 20
	if s.role() == isakmp.Initiator {
		early = life / 10
	}
	s.hardAt = now.Add(life)
	s.softAt = s.hardAt.Add(-early - m.jitter(early))
	s.life.ring = func(now time.Time) { m.renewSA(now, s) }
	m.alarms.set(&s.life, s.softAt)
	s.peer.last = nil
	m.alive(now, s.peer)
	m.emit(isakmp.PeerUp{Peer: s.info(now)})
	for _, n := range s.notices {
		if n.Type == isakmp.InitialContact {
			m.takeInitialContact(now, s)
		}
	}
	s.forgetMainMode()
	m.retireSAs(now, s)
	m.keepNAT(now, s.peer)
	s.inheritLease()
	m.pushAddress(now, s)
	if s.asksAddress() {
		m.askAddress(now, s)
		return
	}
	m.pursue(now, s.peer)
}

// forgetMainMode drops what only main mode needed: its memory, and secrets that a later break-in would find.
func (s *mainMode) forgetMainMode() {
	s.sa, s.kex, s.gxi, s.gxr, s.ni, s.nr, s.idI, s.idR = nil, nil, nil, nil, nil, nil, nil, nil
	s.offers, s.requests, s.notices, s.claim = nil, nil, nil, claim{}
	s.keys.skeyid, s.keys.encrypt = nil, nil
}

// renewSA begins a new main mode when the lifetime nears its end and there is something to protect, and ends the old one at the end.
// Children outlive it.
func (m *Machine) renewSA(now time.Time, s *mainMode) {
	if !now.Before(s.hardAt) {
		m.endSA(now, s, "its lifetime ended", true)
		return
	}
	m.alarms.set(&s.life, s.hardAt)
	p := s.peer
	if s.state == Established && len(p.children)+len(p.wants) > 0 && p.negotiating() == nil && s.mayBegin() {
		m.begin(now, p, s.id)
	}
}

// mayBegin reports whether this host can begin a new main mode in the place of s: a gateway cannot log in to its clients.
func (s *mainMode) mayBegin() bool { return !s.suite.xauth || s.role() == isakmp.Initiator }

// doubted reports whether a new main mode is to be begun in the place of s, because a quick mode under it failed.
func (s *mainMode) doubted() bool { return s.doubt && s.mayBegin() }

// retireSAs lets the other SAs with the same peer end in a while. If both ends had begun one at once, both keep that with the larger
// cookies.
func (m *Machine) retireSAs(now time.Time, s *mainMode) {
	for _, o := range append([]*mainMode(nil), s.peer.sas...) {
		if o == s || o.state != Established || !o.remoteID.Same(s.remoteID) {
			continue
		}
		loser, linger := o, lingerOwn
		if s.replaces != o.id {
			linger = lingerPeer/2 + m.jitter(lingerPeer/2)
			if s.role() != o.role() && o.establishedAt.After(s.began.Add(-collisionSlack)) && bytes.Compare(o.rank(), s.rank()) > 0 {
				loser = s
			}
		}
		m.retireSA(now, loser, linger)
	}
}

func (s *mainMode) rank() []byte { return isakmp.CookieSPI(s.cookies.initiator, s.cookies.responder) }

func (m *Machine) retireSA(now time.Time, s *mainMode, linger time.Duration) {
	s.state = Retiring
	s.life.ring = func(now time.Time) {
		for _, o := range s.peer.sas {
			if o != s && o.state == Established {
				m.endSA(now, s, "replaced by a new main-mode SA", true)
				return
			}
		}
		// The other one is gone: this one stays, until its time.
		s.state = Established
		s.life.ring = func(now time.Time) { m.renewSA(now, s) }
		m.alarms.set(&s.life, maxTime(s.softAt, now))
	}
	m.alarms.set(&s.life, now.Add(linger))
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// keepNAT keeps the mapping of a NAT before this host alive while there is anything with the peer.
func (m *Machine) keepNAT(now time.Time, p *peer) {
	p.keep.ring = func(now time.Time) { m.keepNAT(now, p) }
	if p.keep.pos > 0 {
		return
	}
	var k *isakmp.Keepalive
	if s := p.newest(); s != nil && s.nat.local {
		k = &isakmp.Keepalive{Local: s.local, Remote: s.remote}
	}
	for _, c := range p.children {
		if k == nil && c.sa.NATLocal {
			k = &isakmp.Keepalive{Local: c.sa.Local, Remote: c.sa.Remote}
		}
	}
	if k == nil {
		return
	}
	m.emit(*k)
	m.alarms.set(&p.keep, now.Add(keepaliveInterval))
}

// errUnknownSA is returned for an ID that is none.
var errUnknownSA = errors.New("there is no SA with this ID")

// Rekey renews a child or a main-mode SA now.
func (m *Machine) Rekey(now time.Time, id uint64) error {
	if c := m.children[id]; c != nil {
		if !c.usable() {
			return fmt.Errorf("SA %d is being replaced already", id)
		}
		m.renew(now, c)
		return nil
	}
	s := m.byID(id)
	if s == nil {
		return fmt.Errorf("%w: %d", errUnknownSA, id)
	}
	if s.peer.negotiating() == nil {
		m.begin(now, s.peer, s.id)
	}
	return nil
}

// Delete deletes a child, or a main-mode SA; its children stay.
func (m *Machine) Delete(now time.Time, id uint64) error {
	if c := m.children[id]; c != nil {
		m.deleteChild(now, c, "deleted by the administrator")
		return nil
	}
	s := m.byID(id)
	if s == nil {
		return fmt.Errorf("%w: %d", errUnknownSA, id)
	}
	m.endSA(now, s, "deleted by the administrator", true)
	return nil
}

func (m *Machine) byID(id uint64) *mainMode {
	for _, s := range m.established {
		if s.id == id && s.state.obeys() {
			return s
		}
	}
	return nil
}

// SetPolicy applies a new snapshot. Children whose filter is gone are deleted, as are main-mode SAs whose filter means something else
// now; the rest stays.
func (m *Machine) SetPolicy(now time.Time, c *policy.Compiled) {
	m.adopt(c)
	m.reviewUnproven(c)
	for _, p := range m.allPeers() {
		for _, w := range append([]*want(nil), p.wants...) {
			if f := m.stillThere(w.filter); f != nil {
				w.filter = f
				continue
			}
			if w.qm != nil {
				m.orphan(now, w.qm)
			}
			p.drop(w)
		}
		for _, c := range childrenOf(p) {
			if f := m.stillThere(c.filter); f != nil {
				if c.filter = f; c.dismissed() {
					m.deleteChild(now, c, "its user is none any more")
				}
				continue
			}
			m.deleteChild(now, c, "the policy has changed")
		}
		for _, s := range append([]*mainMode(nil), p.sas...) {
			same := func(f *policy.MainModeFilter) bool { return f.Meaning == s.meaning }
			if f := c.FindMainModeBy(s.local.Addr(), s.remote.Addr(), same); f != nil {
				if s.rule = f.Rule; s.dismissed() {
					m.dismiss(now, s)
				}
				continue
			}
			if s.state.unfinished() {
				m.removeSA(s)
			}
			m.endSA(now, s, "the policy has changed", true)
		}
		m.pursue(now, p)
		p.last = nil
		m.forget(p)
	}
}

// reviewUnproven drops initiators that have not proved themselves yet, under settings that the new policy does not have: a key or a CA that was taken out of it must let
// nobody in any more. Those before message 3 are looked at when it comes.
func (m *Machine) reviewUnproven(c *policy.Compiled) {
	for _, s := range m.established {
		if s.peer != nil {
			continue
		}
		same := func(f *policy.MainModeFilter) bool { return f.Meaning == s.meaning }
		if f := c.FindMainModeBy(s.local.Addr(), s.remote.Addr(), same); f != nil {
			s.rule = f.Rule
			continue
		}
		m.removeSA(s)
	}
}

// Close deletes everything and tells the peers, once: there is no later.
func (m *Machine) Close(now time.Time) {
	for _, p := range m.allPeers() {
		p.wants = nil
		for _, c := range childrenOf(p) {
			m.deleteChild(now, c, "shutting down")
		}
		for _, s := range append([]*mainMode(nil), p.sas...) {
			if s.state.unfinished() {
				m.removeSA(s)
			}
			m.endSA(now, s, "shutting down", true)
		}
	}
	for _, s := range m.established {
		m.removeSA(s)
	}
	m.alarms = alarms{}
}
