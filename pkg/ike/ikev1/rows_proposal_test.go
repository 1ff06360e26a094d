package ikev1

import (
	"fmt"
	"testing"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Rows about proposals.

func attributes(as ...isakmp.Attribute) []isakmp.Attribute { return as }

// TestP6P8P27Phase1 offers transforms with parts missing, with key lengths that are none, and with other authentication methods: no answer.
func TestP6P8P27Phase1(t *testing.T) {
	basic := isakmp.BasicAttribute
	good := attributes(basic(attrEncryption, 7), basic(attrKeyLength, 128), basic(attrHash, 2), basic(attrGroup, 14), basic(attrAuth, 1))
	allowed := []phase1Suite{{encr: suite.AESCBC, keyBits: 128, hash: suite.SHA1, group: suite.MODP2048, auth: authPSK},
		{encr: suite.TripleDES, hash: suite.SHA1, group: suite.MODP2048, auth: authPSK}}
	try := func(as []isakmp.Attribute) bool {
		sa := isakmp.SA{DOI: 1, Situation: 1, Proposals: []isakmp.Proposal{{Number: 1, Protocol: isakmp.ProtoISAKMP,
			Transforms: []isakmp.Transform{{Number: 1, ID: keyIKE, Attributes: as}}}}}
		back, err := isakmp.ParseSA(sa.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		_, answer, _ := choosePhase1(back, allowed)
		return answer != nil
	}
	if !try(good) {
		t.Fatal("a good transform is refused")
	}
	with := func(a isakmp.Attribute) []isakmp.Attribute { // in place of the one of its type
		var out []isakmp.Attribute
		for _, g := range good {
			if g.Type == a.Type {
				g = a
			}
			out = append(out, g)
		}
		return out
	}
	without := func(kind uint16) []isakmp.Attribute {
		var out []isakmp.Attribute
		for _, g := range good {
			if g.Type != kind {
				out = append(out, g)
			}
		}
		return out
	}
	bad := map[string][]isakmp.Attribute{
		"no encryption": without(attrEncryption), "no hash": without(attrHash), "no group": without(attrGroup), "no authentication": without(attrAuth),
		"AES without a key length": without(attrKeyLength), "key length twice": append(with(basic(attrKeyLength, 128)), basic(attrKeyLength, 128)),
		"key length of two kinds":    append(with(basic(attrKeyLength, 256)), basic(attrKeyLength, 128)),
		"3DES with a key length":     append(with(basic(attrEncryption, 5)), basic(attrKeyLength, 192)),
		"long form of a key length":  with(isakmp.Attribute{Type: attrKeyLength, Value: []byte{0, 128}}),
		"long form, four bytes":      with(isakmp.Attribute{Type: attrKeyLength, Value: []byte{0, 0, 0, 128}}),
		"long form of an encryption": with(isakmp.Attribute{Type: attrEncryption, Value: []byte{0, 7}}),
		"empty long form":            with(isakmp.Attribute{Type: attrHash}),
		"nothing":                    {},
		"an unknown attribute":       append(with(basic(attrHash, 2)), basic(99, 1)),
	}
	for _, n := range []uint16{0, 1, 64, 127, 129, 192, 65535} {
		bad[fmt.Sprintf("key length %d", n)] = with(basic(attrKeyLength, n))
	}
	for _, n := range []uint16{0, 2, 3, 4, 5, 6, 65001, 65535} {
		bad[fmt.Sprintf("authentication method %d", n)] = with(basic(attrAuth, n))
	}
	for _, n := range []uint16{0, 11, 65535} { // NULL is no cipher of IKE
		bad[fmt.Sprintf("encryption %d", n)] = with(basic(attrEncryption, n))
	}
	for name, as := range bad {
		if try(as) {
			t.Errorf("%s: accepted", name)
		}
	}
	// P27: nothing that this host offers asks for public key encryption.
	for _, s := range phase1Offers(policy.KeyExchange{Methods: []policy.MainModeMethod{{Encr: suite.AESCBC, Hash: suite.SHA256, Group: suite.MODP2048}}}, []policy.AuthMethod{{Kind: policy.PSK, PSK: policy.NewSecret([]byte("x"))}}) {
		if s.auth != authPSK {
			t.Errorf("offered: %v", s)
		}
	}
}

// TestP6P8D3Phase2 does the same for ESP and AH; encryption without integrity is refused even where the policy's list has it.
func TestP6P8D3Phase2(t *testing.T) {
	basic := isakmp.BasicAttribute
	aes := phase2Transform{encr: suite.AESCBC, keyBits: 128, integ: suite.HMACSHA1_96, mode: wireTunnel, seconds: 3600}
	naked := phase2Transform{encr: suite.AESCBC, keyBits: 128, mode: wireTunnel, seconds: 3600}
	null := phase2Transform{encr: suite.Null, mode: wireTunnel, seconds: 3600}
	double := phase2Transform{encr: suite.AESGCM16, keyBits: 128, integ: suite.HMACSHA1_96, mode: wireTunnel, seconds: 3600}
	ah := phase2Transform{integ: suite.HMACSHA1_96, mode: wireTunnel, seconds: 3600}
	allowed := []phase2Suite{{esp: &aes}, {esp: &naked}, {esp: &null}, {esp: &double}, {esp: &naked, ah: &ah}}
	spi := func(isakmp.ProtocolID) uint32 { return 0x12345 }
	try := func(sa isakmp.SA) (choice, bool) {
		back, err := isakmp.ParseSA(sa.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		c, ok, _ := choosePhase2(back, allowed)
		return c, ok
	}
	if _, ok := try(phase2SA([]phase2Suite{{esp: &aes}}, spi)); !ok {
		t.Fatal("a good proposal is refused")
	}
	for _, bad := range []phase2Suite{{esp: &naked}, {esp: &null}, {esp: &double}} {
		if c, ok := try(phase2SA([]phase2Suite{bad}, spi)); ok {
			t.Errorf("%+v was chosen", *c.suite.esp)
		}
	}
	if c, ok := try(phase2SA([]phase2Suite{{esp: &naked, ah: &ah}}, spi)); !ok || c.suite.ah == nil {
		t.Error("encryption under an AH of the same proposal is refused")
	}
	change := func(f func(*isakmp.Transform)) isakmp.SA {
		sa := phase2SA([]phase2Suite{{esp: &aes}}, spi)
		f(&sa.Proposals[0].Transforms[0])
		return sa
	}
	replace := func(a isakmp.Attribute) func(*isakmp.Transform) {
		return func(tr *isakmp.Transform) {
			for i := range tr.Attributes {
				if tr.Attributes[i].Type == a.Type {
					tr.Attributes[i] = a
				}
			}
		}
	}
	remove := func(kind uint16) func(*isakmp.Transform) {
		return func(tr *isakmp.Transform) {
			var out []isakmp.Attribute
			for _, a := range tr.Attributes {
				if a.Type != kind {
					out = append(out, a)
				}
			}
			tr.Attributes = out
		}
	}
	bad := map[string]func(*isakmp.Transform){
		"no mode": remove(attr2Mode), "no integrity": remove(attr2Auth), "no key length": remove(attr2KeyLength),
		"key length twice":           func(tr *isakmp.Transform) { tr.Attributes = append(tr.Attributes, basic(attr2KeyLength, 128)) },
		"long form of a key length":  replace(isakmp.Attribute{Type: attr2KeyLength, Value: []byte{0, 128}}),
		"long form of the integrity": replace(isakmp.Attribute{Type: attr2Auth, Value: []byte{0, 2}}),
		"transform 0":                func(tr *isakmp.Transform) { tr.ID = 0 },
		"transform 255":              func(tr *isakmp.Transform) { tr.ID = 255 },
		"mode 0":                     replace(basic(attr2Mode, 0)),
		"mode 9":                     replace(basic(attr2Mode, 9)),
	}
	for _, n := range []uint16{0, 1, 64, 256, 65535} {
		bad[fmt.Sprintf("key length %d", n)] = replace(basic(attr2KeyLength, n))
	}
	for name, f := range bad {
		if _, ok := try(change(f)); ok {
			t.Errorf("%s: accepted", name)
		}
	}
}
