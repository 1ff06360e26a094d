package ikev1

import (
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// Fall back to clear: a filter may let its traffic flow in clear where the peer gives no reply at all. Here is decided what "no reply at all" is; what follows is
// the owner's business. A reply is any datagram of IKE with our cookie from the peer's address, be it a refusal, malformed or of another version: whoever sends it
// speaks IKE, and with such a peer traffic is protected or stopped. An ICMP error is none, and our own first message, sent back by somebody, is none either.

// watchSilence has a wish whose filter falls back to clear tell of the peer's silence once its time is over, unless it is about to do so.
func (m *Machine) watchSilence(now time.Time, p *peer, w *want) {
	f := w.filter.Rule.Action.Fallback
	if f == nil || w.filter.Rule.Tunnel != nil || w.replaces != 0 || w.silence.pos > 0 {
		return
	}
	w.silence.ring = func(time.Time) {
		for _, still := range p.wants {
			if still == w && m.silent(p) {
				m.emit(isakmp.Unanswered{Filter: w.filter.ID, Selector: w.selector, Local: p.at.local, Remote: p.at.remote})
			}
		}
	}
	m.alarms.set(&w.silence, now.Add(f.Wait()))
}

// silent reports whether a peer has given no reply to the attempt that is under way. One with which there is an SA, or that is itself about to prove who it is and
// has shown that it gets our messages, is not silent.
func (m *Machine) silent(p *peer) bool {
	for _, s := range p.sas {
		if s.state == Negotiating && s.answered {
			return false
		}
	}
	for _, s := range m.established {
		// By its addresses alone: a NAT may have given it another port than the one that this host tries.
		there := s.local.Addr() == p.at.local && s.remote.Addr() == p.at.remote
		if there && (s.state == Established || s.state == Negotiating && s.peer == nil) {
			return false
		}
	}
	return true
}

// Replied notes that a datagram is a reply to an attempt of this host, whatever else becomes of it.
func (m *Machine) Replied(d isakmp.Datagram, h isakmp.Header) {
	s := m.initiating[h.InitiatorCookie]
	if s == nil {
		s = m.established[pairOf(h)]
	}
	if h.Exchange == isakmp.MainMode && h.ResponderCookie == (isakmp.Cookie{}) {
		return
	}
	if s != nil && s.state == Negotiating && s.role() == isakmp.Initiator && d.Remote.Addr().Unmap() == s.remote.Addr() && d.Local.Addr().Unmap() == s.local.Addr() {
		s.answered = true
	}
}
