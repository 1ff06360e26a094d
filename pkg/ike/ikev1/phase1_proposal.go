package ikev1

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/auth"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Attributes of a phase 1 transform (RFC 2409 appendix A).
const (
	attrEncryption   = 1
	attrHash         = 2
	attrAuth         = 3
	attrGroup        = 4
	attrLifeType     = 11
	attrLifeDuration = 12
	attrKeyLength    = 14
)

// keyIKE is the only phase 1 transform (RFC 2407 §4.4.2).
const keyIKE = 1

// authPSK is the pre-shared key method. Methods 4 and 5, public key encryption, are neither offered nor accepted (security.md P27).
const authPSK = auth.PreSharedKey

// Life types (RFC 2407 §4.5, RFC 2409 appendix A).
const (
	lifeSeconds   = 1
	lifeKilobytes = 2
)

// Phase 1 ciphers and their numbers (RFC 2409 appendix A, RFC 3602).
var phase1Ciphers = []struct {
	number uint16
	encr   suite.Encr
}{{1, suite.DES}, {5, suite.TripleDES}, {7, suite.AESCBC}}

// phase1Suite is one phase 1 transform, understood. Deviation: group 31 (Curve25519, RFC 8031) has no number in IKEv1's registry and is used
// under its IKEv2 number, as strongSwan does.
type phase1Suite struct {
	encr    suite.Encr
	keyBits int // 0 where the cipher has one size
	hash    suite.Hash
	group   suite.Group
	auth    uint16
	xauth   bool   // extended authentication of the initiator follows
	seconds uint32 // lifetime, 0 if none was given
}

func (s phase1Suite) String() string {
	return fmt.Sprintf("%s %v %v %s", s.encr.Name(s.keyBits), s.hash, s.group, s.authName())
}

// Authentication methods with extended authentication of the initiator (draft-beaulieu-ike-xauth-02 §7.2), by the plain method.
var xauthMethods = map[uint16]uint16{authPSK: 65001, 3: 65005}

func (s phase1Suite) authNumber() uint16 {
	if s.xauth {
		return xauthMethods[s.auth]
	}
	return s.auth
}

func (s phase1Suite) authName() string {
	if s.xauth {
		return "xauth-" + authName(s.auth)
	}
	return authName(s.auth)
}

func authName(a uint16) string {
	switch a {
	case authPSK:
		return "psk"
	case auth.RSASignature:
		return "rsa-signature"
	case auth.ECDSA256:
		return "ecdsa-256"
	case auth.ECDSA384:
		return "ecdsa-384"
	case auth.ECDSA521:
		return "ecdsa-521"
	case 4, 5:
		return "public-key-encryption"
	}
	return fmt.Sprintf("authentication %d", a)
}

// same compares what must agree: everything but the lifetime.
func (s phase1Suite) same(o phase1Suite) bool {
	s.seconds, o.seconds = 0, 0
	return s == o
}

// fields are the parts of the suite in the order in which a person compares them.
func (s phase1Suite) fields() []field {
	return []field{{"encryption", s.encr.Name(s.keyBits)}, {"hash", s.hash.String()}, {"group", s.group.String()},
		{"authentication", s.authName()}}
}

// phase1Offers is what a rule lets this host offer, and accept, in order: the authentication methods in the rule's order, each with the policy's main-mode
// methods in theirs. Methods whose algorithms are not there are left out.
func phase1Offers(k policy.KeyExchange, methods []policy.AuthMethod) []phase1Suite {
	suites := phase1Suites(k)
	var out []phase1Suite
	seen := map[uint16]bool{}
	for i := range methods {
		for _, number := range authMethods(&methods[i]) {
			if seen[number] {
				continue
			}
			seen[number] = true
			for _, s := range suites {
				s.auth = number
				out = append(out, s)
			}
		}
	}
	return out
}

// authMethods are the numbers under which a rule's authentication method goes on the wire: none if it cannot be used.
func authMethods(a *policy.AuthMethod) []uint16 {
	switch {
	case a.Kind == policy.PSK && a.PSK.Len() > 0:
		return []uint16{authPSK}
	case a.Kind == policy.Certificate:
		var list []uint16
		for _, c := range a.Cert.Current() {
			if m := auth.Method(c.Signer.Public()); m != 0 && !slices.Contains(list, m) {
				list = append(list, m)
			}
		}
		return list
	}
	return nil
}

// phase1Suites are the policy's main-mode methods, still without authentication.
func phase1Suites(k policy.KeyExchange) []phase1Suite {
	seconds := uint32(mainModeLifetime(k) / time.Second)
	var out []phase1Suite
	for _, m := range k.Methods {
		s := phase1Suite{encr: m.Encr, keyBits: m.KeyBits, hash: m.Hash, group: m.Group, seconds: seconds}
		info, ok := s.encr.Info()
		if _, known := phase1CipherNumber(s.encr); !ok || !known {
			continue
		}
		if info.FixedKey {
			s.keyBits = 0
		} else if s.keyBits == 0 {
			s.keyBits = info.KeyBits[0]
		}
		_, _, hashOK := s.hash.Info()
		if _, _, groupOK := s.group.Info(); hashOK && groupOK {
			out = append(out, s)
		}
	}
	return out
}

func mainModeLifetime(k policy.KeyExchange) time.Duration {
	if k.Lifetime == 0 {
		return policy.DefaultMainModeLifetime
	}
	return k.Lifetime
}

func phase1CipherNumber(e suite.Encr) (uint16, bool) {
	for _, c := range phase1Ciphers {
		if c.encr == e {
			return c.number, true
		}
	}
	return 0, false
}

// transform writes the suite as a transform.
func (s phase1Suite) transform(number int) isakmp.Transform {
	cipher, _ := phase1CipherNumber(s.encr)
	as := []isakmp.Attribute{isakmp.BasicAttribute(attrEncryption, cipher)}
	if s.keyBits != 0 {
		as = append(as, isakmp.BasicAttribute(attrKeyLength, uint16(s.keyBits)))
	}
	as = append(as, isakmp.BasicAttribute(attrHash, uint16(s.hash)), isakmp.BasicAttribute(attrGroup, uint16(s.group)),
		isakmp.BasicAttribute(attrAuth, s.authNumber()))
	if s.seconds != 0 {
		as = append(as, isakmp.BasicAttribute(attrLifeType, lifeSeconds), isakmp.NumberAttribute(attrLifeDuration, s.seconds))
	}
	return isakmp.Transform{Number: uint8(number), ID: keyIKE, Attributes: as}
}

// phase1SA is the SA payload that offers suites: one proposal whose transforms are the alternatives.
func phase1SA(suites []phase1Suite) isakmp.SA {
	p := isakmp.Proposal{Number: 1, Protocol: isakmp.ProtoISAKMP}
	for i, s := range suites {
		p.Transforms = append(p.Transforms, s.transform(i+1))
	}
	return isakmp.SA{DOI: isakmp.DOIIPsec, Situation: isakmp.SituationIdentityOnly, Proposals: []isakmp.Proposal{p}}
}

// parsePhase1Transform understands a transform. What it does not understand, or what stands there twice, it refuses: the
// responder would have to return it (RFC 2409 §5).
func parsePhase1Transform(t isakmp.Transform) (phase1Suite, error) {
	var s phase1Suite
	if t.ID != keyIKE {
		return s, fmt.Errorf("transform %d is not KEY_IKE", t.ID)
	}
	var seen uint32
	lives := lifetimes{}
	for _, a := range t.Attributes {
		if a.Type == attrLifeType || a.Type == attrLifeDuration {
			if err := lives.add(a, attrLifeType); err != nil {
				return s, err
			}
			continue
		}
		n, ok := a.Number()
		// RFC 2409 appendix A: basic attributes must not be encoded as variable ones (security.md P8).
		if !ok || !a.Basic || a.Type >= 32 || seen&(1<<a.Type) != 0 {
			return s, fmt.Errorf("attribute %d is malformed or given twice", a.Type)
		}
		seen |= 1 << a.Type
		if err := s.set(a.Type, uint16(n)); err != nil {
			return s, err
		}
	}
	s.seconds = lives.seconds
	return s, s.check()
}

func (s *phase1Suite) set(attr, v uint16) error {
	switch attr {
	case attrEncryption:
		for _, c := range phase1Ciphers {
			if c.number == v {
				s.encr = c.encr
			}
		}
		if s.encr == suite.EncrNone {
			return fmt.Errorf("encryption algorithm %d", v)
		}
	case attrHash:
		s.hash = suite.Hash(v)
	case attrAuth:
		s.auth = v
		for plain, number := range xauthMethods {
			if number == v {
				s.auth, s.xauth = plain, true
			}
		}
	case attrGroup:
		s.group = suite.Group(v)
	case attrKeyLength:
		if v == 0 {
			return errors.New("a key length of 0")
		}
		s.keyBits = int(v)
	default:
		return fmt.Errorf("attribute %d is not supported", attr)
	}
	return nil
}

// check refuses a suite with a part missing, and key lengths where they do not belong (security.md P6, P8).
func (s *phase1Suite) check() error {
	info, ok := s.encr.Info()
	if !ok || s.hash == 0 || s.group == 0 || s.auth == 0 {
		return errors.New("encryption, hash, group or authentication method is missing or unknown")
	}
	if info.FixedKey != (s.keyBits == 0) {
		return fmt.Errorf("%v with a key length of %d bits", s.encr, s.keyBits)
	}
	return nil
}

// lifetimes collects life type and duration attributes, which come in pairs.
type lifetimes struct {
	seconds, kilobytes uint32
	pending            uint64
}

func (l *lifetimes) add(a isakmp.Attribute, typeAttr uint16) error {
	n, ok := a.Number()
	if a.Type == typeAttr {
		if !ok || l.pending != 0 || n != lifeSeconds && n != lifeKilobytes {
			return fmt.Errorf("life type %d", n)
		}
		l.pending = n
		return nil
	}
	if !ok || n == 0 || l.pending == 0 {
		return errors.New("a life duration that is zero, malformed or without its type")
	}
	n = min(n, 1<<32-1)
	target := &l.seconds
	if l.pending == lifeKilobytes {
		target = &l.kilobytes
	}
	if *target != 0 {
		return errors.New("a lifetime given twice")
	}
	*target, l.pending = uint32(n), 0
	return nil
}

// choosePhase1 takes the first of the initiator's transforms that is allowed, and returns it with the answer to send.
// A nil answer means that none was; the offers, as far as they were understood, are for the explanation.
func choosePhase1(sa isakmp.SA, allowed []phase1Suite) (phase1Suite, *isakmp.SA, []offer) {
	var seen []offer
	for _, p := range sa.Proposals {
		for _, t := range p.Transforms {
			s, err := parsePhase1Transform(t)
			if p.Protocol != isakmp.ProtoISAKMP {
				err = fmt.Errorf("protocol %d is not ISAKMP", p.Protocol)
			}
			if err != nil {
				seen = append(seen, offer{err: err})
				continue
			}
			seen = append(seen, offer{fields: s.fields()})
			for _, a := range allowed {
				if s.same(a) {
					// RFC 2409 §5: the responder must not modify attributes of what it selects.
					p.Transforms = []isakmp.Transform{t}
					sa.Proposals = []isakmp.Proposal{p}
					return s, &sa, seen
				}
			}
		}
	}
	return phase1Suite{}, nil, seen
}

// acceptPhase1 checks the responder's choice against the offers.
func acceptPhase1(sa isakmp.SA, offered []phase1Suite) (phase1Suite, error) {
	if len(sa.Proposals) != 1 || len(sa.Proposals[0].Transforms) != 1 || sa.Proposals[0].Protocol != isakmp.ProtoISAKMP {
		return phase1Suite{}, errors.New("the responder's choice is not one transform")
	}
	s, err := parsePhase1Transform(sa.Proposals[0].Transforms[0])
	if err != nil {
		return s, err
	}
	for _, o := range offered {
		if s.same(o) {
			return s, nil
		}
	}
	return s, fmt.Errorf("the responder chose %v, which was not offered", s)
}
