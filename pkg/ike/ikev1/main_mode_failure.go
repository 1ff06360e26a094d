package ikev1

import (
	"errors"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// mainModeError decides what an error of a step means: silence and patience, or the end.
func (m *Machine) mainModeError(now time.Time, s *mainMode, err error) {
	var r *refusal
	switch {
	case errors.Is(err, errBadProof):
		m.stats.BadProofs++
		m.suspectKey(now, s)
	case errors.As(err, &r):
		m.stats.Refused++
		if s.cipher != nil && s.run.At >= stepProofI {
			m.sendNotify(s, r.notify, isakmp.ProtoISAKMP, nil)
		} else {
			m.sendPlainNotify(s, r.notify)
		}
		m.failAttempt(now, s, r.failure)
	default:
		// security.md P33: a bad answer ends nothing; the right one may still come.
		m.stats.Malformed++
	}
}

// suspectKey handles a message 5 or 6 that cannot be read: with a wrong pre-shared key the keys differ, and it is garbage. The SA waits
// on, because a damaged message looks the same and is sent again.
func (m *Machine) suspectKey(now time.Time, s *mainMode) {
	if s.complained {
		return
	}
	s.complained = true
	f := s.staged(wrongKey(s))
	if s.role() == isakmp.Responder {
		m.countFailure(s)
		m.sendPlainNotify(s, isakmp.PayloadMalformed)
		if m.mayComplain(now) {
			m.emit(isakmp.Failed{Local: s.local, Remote: s.remote, Failure: f})
		}
		if p := m.peers[placeOf(s)]; p != nil {
			p.failed(now, f)
		}
		return
	}
	s.refusal = isakmp.InvalidHashInformation
	m.refuse(now, &s.flight)
}

// countFailure counts a main mode that fails, and whether it had come to the proofs of identity.
func (m *Machine) countFailure(s *mainMode) {
	m.stats.MainModesFailed++
	if s.run.At >= stepProofI {
		m.stats.AuthenticationFailed++
	}
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
