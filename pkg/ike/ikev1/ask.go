package ikev1

import (
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// askPatience is how long an exchange waits for a verdict. Fetching what tells of revocation may take five seconds.
const askPatience = 10 * time.Second

// ask puts the question whether the peer is who it says it is. Meanwhile the exchange stands still: a responder has sent nothing that
// proves itself, and no phase 2 message is obeyed.
func (m *Machine) ask(now time.Time, s *mainMode) {
	s.claim.asked = true
	m.asked[s.id] = s
	s.life.ring = func(now time.Time) {
		m.refusePeer(now, s, &isakmp.Refusal{Notify: isakmp.AuthenticationFailed, Failure: isakmp.Failure{
			What: "the peer's certificate could not be checked in time, of " + s.remote.String(), Why: "a server for revocation lists or OCSP does not answer",
			Next: "check that the servers named in the certificate can be reached, or lower certificates: crl_check", Answered: true}})
	}
	m.alarms.set(&s.life, now.Add(askPatience))
	m.emit(isakmp.Ask{ID: s.id, Local: s.local, Remote: s.remote, Rule: s.rule, Method: s.suite.auth, Certificates: s.claim.certificates, Identity: s.claim.id})
}

// Answer takes the verdict to an Ask. A verdict that nobody waits for any more has no effect.
func (m *Machine) Answer(now time.Time, id uint64, v isakmp.Verdict) {
	s := m.asked[id]
	if s == nil {
		return
	}
	delete(m.asked, id)
	m.alarms.clear(&s.life)
	if v.Refusal != nil {
		m.refusePeer(now, s, v.Refusal)
		return
	}
	s.remoteID, s.claim.asked = s.claim.id, false
	s.claim.certificates = nil
	m.advanceMainMode(now, s)
}

// refusePeer ends a main mode whose peer is not let in, and tells it so.
func (m *Machine) refusePeer(now time.Time, s *mainMode, r *isakmp.Refusal) {
	delete(m.asked, s.id)
	m.stats.Refused++
	m.sendNotify(s, r.Notify, isakmp.ProtoISAKMP, nil)
	// Anybody can come with a certificate of his own making; only so many words are made of it (security.md O4).
	if s.role() == isakmp.Responder && !m.mayComplain(now) {
		m.countFailure(s)
		m.removeSA(s)
		return
	}
	m.failAttempt(now, s, r.Failure)
}
