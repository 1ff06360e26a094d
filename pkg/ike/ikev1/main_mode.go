package ikev1

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/auth"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// mainModeScript is main mode with pre-shared keys (RFC 2409 §5.4), with NAT-D where RFC 3947 §3.2 puts it:
//
//	Initiator                        Responder
//	----------                       -----------
//	 HDR, SA, VID             -->
//	                          <--    HDR, SA, VID
//	 HDR, KE, Ni, NAT-D, …    -->
//	                          <--    HDR, KE, Nr, NAT-D, …
//	 HDR*, IDii, HASH_I       -->
//	                          <--    HDR*, IDir, HASH_R
//
// Messages 1 and 2 find out whether it goes on as signatureScript.
var mainModeScript = isakmp.Script[*mainMode]{
	{From: isakmp.Initiator, Need: isakmp.Set(isakmp.PayloadSA), May: vendors, Build: (*mainMode).offerSA, Accept: (*mainMode).takeOffer},
	{From: isakmp.Responder, Need: isakmp.Set(isakmp.PayloadSA), May: vendors, Build: (*mainMode).answerSA, Accept: (*mainMode).takeAnswer},
	{From: isakmp.Initiator, Need: keyPayloads, May: keyExtras, Build: (*mainMode).sendKey, Accept: (*mainMode).takeKey},
	{From: isakmp.Responder, Need: keyPayloads, May: keyExtras, Build: (*mainMode).sendKey, Accept: (*mainMode).takeKey},
	{From: isakmp.Initiator, Need: proofPayloads, May: proofExtras, Build: (*mainMode).sendProof, Accept: (*mainMode).takeProof},
	{From: isakmp.Responder, Need: proofPayloads, May: proofExtras, Build: (*mainMode).sendProof, Accept: (*mainMode).takeProof},
}

var (
	vendors       = isakmp.Set(isakmp.PayloadVendor)
	keyPayloads   = isakmp.Set(isakmp.PayloadKE, isakmp.PayloadNonce)
	keyExtras     = isakmp.Set(isakmp.PayloadNATD, isakmp.PayloadVendor, isakmp.PayloadCertRequest)
	proofPayloads = isakmp.Set(isakmp.PayloadID, isakmp.PayloadHash)
	proofExtras   = isakmp.Set(isakmp.PayloadNotify, isakmp.PayloadVendor)
)

// Places in both scripts.
const (
	stepOffer  = 0
	stepKeyI   = 2
	stepProofI = 4
)

const (
	nonceLen           = 32
	minNonce, maxNonce = 8, 256 // RFC 2409 §5
	maxIdentity        = 1024
)

// mainMode is one ISAKMP SA, from its first message to its end.
type mainMode struct {
	m             *Machine
	id            uint64
	peer          *peer // nil for a responder that has not proved itself
	state         State
	exchange      isakmp.ExchangeType // main mode, or aggressive mode where the rule names it
	run           isakmp.Run[*mainMode]
	cookies       cookiePair
	local, remote netip.AddrPort
	meaning       string // of the main-mode filter it was negotiated under
	rule          *policy.Rule
	auth          policy.AuthMethod // whose identities count; with signatures, that of the certificate shown to the peer
	offers        []phase1Suite
	suite         phase1Suite
	began         time.Time

	sa         []byte // SAi_b, as it was on the wire
	kex        suite.KeyExchange
	gxi, gxr   []byte
	ni, nr     []byte
	idI, idR   []byte // IDii_b, IDir_b
	keys       phase1Keys
	key        []byte
	cipher     *messageCipher
	iv         []byte // of phase 1; in the end the seed of all phase 2 IVs
	nat        natState
	dpd        bool
	queues     bool                  // both ends work in several queues
	frags      bool                  // the peer joins fragments, and the rule allows them
	remoteID   isakmp.Identification // proved; of type 0 until then
	claim      claim                 // with signatures: what the peer has signed
	requests   [][]byte              // names of the CAs that the peer accepts, in DER
	notices    []isakmp.Notify       // notifications beside the peer's proof
	flight     flight
	complained bool
	badProofs  int
	doubt      bool              // a quick mode under it failed
	suspicion  *isakmp.Failure   // an initiator's: what was wrong with the answer to its proof
	refusal    isakmp.NotifyType // unauthenticated, or 0
	answered   bool
	prefix     netip.Prefix // of an unauthenticated responder

	exam         examination
	config       config
	transactions map[uint32]*transaction

	phase2     map[uint32]*quickMode
	usedIDs    map[uint32]struct{}
	quickModes uint32
	replaces   uint64 // the SA that this one was begun to replace

	establishedAt, softAt, hardAt time.Time
	life                          alarm
	probe                         dpdProbe
}

func (s *mainMode) role() isakmp.Role { return s.run.Role }

// message 1

func (s *mainMode) offerSA() ([]isakmp.Payload, error) {
	s.sa = phase1SA(s.offers).Append(nil)
	return append([]isakmp.Payload{{Type: isakmp.PayloadSA, Body: s.sa}}, s.vendorIDs(true, true, s.rule.Peer.Fragments(), s.inQueues())...), nil
}

func (s *mainMode) vendorIDs(natt, dpd, fragments, queues bool) []isakmp.Payload {
	var out []isakmp.Payload
	if natt {
		out = append(out, isakmp.Payload{Type: isakmp.PayloadVendor, Body: isakmp.VendorNATT})
	}
	if dpd {
		out = append(out, isakmp.Payload{Type: isakmp.PayloadVendor, Body: isakmp.VendorDPD})
	}
	if s.suite.xauth || len(s.offers) > 0 && s.offers[0].xauth {
		out = append(out, isakmp.Payload{Type: isakmp.PayloadVendor, Body: isakmp.VendorXAuth})
	}
	if fragments {
		out = append(out, isakmp.Payload{Type: isakmp.PayloadVendor, Body: isakmp.VendorFragmentation})
	}
	if queues {
		out = append(out, isakmp.Payload{Type: isakmp.PayloadVendor, Body: isakmp.VendorQueues})
	}
	return out
}

func (s *mainMode) takeOffer(msg *isakmp.Message) error {
	body := msg.First(isakmp.PayloadSA)
	if len(body) > maxOfferedSA {
		return fmt.Errorf("%w: an SA payload of %d bytes", isakmp.ErrSyntax, len(body))
	}
	sa, err := isakmp.ParseSA(body)
	if err != nil {
		return err
	}
	chosen, answer, seen := choosePhase1(sa, s.offers)
	if answer == nil {
		return &isakmp.Refusal{Notify: isakmp.NoProposalChosen, Failure: mainModeMismatch(seen, s.offers)}
	}
	s.sa = body
	s.settle(chosen)
	s.takeVendors(msg)
	return nil
}

// settle takes the suite that was agreed on, and what follows from its authentication method.
func (s *mainMode) settle(chosen phase1Suite) {
	s.suite = chosen
	for _, a := range s.rule.Auth {
		if slices.Contains(authMethods(&a), chosen.auth) {
			s.auth = a
			return
		}
	}
}

func (s *mainMode) takeVendors(msg *isakmp.Message) {
	for _, v := range msg.All(isakmp.PayloadVendor) {
		s.nat.peerSpeaks = s.nat.peerSpeaks || string(v) == string(isakmp.VendorNATT)
		s.dpd = s.dpd || string(v) == string(isakmp.VendorDPD)
		s.frags = s.frags || isakmp.KnowsFragments(v) && s.rule.Peer.Fragments()
		s.queues = s.queues || s.inQueues() && string(v) == string(isakmp.VendorQueues)
	}
}

// message 2

func (s *mainMode) answerSA() ([]isakmp.Payload, error) {
	sa, err := isakmp.ParseSA(s.sa)
	if err != nil {
		return nil, err
	}
	_, answer, _ := choosePhase1(sa, []phase1Suite{s.suite})
	if answer == nil {
		return nil, errors.New("the choice is gone")
	}
	return append([]isakmp.Payload{{Type: isakmp.PayloadSA, Body: answer.Append(nil)}}, s.vendorIDs(s.nat.peerSpeaks, s.dpd, s.frags, s.queues)...), nil
}

func (s *mainMode) takeAnswer(msg *isakmp.Message) error {
	sa, err := isakmp.ParseSA(msg.First(isakmp.PayloadSA))
	if err != nil {
		return err
	}
	chosen, err := acceptPhase1(sa, s.offers)
	if err != nil {
		return err
	}
	s.settle(chosen)
	s.takeVendors(msg)
	return nil
}

// messages 3 and 4

func (s *mainMode) sendKey() ([]isakmp.Payload, error) {
	nonce := make([]byte, nonceLen)
	if err := s.m.random(nonce); err != nil {
		return nil, err
	}
	if s.kex == nil {
		var err error
		if s.kex, err = suite.NewKeyExchange(s.suite.group, s.m.cfg.Rand); err != nil {
			return nil, err
		}
	}
	public := s.kex.Public()
	ps := []isakmp.Payload{{Type: isakmp.PayloadKE, Body: public}, {Type: isakmp.PayloadNonce, Body: nonce}}
	// A responder gives no more than it gets, so that its answer is never much longer than the message (security.md P16).
	if s.nat.peerSpeaks && (s.role() == isakmp.Initiator || s.nat.heard) {
		nat, err := s.natPayloads()
		if err != nil {
			return nil, err
		}
		ps = append(ps, nat...)
	}
	ps = append(ps, s.certRequests()...)
	if s.role() == isakmp.Initiator {
		s.gxi, s.ni = public, nonce
		return ps, nil
	}
	s.gxr, s.nr = public, nonce
	return ps, s.deriveKeys(s.gxi)
}

func (s *mainMode) takeKey(msg *isakmp.Message) error {
	public, nonce := msg.First(isakmp.PayloadKE), msg.First(isakmp.PayloadNonce)
	if len(public) != s.suite.group.PublicLen() {
		return fmt.Errorf("%w: a key exchange value of %d bytes for %v", isakmp.ErrSyntax, len(public), s.suite.group)
	}
	if len(nonce) < minNonce || len(nonce) > maxNonce {
		return fmt.Errorf("%w: a nonce of %d bytes", isakmp.ErrSyntax, len(nonce))
	}
	if s.role() == isakmp.Responder {
		s.gxi, s.ni = public, nonce
		s.takeRequests(msg)
		return s.takeNATD(msg)
	}
	// security.md P31: our own value, sent back, is nobody's.
	if string(public) == string(s.gxi) || string(nonce) == string(s.ni) {
		return errors.New("our own key exchange value came back")
	}
	s.gxr, s.nr = public, nonce
	if err := s.takeNATD(msg); err != nil {
		return err
	}
	if err := s.deriveKeys(s.gxr); err != nil {
		return err
	}
	s.takeRequests(msg) // last: what a bad answer asks for must not stay
	return nil
}

// deriveKeys computes the shared secret, which checks the peer's value (security.md P5), and all keys of the SA.
func (s *mainMode) deriveKeys(peerPublic []byte) error {
	gxy, err := s.kex.Shared(peerPublic)
	if err != nil {
		return err
	}
	h := s.suite.hash
	if !s.signs() && s.auth.PSK.Len() == 0 {
		return errors.New("there is no pre-shared key") // anybody knows an empty one
	}
	skeyid := auth.SKEYID(h, s.auth.PSK.Bytes(), s.ni, s.nr)
	if s.signs() {
		skeyid = auth.SKEYIDSignature(h, s.ni, s.nr, gxy)
	}
	s.keys = derivePhase1(h, skeyid, gxy, s.cookies.initiator, s.cookies.responder)
	s.key = encryptionKey(h, s.keys.encrypt, s.suite.encr.KeyMatLen(s.suite.keyBits))
	if s.cipher, err = newMessageCipher(s.suite.encr, s.key); err != nil {
		return err
	}
	s.iv = phase1IV(h, s.gxi, s.gxr, s.cipher.block)
	s.kex = nil
	return nil
}

// messages 5 and 6

func (s *mainMode) sendProof() ([]isakmp.Payload, error) {
	id, err := s.localID()
	if err != nil {
		return nil, err
	}
	return s.identify(id, func() ([]isakmp.Payload, error) {
		return []isakmp.Payload{{Type: isakmp.PayloadHash, Body: s.proof(s.role())}}, nil
	})
}

// identify makes message 5 or 6: this side's identity, what proves it, and INITIAL-CONTACT where that is due.
func (s *mainMode) identify(id isakmp.Identification, proof func() ([]isakmp.Payload, error)) ([]isakmp.Payload, error) {
	body := id.Append(nil)
	if s.role() == isakmp.Initiator {
		s.idI = body
		s.float()
	} else {
		s.idR = body
	}
	proofs, err := proof()
	if err != nil {
		return nil, err
	}
	ps := append([]isakmp.Payload{{Type: isakmp.PayloadID, Body: body}}, proofs...)
	if s.role() == isakmp.Initiator {
		ps = append(ps, s.initialContact()...)
	}
	return ps, nil
}

// initialContact is INITIAL-CONTACT where it is true.
func (s *mainMode) initialContact() []isakmp.Payload {
	if !s.peer.fresh(s) {
		return nil
	}
	n := isakmp.Notify{DOI: isakmp.DOIIPsec, Protocol: isakmp.ProtoISAKMP, Type: isakmp.InitialContact,
		SPI: isakmp.CookieSPI(s.cookies.initiator, s.cookies.responder)}
	return []isakmp.Payload{{Type: isakmp.PayloadNotify, Body: n.Append(nil)}}
}

// proof is HASH_I or HASH_R, by the role of the one who proves.
func (s *mainMode) proof(r isakmp.Role) []byte {
	i, k := s.cookies.initiator[:], s.cookies.responder[:]
	if r == isakmp.Initiator {
		return auth.Proof(s.suite.hash, s.keys.skeyid, s.gxi, s.gxr, i, k, s.sa, s.idI)
	}
	return auth.Proof(s.suite.hash, s.keys.skeyid, s.gxr, s.gxi, k, i, s.sa, s.idR)
}

func (s *mainMode) takeProof(msg *isakmp.Message) error {
	id, body, other := s.takeIdentity(msg)
	if len(body) > maxIdentity || !auth.Equal(s.proof(other), msg.First(isakmp.PayloadHash)) {
		return errBadProof
	}
	if id.Type == 0 {
		return fmt.Errorf("%w: an identification of %d bytes", isakmp.ErrSyntax, len(body))
	}
	if err := s.checkID(id); err != nil {
		return err
	}
	s.takeNotices(msg)
	s.remoteID = id
	return nil
}

// takeIdentity keeps the body of the peer's identification, which the proof covers as it was on the wire, and says in which role the peer is.
// The type is 0 if it cannot be read.
func (s *mainMode) takeIdentity(msg *isakmp.Message) (id isakmp.Identification, body []byte, other isakmp.Role) {
	body, other = msg.First(isakmp.PayloadID), isakmp.Responder
	if s.role() == isakmp.Responder {
		s.idI, other = body, isakmp.Initiator
	} else {
		s.idR = body
	}
	id, err := isakmp.ParseIdentification(body)
	if err != nil {
		return isakmp.Identification{}, body, other
	}
	return id, body, other
}

// takeNotices keeps the notifications beside the peer's proof until it counts.
func (s *mainMode) takeNotices(msg *isakmp.Message) {
	for _, b := range msg.All(isakmp.PayloadNotify) {
		if n, err := isakmp.ParseNotify(b); err == nil {
			s.notices = append(s.notices, n)
		}
	}
}

// errBadProof is the peer's HASH_I or HASH_R that does not fit our keys.
var errBadProof = errors.New("the peer's proof of identity is wrong")

func (s *mainMode) localID() (isakmp.Identification, error) {
	if s.auth.LocalID == "" {
		return isakmp.AddrID(s.local.Addr()), nil
	}
	return isakmp.ParseID(s.auth.LocalID)
}

// checkID compares the identity that the peer proved with the one the rule expects: the configured one, or else the peer's address.
// Behind a NAT the address is one that this host cannot know, and any address will do: the key is the peer's.
func (s *mainMode) checkID(id isakmp.Identification) error {
	want := isakmp.AddrID(s.remote.Addr())
	if s.auth.RemoteID != "" {
		var err error
		if want, err = isakmp.ParseID(s.auth.RemoteID); err != nil {
			return err
		}
	}
	if id.Same(want) {
		return nil
	}
	if a, ok := id.Addr(); ok && a.IsValid() && s.auth.RemoteID == "" && s.nat.remote {
		return nil
	}
	return &isakmp.Refusal{Notify: isakmp.InvalidIDInformation, Failure: isakmp.Failure{
		What:       fmt.Sprintf("the peer proved to be %s, but %s is expected", id, want),
		Why:        "the identity that the peer sends is not the one of the rule",
		Next:       fmt.Sprintf("set the rule's remote identity to %s if that is the right peer, or correct the peer's local identity", id),
		Identities: []string{id.String(), want.String()}}}
}

func mainModeMismatch(seen []offer, allowed []phase1Suite) isakmp.Failure {
	return isakmp.Failure{What: "no main-mode proposal of the peer is allowed here",
		Why:    "the key exchange methods of the two policies have nothing in common",
		Next:   "make one method (encryption, hash, group, authentication) equal at both ends; the first difference of each is marked below",
		Detail: sideBySide(seen, phase1Fields(allowed)), Answered: true}
}

func phase1Fields(ss []phase1Suite) [][]field {
	var out [][]field
	for _, s := range ss {
		out = append(out, s.fields())
	}
	return out
}
