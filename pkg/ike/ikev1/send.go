package ikev1

import (
	"errors"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// seals reports whether the message that is due is encrypted. That of aggressive mode is where its header says so.
func (s *mainMode) seals(h isakmp.Header) bool {
	if s.aggressive() {
		return s.run.At == stepAggressiveProof && h.Flags&isakmp.FlagEncryption != 0
	}
	return s.run.At >= stepProofI
}

// message encodes payloads in the clear.
func (s *mainMode) message(x isakmp.ExchangeType, id uint32, ps []isakmp.Payload) ([]byte, error) {
	h := isakmp.Header{InitiatorCookie: s.cookies.initiator, ResponderCookie: s.cookies.responder, NextPayload: isakmp.FirstType(ps),
		Version: isakmp.Version1, Exchange: x, MessageID: id}
	body, err := isakmp.AppendPayloads(nil, ps)
	if err != nil {
		return nil, err
	}
	return withHeader(h, body), nil
}

func withHeader(h isakmp.Header, body []byte) []byte {
	h.Length = isakmp.HeaderLen + len(body)
	return append(h.Append(make([]byte, 0, h.Length)), body...)
}

// sealed encodes payloads encrypted, and returns the IV that follows.
func (s *mainMode) sealed(x isakmp.ExchangeType, id uint32, first isakmp.PayloadType, body, iv []byte) (out, next []byte) {
	body, next = s.cipher.seal(body, iv)
	h := isakmp.Header{InitiatorCookie: s.cookies.initiator, ResponderCookie: s.cookies.responder, NextPayload: first,
		Version: isakmp.Version1, Exchange: x, Flags: isakmp.FlagEncryption, MessageID: id}
	return withHeader(h, body), next
}

// sendMainMode builds and sends the message that is due.
func (m *Machine) sendMainMode(now time.Time, s *mainMode) {
	encrypted := s.seals(isakmp.Header{Flags: isakmp.FlagEncryption})
	ps, err := s.run.Build(s)
	if err != nil {
		r := &isakmp.Refusal{Notify: isakmp.AuthenticationFailed, Failure: isakmp.Failure{What: "main mode stopped: " + isakmp.Escape(err.Error()),
			Why: "this host could not build its message", Next: "look at the log for what is missing", Answered: s.answered}}
		if errors.As(err, &r) && s.cipher != nil {
			m.sendNotify(s, r.Notify, isakmp.ProtoISAKMP, nil)
		}
		m.failAttempt(now, s, r.Failure)
		return
	}
	var out []byte
	if encrypted {
		body, err := isakmp.AppendPayloads(nil, ps)
		if err != nil {
			return
		}
		out, s.iv = s.sealed(s.exchange, 0, isakmp.FirstType(ps), body, s.iv)
	} else if out, err = s.message(s.exchange, 0, ps); err != nil {
		return
	}
	// A responder never repeats by itself before the initiator has proved its address, and needs not after (security.md P16).
	m.launch(now, &s.flight, isakmp.Datagram{Local: s.local, Remote: s.remote, Data: out}, s.role() == isakmp.Initiator, func(now time.Time) {
		// The last message of aggressive mode has no answer. It is repeated until the peer is heard again, and for no longer.
		if s.state == Negotiating {
			m.failAttempt(now, s, s.explainSilence())
		}
	})
}
