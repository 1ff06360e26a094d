package ikev1

import (
	"errors"
	"fmt"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Attributes of a phase 2 transform (RFC 2407 §4.5, RFC 4304 §2).
const (
	attr2LifeType     = 1
	attr2LifeDuration = 2
	attr2Group        = 3
	attr2Mode         = 4
	attr2Auth         = 5
	attr2KeyLength    = 6
	attr2ESN          = 11
)

// Encapsulation modes on the wire (RFC 2407 §4.5, RFC 3947 §5.1; the last two are those of its drafts).
const (
	wireTunnel            = 1
	wireTransport         = 2
	wireUDPTunnel         = 3
	wireUDPTransport      = 4
	wireUDPTunnelDraft    = 61443
	wireUDPTransportDraft = 61444
)

// ESP transforms by number (RFC 2407 §4.4.4, RFC 3602, 3686, 4309, 4106, 4543). ChaCha20-Poly1305 has none.
var espTransforms = []struct {
	number uint8
	encr   suite.Encr
}{{2, suite.DES}, {3, suite.TripleDES}, {11, suite.Null}, {12, suite.AESCBC}, {13, suite.AESCTR}, {14, suite.AESCCM8}, {15, suite.AESCCM12},
	{16, suite.AESCCM16}, {18, suite.AESGCM8}, {19, suite.AESGCM12}, {20, suite.AESGCM16}, {23, suite.NullGMAC}}

// Integrity algorithms by their authentication attribute and their AH transform (RFC 2407 §4.4.3 and §4.5, RFC 4868, 4543). CMAC has none.
var integTransforms = []struct {
	attr  uint16
	ah    uint8
	integ suite.Integ
}{{1, 2, suite.HMACMD5_96}, {2, 3, suite.HMACSHA1_96}, {5, 5, suite.HMACSHA256_128}, {6, 6, suite.HMACSHA384_192}, {7, 7, suite.HMACSHA512_256},
	{9, 9, suite.AESXCBC96}, {11, 11, suite.AES128GMAC}, {12, 12, suite.AES192GMAC}, {13, 13, suite.AES256GMAC}}

// unspokenKilobytes is the limit in kilobytes (half a terabyte) from which on it is kept here and not negotiated: it is a cipher's own bound, no
// wish of the policy, and some peers do not take such numbers.
const unspokenKilobytes = 1 << 29

// phase2Transform is one transform of ESP or AH, understood.
type phase2Transform struct {
	encr    suite.Encr // EncrNone for AH
	keyBits int        // 0 where the cipher has one size
	integ   suite.Integ
	mode    uint16 // on the wire, drafts' numbers replaced
	group   suite.Group
	esn     bool

	seconds, kilobytes uint32
}

// same compares what must agree: everything but the lifetimes.
func (t phase2Transform) same(o phase2Transform) bool {
	t.seconds, t.kilobytes, o.seconds, o.kilobytes = 0, 0, 0, 0
	return t == o
}

func (t phase2Transform) fields(protocol isakmp.ProtocolID) []field {
	fs := []field{}
	if protocol == isakmp.ProtoESP {
		fs = append(fs, field{"ESP encryption", "esp " + t.encr.Name(t.keyBits)}, field{"ESP integrity", t.integ.String()})
	} else {
		fs = append(fs, field{"AH integrity", "ah " + t.integ.String()})
	}
	esn := "32-bit"
	if t.esn {
		esn = "esn"
	}
	return append(fs, field{"mode", modeName(t.mode)}, field{"PFS group", "pfs " + t.group.String()}, field{"sequence numbers", esn})
}

func modeName(mode uint16) string {
	switch mode {
	case wireTunnel:
		return "tunnel"
	case wireTransport:
		return "transport"
	case wireUDPTunnel:
		return "udp-tunnel"
	case wireUDPTransport:
		return "udp-transport"
	}
	return fmt.Sprintf("mode %d", mode)
}

// phase2Suite is one alternative: ESP, AH, or both on one packet.
type phase2Suite struct{ esp, ah *phase2Transform }

func (s phase2Suite) fields() []field {
	var fs []field
	if s.ah != nil {
		fs = append(fs, s.ah.fields(isakmp.ProtoAH)...)
	}
	if s.esp != nil {
		fs = append(fs, s.esp.fields(isakmp.ProtoESP)...)
	}
	return fs
}

// part is the transform for a protocol, nil if there is none.
func (s phase2Suite) part(p isakmp.ProtocolID) *phase2Transform {
	switch p {
	case isakmp.ProtoESP:
		return s.esp
	case isakmp.ProtoAH:
		return s.ah
	}
	return nil
}

func (s phase2Suite) same(o phase2Suite) bool {
	eq := func(a, b *phase2Transform) bool { return a == nil && b == nil || a != nil && b != nil && a.same(*b) }
	return eq(s.esp, o.esp) && eq(s.ah, o.ah)
}

// any is one of the parts: mode, group and lifetimes are the same in both.
func (s phase2Suite) any() phase2Transform {
	if s.esp != nil {
		return *s.esp
	}
	return *s.ah
}

// check refuses what must never protect traffic: encryption or NULL without integrity, unless an AH of the same proposal covers it
// (security.md D3, P6), and combined modes with a second integrity algorithm.
func (s phase2Suite) check() error {
	if s.esp == nil {
		if s.ah == nil {
			return errors.New("neither ESP nor AH")
		}
		return nil
	}
	info, ok := s.esp.encr.Info()
	switch {
	case !ok:
		return errors.New("the encryption algorithm is not available")
	case info.Combined && s.esp.integ != suite.IntegNone:
		return fmt.Errorf("%v has its own integrity; a second algorithm has no place", s.esp.encr)
	case !info.Combined && s.esp.integ == suite.IntegNone && s.ah == nil:
		return fmt.Errorf("%v without integrity and without AH", s.esp.encr)
	}
	if s.ah != nil && (s.ah.mode != s.esp.mode || s.ah.group != s.esp.group) {
		return errors.New("AH and ESP of one proposal with different modes or groups")
	}
	return nil
}

// wireMode is the encapsulation mode of a negotiation.
func wireMode(mode suite.Mode, udp bool) uint16 {
	w := uint16(wireTransport)
	if mode == suite.Tunnel {
		w = wireTunnel
	}
	if udp {
		w += wireUDPTunnel - wireTunnel
	}
	return w
}

// phase2Offers is what a rule lets this host offer and accept, in order. Methods that cannot be negotiated are left out: algorithms
// that are missing or have no number in IKEv1, and AH where there is a NAT, whose address changes it would detect.
func phase2Offers(r *policy.Rule, udp bool) []phase2Suite {
	mode := suite.Transport
	if r.Tunnel != nil {
		mode = suite.Tunnel
	}
	var out []phase2Suite
	for _, m := range r.Action.Methods {
		l := m.EffectiveLifetime()
		base := phase2Transform{mode: wireMode(mode, udp), group: r.Action.PFS, esn: m.ESN, seconds: l.Seconds, kilobytes: l.Kilobytes}
		var s phase2Suite
		if m.ESP != nil {
			t := base
			t.encr, t.keyBits, t.integ = m.ESP.Encr, keyBits(m.ESP), m.ESP.Integ
			s.esp = &t
		}
		if m.AH != nil {
			t := base
			t.integ = m.AH.Integ
			s.ah = &t
		}
		if s.check() == nil && s.numbered() && !(s.ah != nil && udp) {
			out = append(out, s)
		}
	}
	return out
}

func keyBits(m *policy.ESPMethod) int {
	info, _ := m.Encr.Info()
	if info.FixedKey || len(info.KeyBits) == 0 {
		return 0
	}
	if m.KeyBits == 0 {
		return info.KeyBits[0]
	}
	return m.KeyBits
}

// numbered reports whether IKEv1 has numbers for all the algorithms, and this host the algorithms.
func (s phase2Suite) numbered() bool {
	ok := true
	if s.esp != nil {
		_, known := espNumber(s.esp.encr)
		ok = known && integOK(s.esp.integ, false)
	}
	if s.ah != nil {
		ok = ok && s.ah.integ != suite.IntegNone && integOK(s.ah.integ, true)
	}
	return ok
}

func integOK(i suite.Integ, ah bool) bool {
	if i == suite.IntegNone {
		return true
	}
	info, ok := i.Info()
	_, _, known := integNumbers(i)
	return ok && known && (ah || info.IVLen == 0)
}

func espNumber(e suite.Encr) (uint8, bool) {
	for _, t := range espTransforms {
		if t.encr == e {
			return t.number, true
		}
	}
	return 0, false
}

func integNumbers(i suite.Integ) (attr uint16, ah uint8, ok bool) {
	for _, t := range integTransforms {
		if t.integ == i {
			return t.attr, t.ah, true
		}
	}
	return 0, 0, false
}

// transform writes the transform as number n of its proposal.
func (t phase2Transform) transform(p isakmp.ProtocolID, n int) isakmp.Transform {
	out := isakmp.Transform{Number: uint8(n)}
	attr, ah, _ := integNumbers(t.integ)
	if out.ID = ah; p == isakmp.ProtoESP {
		out.ID, _ = espNumber(t.encr)
	}
	as := []isakmp.Attribute{isakmp.BasicAttribute(attr2LifeType, lifeSeconds), isakmp.NumberAttribute(attr2LifeDuration, t.seconds)}
	if t.kilobytes != 0 && t.kilobytes < unspokenKilobytes {
		as = append(as, isakmp.BasicAttribute(attr2LifeType, lifeKilobytes), isakmp.NumberAttribute(attr2LifeDuration, t.kilobytes))
	}
	if t.group != suite.GroupNone {
		as = append(as, isakmp.BasicAttribute(attr2Group, uint16(t.group)))
	}
	as = append(as, isakmp.BasicAttribute(attr2Mode, t.mode))
	if t.integ != suite.IntegNone {
		as = append(as, isakmp.BasicAttribute(attr2Auth, attr))
	}
	if t.keyBits != 0 {
		as = append(as, isakmp.BasicAttribute(attr2KeyLength, uint16(t.keyBits)))
	}
	if t.esn {
		as = append(as, isakmp.BasicAttribute(attr2ESN, 1))
	}
	out.Attributes = as
	return out
}

// phase2SA offers suites, each as a proposal of its own number; AH and ESP that belong together have one number (RFC 2408 §4.2).
// spi gives this host's SPI of a protocol.
func phase2SA(suites []phase2Suite, spi func(isakmp.ProtocolID) uint32) isakmp.SA {
	sa := isakmp.SA{DOI: isakmp.DOIIPsec, Situation: isakmp.SituationIdentityOnly}
	for i, s := range suites {
		for _, p := range []isakmp.ProtocolID{isakmp.ProtoAH, isakmp.ProtoESP} {
			if t := s.part(p); t != nil {
				sa.Proposals = append(sa.Proposals, isakmp.Proposal{Number: uint8(i + 1), Protocol: p, SPI: be32(spi(p)),
					Transforms: []isakmp.Transform{t.transform(p, 1)}})
			}
		}
	}
	return sa
}

// parsePhase2Transform understands a transform of ESP or AH. What it does not understand, or what stands there twice, it refuses.
func parsePhase2Transform(p isakmp.ProtocolID, t isakmp.Transform) (phase2Transform, error) {
	var out phase2Transform
	var seen uint32
	lives := lifetimes{}
	for _, a := range t.Attributes {
		if a.Type == attr2LifeType || a.Type == attr2LifeDuration {
			if err := lives.add(a, attr2LifeType); err != nil {
				return out, err
			}
			continue
		}
		n, ok := a.Number()
		if !ok || !a.Basic || a.Type >= 32 || // RFC 2407 §4.5: basic attributes must not be encoded as variable ones (security.md P8)
			seen&(1<<a.Type) != 0 {
			return out, fmt.Errorf("attribute %d is malformed or given twice", a.Type)
		}
		seen |= 1 << a.Type
		if err := out.set(a.Type, uint16(n)); err != nil {
			return out, err
		}
	}
	out.seconds, out.kilobytes = lives.seconds, lives.kilobytes
	return out, out.setID(p, t.ID)
}

func (t *phase2Transform) set(attr, v uint16) error {
	switch attr {
	case attr2Group:
		t.group = suite.Group(v)
	case attr2Mode:
		switch t.mode = v; v {
		case wireUDPTunnelDraft, wireUDPTransportDraft:
			t.mode -= wireUDPTunnelDraft - wireUDPTunnel
		}
	case attr2Auth:
		for _, i := range integTransforms {
			if i.attr == v {
				t.integ = i.integ
			}
		}
		if t.integ == suite.IntegNone {
			return fmt.Errorf("authentication algorithm %d", v)
		}
	case attr2KeyLength:
		if v == 0 {
			return errors.New("a key length of 0")
		}
		t.keyBits = int(v)
	case attr2ESN:
		if v > 1 {
			return fmt.Errorf("extended sequence number value %d", v)
		}
		t.esn = v == 1
	default:
		return fmt.Errorf("attribute %d is not supported", attr)
	}
	return nil
}

// setID completes the transform with its number, and refuses parts that are missing or do not fit.
func (t *phase2Transform) setID(p isakmp.ProtocolID, id uint8) error {
	if t.mode == 0 {
		return errors.New("the encapsulation mode is missing")
	}
	if p == isakmp.ProtoAH {
		_, ah, _ := integNumbers(t.integ)
		if t.integ == suite.IntegNone || ah != id || t.keyBits != 0 || !integOK(t.integ, true) {
			return fmt.Errorf("AH transform %d with another or no authentication algorithm", id)
		}
		return nil
	}
	for _, e := range espTransforms {
		if e.number == id {
			t.encr = e.encr
		}
	}
	info, ok := t.encr.Info()
	if !ok || !integOK(t.integ, false) {
		return fmt.Errorf("ESP transform %d with authentication %v is not available", id, t.integ)
	}
	if info.FixedKey != (t.keyBits == 0) {
		return fmt.Errorf("%v with a key length of %d bits", t.encr, t.keyBits)
	}
	return nil
}
