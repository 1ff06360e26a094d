package ikev1

import (
	"errors"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// maxBadMessages is how many messages an initiator may send that prove nothing, and each cost a key pair or the verification of a signature: no fewer than one and
// the same is sent again.
const maxBadMessages = 8

// mainModeError decides what an error of a step means: silence and patience, or the end.
func (m *Machine) mainModeError(now time.Time, s *mainMode, err error) {
	var r *isakmp.Refusal
	var unproven *unprovenError
	switch {
	case errors.Is(err, errBadProof):
		m.stats.BadProofs++
		m.suspectKey(now, s)
		m.loseTrust(s)
	case errors.As(err, &unproven):
		m.stats.BadProofs++
		m.suspect(now, s, unproven.Notify, unproven.Failure)
		m.loseTrust(s)
	case errors.As(err, &r):
		m.stats.Refused++
		if s.cipher != nil && s.run.At >= stepProofI {
			m.sendNotify(s, r.Notify, isakmp.ProtoISAKMP, nil)
		} else {
			m.sendPlainNotify(s, r.Notify)
		}
		m.failAttempt(now, s, r.Failure)
	default:
		// security.md P33: a bad answer ends nothing; the right one may still come.
		m.stats.Malformed++
	}
}

// loseTrust drops an initiator that has sent too many bad proofs. Only who has the keys of the exchange can send them.
func (m *Machine) loseTrust(s *mainMode) {
	if s.badProofs++; s.badProofs >= maxBadMessages && s.role() == isakmp.Responder {
		m.removeSA(s)
	}
}

// suspectKey handles a message 5 or 6 that cannot be read: with a wrong pre-shared key the keys differ, and it is garbage. The SA waits
// on, because a damaged message looks the same and is sent again.
func (m *Machine) suspectKey(now time.Time, s *mainMode) {
	f := wrongKey(s)
	switch {
	case s.aggressive():
		f = wrongAggressiveKey(s)
	case s.signs():
		f = damaged(s)
	}
	m.suspect(now, s, isakmp.PayloadMalformed, f)
}

// suspect tells, once, of a message 5 or 6 that proves nothing. The attempt goes on: whoever can damage a message must not be able to end it.
func (m *Machine) suspect(now time.Time, s *mainMode, notify isakmp.NotifyType, f isakmp.Failure) {
	if s.complained {
		return
	}
	s.complained = true
	f = s.staged(f)
	if s.role() == isakmp.Responder {
		m.countFailure(s)
		m.sendPlainNotify(s, notify)
		if m.mayComplain(now) {
			m.emit(isakmp.Failed{Local: s.local, Remote: s.remote, Failure: f})
		}
		if p := m.peers[placeOf(s)]; p != nil {
			p.failed(now, f)
		}
		return
	}
	if s.suspicion = &f; s.refusal == 0 {
		s.refusal = isakmp.InvalidHashInformation
	}
	m.refuse(now, &s.flight)
}

// countFailure counts a main mode that fails, and whether it had come to the proofs of identity.
func (m *Machine) countFailure(s *mainMode) {
	m.stats.MainModesFailed++
	if s.run.At >= stepProofI {
		m.stats.AuthenticationFailed++
	}
}

// unprovenError is a message 5 or 6 that can be read and proves nothing: a signature or a certificate in it is missing or wrong.
type unprovenError struct{ isakmp.Refusal }

func damaged(s *mainMode) isakmp.Failure {
	what := "message 5 of the peer cannot be read"
	if s.role() == isakmp.Initiator {
		what = "the answer to message 5 cannot be read"
	}
	return isakmp.Failure{What: what + ", from " + s.remote.String(), Why: "it was damaged on its way, or somebody answers in the peer's place",
		Next: "try again; if it stays so, look at the peer's log", Answered: true}
}

func wrongKey(s *mainMode) isakmp.Failure {
	what := "message 5 of the peer cannot be decrypted"
	if s.role() == isakmp.Initiator {
		what = "the peer cannot read message 5, or this host not the answer"
	}
	return isakmp.Failure{What: what + ", with " + s.remote.String(),
		Why:  "most likely the pre-shared key is not the same at both ends",
		Next: "compare the pre-shared keys of the two rules (a trailing newline or blank counts), also which rule each end applies", Answered: true}
}
