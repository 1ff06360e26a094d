package ikev1

import (
	"fmt"

	"github.com/goipsec/goipsec/pkg/ike/auth"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/suite"
)

// aggressiveScript is aggressive mode with pre-shared keys (RFC 2409 §5.4), with NAT-D where RFC 3947 §3.2 puts it. It is spoken only where a rule asks for it by name: a
// responder shows a hash of its key to whoever asks, who can then guess the key at leisure, and the identities are in the clear.
//
//	Initiator                        Responder
//	----------                       -----------
//	 HDR, SA, KE, Ni, IDii     -->
//	                           <--    HDR, SA, KE, Nr, IDir, HASH_R, NAT-D, …
//	 HDR*, HASH_I, NAT-D, …    -->
//
// Message 3 may come in the clear too (RFC 2409 §5); this host encrypts its own.
var aggressiveScript = isakmp.Script[*mainMode]{
	{From: isakmp.Initiator, Need: aggressivePayloads, May: aggressiveExtras, Build: (*mainMode).offerAggressive, Accept: (*mainMode).takeAggressiveOffer},
	{From: isakmp.Responder, Need: aggressivePayloads | isakmp.Set(isakmp.PayloadHash), May: aggressiveExtras, Build: (*mainMode).answerAggressive, Accept: (*mainMode).takeAggressiveAnswer},
	{From: isakmp.Initiator, Need: isakmp.Set(isakmp.PayloadHash), May: aggressiveExtras, Build: (*mainMode).proveAggressive, Accept: (*mainMode).takeAggressiveProof},
}

var (
	aggressivePayloads = isakmp.Set(isakmp.PayloadSA, isakmp.PayloadKE, isakmp.PayloadNonce, isakmp.PayloadID)
	aggressiveExtras   = isakmp.Set(isakmp.PayloadVendor, isakmp.PayloadNATD, isakmp.PayloadNotify)
)

// stepAggressiveProof is the place of message 3 in the script.
const stepAggressiveProof = 2

// aggressive reports whether s is negotiated in aggressive mode.
func (s *mainMode) aggressive() bool { return s.exchange == isakmp.Aggressive }

// oneGroup are the offers of aggressive mode, whose first message holds a key: those with the group of the first (RFC 2409 §5).
func oneGroup(offers []phase1Suite) []phase1Suite {
	var out []phase1Suite
	for _, s := range offers {
		if s.group == offers[0].group {
			out = append(out, s)
		}
	}
	return out
}

// message 1

func (s *mainMode) offerAggressive() ([]isakmp.Payload, error) {
	s.settle(s.offers[0]) // until there is an answer: the first method says who this host is
	id, err := s.localID()
	if err != nil {
		return nil, err
	}
	if s.kex, err = suite.NewKeyExchange(s.offers[0].group, s.m.cfg.Rand); err != nil {
		return nil, err
	}
	s.ni = make([]byte, nonceLen)
	if err := s.m.random(s.ni); err != nil {
		return nil, err
	}
	s.sa, s.gxi, s.idI = phase1SA(s.offers).Append(nil), s.kex.Public(), id.Append(nil)
	ps := []isakmp.Payload{{Type: isakmp.PayloadSA, Body: s.sa}, {Type: isakmp.PayloadKE, Body: s.gxi}, {Type: isakmp.PayloadNonce, Body: s.ni},
		{Type: isakmp.PayloadID, Body: s.idI}}
	return append(ps, s.vendorIDs(true, true, s.rule.Peer.Fragments(), s.inQueues())...), nil
}

func (s *mainMode) takeAggressiveOffer(msg *isakmp.Message) error {
	if err := s.takeOffer(msg); err != nil {
		return err
	}
	public, nonce, id, err := s.takeAggressiveKey(msg)
	if err != nil {
		return err
	}
	s.gxi, s.ni, s.idI = public, nonce, id
	return nil
}

// takeAggressiveKey reads what messages 1 and 2 have in common.
func (s *mainMode) takeAggressiveKey(msg *isakmp.Message) (public, nonce, id []byte, err error) {
	public, nonce, id = msg.First(isakmp.PayloadKE), msg.First(isakmp.PayloadNonce), msg.First(isakmp.PayloadID)
	switch {
	case len(public) != s.suite.group.PublicLen():
		err = fmt.Errorf("%w: a key exchange value of %d bytes for %v", isakmp.ErrSyntax, len(public), s.suite.group)
	case len(nonce) < minNonce || len(nonce) > maxNonce:
		err = fmt.Errorf("%w: a nonce of %d bytes", isakmp.ErrSyntax, len(nonce))
	case len(id) > maxIdentity:
		err = fmt.Errorf("%w: an identity of %d bytes", isakmp.ErrSyntax, len(id))
	}
	return public, nonce, id, err
}

// message 2

func (s *mainMode) answerAggressive() ([]isakmp.Payload, error) {
	ps, err := s.answerSA()
	if err != nil {
		return nil, err
	}
	id, err := s.localID()
	if err != nil {
		return nil, err
	}
	if s.kex, err = suite.NewKeyExchange(s.suite.group, s.m.cfg.Rand); err != nil {
		return nil, err
	}
	s.nr = make([]byte, nonceLen)
	if err := s.m.random(s.nr); err != nil {
		return nil, err
	}
	s.gxr, s.idR = s.kex.Public(), id.Append(nil)
	if err := s.deriveKeys(s.gxi); err != nil {
		return nil, err
	}
	ps = append(ps[:1:1], append([]isakmp.Payload{{Type: isakmp.PayloadKE, Body: s.gxr}, {Type: isakmp.PayloadNonce, Body: s.nr}, {Type: isakmp.PayloadID, Body: s.idR},
		{Type: isakmp.PayloadHash, Body: s.proof(isakmp.Responder)}}, ps[1:]...)...)
	return s.withNATD(ps)
}

// withNATD adds NAT-D payloads where the peer knows them.
func (s *mainMode) withNATD(ps []isakmp.Payload) ([]isakmp.Payload, error) {
	if !s.nat.peerSpeaks {
		return ps, nil
	}
	nat, err := s.natPayloads()
	return append(ps, nat...), err
}

func (s *mainMode) takeAggressiveAnswer(msg *isakmp.Message) error {
	if err := s.takeAnswer(msg); err != nil {
		return err
	}
	public, nonce, id, err := s.takeAggressiveKey(msg)
	if err != nil {
		return err
	}
	// security.md P31: our own value, sent back, is nobody's.
	if string(public) == string(s.gxi) || string(nonce) == string(s.ni) {
		return fmt.Errorf("%w: our own key exchange value came back", isakmp.ErrSyntax)
	}
	// security.md P33: a forged answer must not use up the key that the right one needs.
	kex := s.kex
	s.gxr, s.nr, s.idR = public, nonce, id
	if err = s.deriveKeys(s.gxr); err == nil && !auth.Equal(s.proof(isakmp.Responder), msg.First(isakmp.PayloadHash)) {
		err = errBadProof
	}
	var who isakmp.Identification
	if err == nil {
		err = s.takeNATD(msg)
	}
	if err == nil {
		who, err = s.provenID(id) // behind a NAT other addresses will do
	}
	if err != nil {
		s.kex, s.cipher = kex, nil
		return err
	}
	s.remoteID = who
	s.takeNotices(msg)
	return nil
}

// provenID is the identity that a peer has proved, if it is the one that the rule wants.
func (s *mainMode) provenID(body []byte) (isakmp.Identification, error) {
	id, err := isakmp.ParseIdentification(body)
	if err != nil {
		return id, err
	}
	return id, s.checkID(id)
}

// message 3

func (s *mainMode) proveAggressive() ([]isakmp.Payload, error) {
	ps := []isakmp.Payload{{Type: isakmp.PayloadHash, Body: s.proof(isakmp.Initiator)}}
	ps, err := s.withNATD(ps) // of the addresses that messages 1 and 2 had
	if err != nil {
		return nil, err
	}
	s.float()
	return append(ps, s.initialContact()...), nil
}

func (s *mainMode) takeAggressiveProof(msg *isakmp.Message) error {
	if !auth.Equal(s.proof(isakmp.Initiator), msg.First(isakmp.PayloadHash)) {
		return errBadProof
	}
	if err := s.takeNATD(msg); err != nil {
		return err
	}
	who, err := s.provenID(s.idI)
	if err != nil {
		return err
	}
	s.remoteID = who
	s.takeNotices(msg)
	return nil
}

// wrongAggressiveKey explains a proof in aggressive mode that does not fit.
func wrongAggressiveKey(s *mainMode) isakmp.Failure {
	return isakmp.Failure{What: "the peer's proof of identity in aggressive mode is wrong, of " + s.remote.String(),
		Why:  "most likely the pre-shared key is not the same at both ends",
		Next: "compare the pre-shared keys of the two rules (a trailing newline or blank counts), also which rule the responder finds for this host's identity", Answered: true}
}
