package ikev1

import (
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// explainSilence says what the end of an initiator's patience means.
func (s *mainMode) explainSilence() isakmp.Failure {
	offered := list("offered:", phase1Fields(s.offers))
	switch {
	case s.refusal == isakmp.NoProposalChosen || s.refusal == isakmp.AttributesNotSupported || s.refusal == isakmp.BadProposalSyntax:
		return isakmp.Failure{What: "the peer refused all main-mode proposals (" + s.refusal.String() + ")",
			Why:  "its policy allows none of the methods that this host offered",
			Next: "compare the key exchange methods of both policies, and look at the peer's log", Detail: offered, Answered: true}
	case s.aggressive() && s.suspicion != nil:
		return *s.suspicion
	case s.run.At > stepProofI && s.signs():
		return s.certificateRefused()
	case s.run.At > stepProofI:
		return wrongKey(s)
	case s.refusal != 0:
		return isakmp.Failure{What: "the peer refused main mode with " + s.refusal.String(), Why: "its policy does not allow this negotiation",
			Next: "look at the peer's log", Detail: offered, Answered: true}
	case s.answered:
		return isakmp.Failure{What: "the peer stopped answering in the middle of main mode", Why: "packets are lost, large ones perhaps, or the peer failed",
			Next: "check the path (MTU, firewall) and the peer's log", Answered: true}
	}
	return isakmp.Failure{What: "no answer from " + s.remote.String(),
		Why:  "the peer is down, runs no IKE, has no rule for this address, or a firewall drops UDP 500 and 4500",
		Next: "check that the peer is up and its policy covers " + s.local.Addr().String(), Detail: offered}
}

// failAttempt ends a main mode that did not come about.
func (m *Machine) failAttempt(now time.Time, s *mainMode, f isakmp.Failure) {
	p := s.peer
	f = s.staged(f)
	f.Answered = f.Answered || s.answered
	m.countFailure(s)
	m.removeSA(s)
	if p == nil {
		m.emit(isakmp.Failed{Local: s.local, Remote: s.remote, Failure: f})
		return
	}
	p.failed(now, f)
	if s.replaces == 0 || p.newest() == nil {
		if len(p.wants) == 0 {
			m.emit(isakmp.Failed{Local: s.local, Remote: s.remote, Failure: f})
		}
		m.failWants(now, p, s.local, s.remote, f)
	} else {
		m.emit(isakmp.Failed{Local: s.local, Remote: s.remote, Failure: f}) // the old SA stays
	}
	if p.worry.probing {
		m.peerDead(now, p, "no answer to a new main mode: "+f.What)
	}
	m.forget(p)
}

// abandon drops a responder that did not finish in time.
func (m *Machine) abandon(_ time.Time, s *mainMode) { m.removeSA(s) }

// removeSA takes a main-mode SA out of every table. Its quick modes end with it.
func (m *Machine) removeSA(s *mainMode) {
	if s.state.unfinished() && s.role() == isakmp.Responder && m.established[s.cookies] == s {
		m.halfOpen.settled(s.prefix)
	}
	if m.established[s.cookies] == s {
		delete(m.established, s.cookies)
		m.dropFragments(s.cookies)
	}
	if m.initiating[s.cookies.initiator] == s {
		delete(m.initiating, s.cookies.initiator)
		m.dropFragments(cookiePair{initiator: s.cookies.initiator})
	}
	delete(m.asked, s.id)
	m.alarms.clear(&s.flight.again)
	m.alarms.clear(&s.life)
	delete(m.logins, s.id)
	m.aggressive.drop(s)
	m.dropTransactions(s)
	s.state = Dying
	if s.peer != nil {
		s.peer.dropSA(s)
	}
}

// mayComplain bounds the words that strangers can cause: ten at once, then one a second (security.md O4).
func (m *Machine) mayComplain(now time.Time) bool {
	const burst = 10
	t := &m.stats
	if earned := int(now.Sub(t.complainedAt) / time.Second); earned > 0 {
		t.complaints = max(0, t.complaints-earned)
		t.complainedAt = now
	}
	if t.complaints >= burst {
		return false
	}
	t.complaints++
	return true
}

// Kill drops whatever a datagram belongs to: the owner calls it when taking the datagram made this program fail.
func (m *Machine) Kill(data []byte) {
	h, err := isakmp.ParseHeader(data)
	if err != nil {
		return
	}
	if s := m.established[pairOf(h)]; s != nil {
		if q := s.phase2[h.MessageID]; q != nil && h.MessageID != 0 {
			m.orphan(time.Time{}, q)
			return
		}
		if t := s.transactions[h.MessageID]; t != nil && h.MessageID != 0 {
			m.forgetTransaction(t)
		}
		if s.state.unfinished() {
			m.removeSA(s)
		}
		return
	}
	if s := m.initiating[h.InitiatorCookie]; s != nil {
		m.removeSA(s)
	}
	if e := m.halfOpen.entries[pairOf(h)]; e != nil {
		m.halfOpen.remove(e)
	}
}
