package ikev1

import (
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/suite"
)

func basic(pairs ...uint16) []isakmp.Attribute {
	var out []isakmp.Attribute
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, isakmp.BasicAttribute(pairs[i], pairs[i+1]))
	}
	return out
}

// TestRFC2409AppendixAAttributes: what a phase 1 transform may hold, and what makes it unacceptable (security.md P6, P8, P27).
func TestRFC2409AppendixAAttributes(t *testing.T) {
	good := []uint16{attrEncryption, 7, attrKeyLength, 128, attrHash, 2, attrGroup, 14, attrAuth, authPSK}
	s, err := parsePhase1Transform(isakmp.Transform{ID: keyIKE, Attributes: basic(append(good, attrLifeType, lifeSeconds, attrLifeDuration, 3600)...)})
	if err != nil || s.seconds != 3600 || s.String() != "aes-cbc-128 sha1 modp2048 psk" {
		t.Errorf("%v, %v", s, err)
	}
	long := append(basic(append(good, attrLifeType, lifeKilobytes)...), isakmp.Attribute{Type: attrLifeDuration, Value: []byte{0, 1, 0, 0}})
	if _, err := parsePhase1Transform(isakmp.Transform{ID: keyIKE, Attributes: long}); err != nil {
		t.Errorf("a lifetime in kilobytes: %v", err)
	}
	allowed := []phase1Suite{{encr: suite.AESCBC, keyBits: 128, hash: suite.SHA1, group: suite.MODP2048, auth: authPSK}}
	bad := map[string][]isakmp.Attribute{
		"no key length":        basic(attrEncryption, 7, attrHash, 2, attrGroup, 14, attrAuth, 1),
		"key length 0":         basic(attrEncryption, 7, attrKeyLength, 0, attrHash, 2, attrGroup, 14, attrAuth, 1),
		"key length 64":        basic(attrEncryption, 7, attrKeyLength, 64, attrHash, 2, attrGroup, 14, attrAuth, 1),
		"key length 65535":     basic(attrEncryption, 7, attrKeyLength, 65535, attrHash, 2, attrGroup, 14, attrAuth, 1),
		"key length twice":     basic(append(good, attrKeyLength, 128)...),
		"key length empty":     append(basic(attrEncryption, 7, attrHash, 2, attrGroup, 14, attrAuth, 1), isakmp.Attribute{Type: attrKeyLength}),
		"key length of 3DES":   basic(attrEncryption, 5, attrKeyLength, 192, attrHash, 2, attrGroup, 14, attrAuth, 1),
		"no group":             basic(attrEncryption, 7, attrKeyLength, 128, attrHash, 2, attrAuth, 1),
		"no hash":              basic(attrEncryption, 7, attrKeyLength, 128, attrGroup, 14, attrAuth, 1),
		"no encryption":        basic(attrHash, 2, attrGroup, 14, attrAuth, 1),
		"group 1025":           basic(attrEncryption, 7, attrKeyLength, 128, attrHash, 2, attrGroup, 1025, attrAuth, 1),
		"public key auth":      basic(attrEncryption, 7, attrKeyLength, 128, attrHash, 2, attrGroup, 14, attrAuth, 4),
		"revised public key":   basic(attrEncryption, 7, attrKeyLength, 128, attrHash, 2, attrGroup, 14, attrAuth, 5),
		"private group":        basic(append(good, 5, 1, 6, 23)...),
		"a PRF":                basic(append(good, 13, 1)...),
		"life type 3":          basic(append(good, attrLifeType, 3, attrLifeDuration, 9)...),
		"duration alone":       basic(append(good, attrLifeDuration, 9)...),
		"duration 0":           basic(append(good, attrLifeType, 1, attrLifeDuration, 0)...),
		"two lifetimes":        basic(append(good, attrLifeType, 1, attrLifeDuration, 9, attrLifeType, 1, attrLifeDuration, 9)...),
		"type without end":     basic(append(good, attrLifeType, 1, attrLifeType, 1)...),
		"attribute 32 or more": basic(append(good, 40, 1)...),
	}
	for name, as := range bad {
		sa := isakmp.SA{DOI: 1, Situation: 1, Proposals: []isakmp.Proposal{{Number: 1, Protocol: isakmp.ProtoISAKMP, Transforms: []isakmp.Transform{{Number: 1, ID: keyIKE, Attributes: as}}}}}
		if s, answer, seen := choosePhase1(sa, allowed); answer != nil || len(seen) != 1 {
			t.Errorf("%s: %v was chosen", name, s)
		} else if text := sideBySide(seen, phase1Fields(allowed)); !strings.Contains(text, "aes-cbc-128") && !strings.Contains(text, "not understood") {
			t.Errorf("%s: %s", name, text)
		}
		if _, err := acceptPhase1(sa, allowed); err == nil {
			t.Errorf("%s: accepted as an answer", name)
		}
	}
	if _, err := parsePhase1Transform(isakmp.Transform{ID: 2, Attributes: basic(good...)}); err == nil {
		t.Error("a transform that is not KEY_IKE was taken")
	}
}

// TestD3IntegrityIsNeverMissing: no proposal without integrity is chosen, not even where the rule is careless, unless AH covers it.
func TestD3IntegrityIsNeverMissing(t *testing.T) {
	esp := func(e suite.Encr, bits int, i suite.Integ) *phase2Transform {
		return &phase2Transform{encr: e, keyBits: bits, integ: i, mode: wireTransport, seconds: 60}
	}
	ah := &phase2Transform{integ: suite.HMACSHA1_96, mode: wireTransport, seconds: 60}
	tunnelAH := *ah
	tunnelAH.mode = wireTunnel
	spi := func(isakmp.ProtocolID) uint32 { return 0x1000 }
	cases := map[string]struct {
		s  phase2Suite
		ok bool
	}{
		"cbc with sha1":            {phase2Suite{esp: esp(suite.AESCBC, 128, suite.HMACSHA1_96)}, true},
		"cbc alone":                {phase2Suite{esp: esp(suite.AESCBC, 128, suite.IntegNone)}, false},
		"ctr alone":                {phase2Suite{esp: esp(suite.AESCTR, 128, suite.IntegNone)}, false},
		"null alone":               {phase2Suite{esp: esp(suite.Null, 0, suite.IntegNone)}, false},
		"null with sha1":           {phase2Suite{esp: esp(suite.Null, 0, suite.HMACSHA1_96)}, true},
		"cbc under ah":             {phase2Suite{esp: esp(suite.AESCBC, 128, suite.IntegNone), ah: ah}, true},
		"gcm":                      {phase2Suite{esp: esp(suite.AESGCM16, 128, suite.IntegNone)}, true},
		"gcm with sha1":            {phase2Suite{esp: esp(suite.AESGCM16, 128, suite.HMACSHA1_96)}, false},
		"ah and esp in two modes":  {phase2Suite{esp: esp(suite.AESCBC, 128, suite.HMACSHA1_96), ah: &tunnelAH}, false},
		"cbc with GMAC":            {phase2Suite{esp: esp(suite.AESCBC, 128, suite.AES128GMAC)}, false},
		"chacha has no number":     {phase2Suite{esp: esp(suite.ChaCha20Poly1305, 0, suite.IntegNone)}, false},
		"cbc without a key length": {phase2Suite{esp: esp(suite.AESCBC, 0, suite.HMACSHA1_96)}, false},
	}
	for name, c := range cases {
		sa := phase2SA([]phase2Suite{c.s}, spi)
		if _, ok, _ := choosePhase2(sa, []phase2Suite{c.s}); ok != c.ok {
			t.Errorf("%s: chosen is %v", name, ok)
		}
		if _, err := acceptPhase2(sa, []phase2Suite{c.s}); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (phase2Suite{}).check(); err == nil {
		t.Error("a proposal of nothing")
	}
}

// TestRFC2407Section4_5Attributes: phase 2 attributes one by one.
func TestRFC2407Section4_5Attributes(t *testing.T) {
	good := []uint16{attr2Mode, wireTunnel, attr2Auth, 2, attr2KeyLength, 128}
	parse := func(p isakmp.ProtocolID, id uint8, pairs ...uint16) (phase2Transform, error) {
		return parsePhase2Transform(p, isakmp.Transform{ID: id, Attributes: basic(pairs...)})
	}
	for mode, want := range map[uint16]uint16{1: 1, 2: 2, 3: 3, 4: 4, wireUDPTunnelDraft: 3, wireUDPTransportDraft: 4} {
		if s, err := parse(isakmp.ProtoESP, 12, attr2Mode, mode, attr2Auth, 2, attr2KeyLength, 128); err != nil || s.mode != want || modeName(want) == "" {
			t.Errorf("mode %d: %+v, %v", mode, s, err)
		}
	}
	for name, try := range map[string]func() (phase2Transform, error){
		"no mode": func() (phase2Transform, error) { return parse(isakmp.ProtoESP, 12, attr2Auth, 2, attr2KeyLength, 128) },
		"unknown authentication": func() (phase2Transform, error) {
			return parse(isakmp.ProtoESP, 12, attr2Mode, 1, attr2Auth, 3, attr2KeyLength, 128)
		},
		"unknown transform": func() (phase2Transform, error) { return parse(isakmp.ProtoESP, 99, good...) },
		"unknown attribute": func() (phase2Transform, error) { return parse(isakmp.ProtoESP, 12, append(good, 10, 1)...) },
		"ESN 2":             func() (phase2Transform, error) { return parse(isakmp.ProtoESP, 12, append(good, attr2ESN, 2)...) },
		"mode twice":        func() (phase2Transform, error) { return parse(isakmp.ProtoESP, 12, append(good, attr2Mode, 1)...) },
		"key length 0": func() (phase2Transform, error) {
			return parse(isakmp.ProtoESP, 12, attr2Mode, 1, attr2Auth, 2, attr2KeyLength, 0)
		},
		"AH of another algorithm": func() (phase2Transform, error) { return parse(isakmp.ProtoAH, 2, attr2Mode, 1, attr2Auth, 2) },
		"AH without algorithm":    func() (phase2Transform, error) { return parse(isakmp.ProtoAH, 3, attr2Mode, 1) },
		"AH with a key length": func() (phase2Transform, error) {
			return parse(isakmp.ProtoAH, 3, attr2Mode, 1, attr2Auth, 2, attr2KeyLength, 128)
		},
		"lifetime of nothing": func() (phase2Transform, error) { return parse(isakmp.ProtoESP, 12, append(good, attr2LifeType, 7)...) },
	} {
		if s, err := try(); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
	// Alternatives and bundles: reserved SPIs, protocols twice, odd SPI lengths.
	base := isakmp.Proposal{Number: 1, Protocol: isakmp.ProtoESP, SPI: be32(0x1000), Transforms: []isakmp.Transform{{Number: 1, ID: 12, Attributes: basic(good...)}}}
	allowed := []phase2Suite{{esp: &phase2Transform{encr: suite.AESCBC, keyBits: 128, integ: suite.HMACSHA1_96, mode: wireTunnel}}}
	reserved, short, comp := base, base, base
	reserved.SPI, short.SPI, comp.Protocol = be32(255), []byte{1, 2}, 4
	for name, ps := range map[string][]isakmp.Proposal{"reserved SPI": {reserved}, "short SPI": {short}, "IPComp": {comp}, "ESP twice": {base, base}} {
		if _, ok, _ := choosePhase2(isakmp.SA{Proposals: ps}, allowed); ok {
			t.Errorf("%s was chosen", name)
		}
	}
	second := base
	second.Number = 2
	if c, ok, seen := choosePhase2(isakmp.SA{Proposals: []isakmp.Proposal{reserved, second}}, allowed); !ok || c.answer[0].Number != 2 || len(seen) != 2 {
		t.Errorf("the second alternative: %+v, %v", c, seen)
	}
	if _, err := acceptPhase2(isakmp.SA{Proposals: []isakmp.Proposal{base, second}}, allowed); err == nil {
		t.Error("an answer of two alternatives was accepted")
	}
}

// TestA2SelectorsOfIdentities: identities that no filter may come from.
func TestA2SelectorsOfIdentities(t *testing.T) {
	four := isakmp.Identification{Type: isakmp.IDIPv4Addr, Data: []byte{192, 0, 2, 1}}
	six := isakmp.Identification{Type: isakmp.IDIPv6Addr, Data: make([]byte, 16)}
	name := isakmp.Identification{Type: isakmp.IDFQDN, Data: []byte("a.example")}
	tcp, port := four, four
	tcp.Protocol = 6
	port.Port = 25
	for _, pair := range [][2]isakmp.Identification{{four, six}, {name, four}, {four, name}, {tcp, four}, {port, four}, {four, port}} {
		if sel, err := selectorOf(pair[0], pair[1]); err == nil {
			t.Errorf("%v and %v became %v", pair[0], pair[1], sel)
		}
	}
	ci, cr := tcp, tcp
	ci.Port, cr.Port = 1024, 25
	sel, err := selectorOf(ci, cr)
	if err != nil || sel.DstPorts.From != 1024 || sel.SrcPorts.From != 25 {
		t.Errorf("%v, %v", sel, err)
	}
	ci.Protocol, cr.Protocol = 1, 1 // a type and a code have no sides
	ci.Port, cr.Port = 8, 3
	if sel, err = selectorOf(ci, cr); err != nil || sel.SrcPorts.From != 8 || sel.DstPorts.From != 3 {
		t.Errorf("%v, %v", sel, err)
	}
	back, forth, err := clientIDs(sel.Mirror())
	if err != nil || back.Port != 8 || forth.Port != 3 {
		t.Errorf("%v %v: %v", back, forth, err)
	}
	sel.SrcPorts.To = 20
	if _, _, err := clientIDs(sel); err == nil {
		t.Error("a range of ports became an identity")
	}
}
