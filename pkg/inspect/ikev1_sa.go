package inspect

import (
	"fmt"
	"strings"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Phase 1 attributes that decryption needs (RFC 2409 appendix A).
const (
	attrCipher = 1
	attrHash   = 2
)

// phase1Ciphers are those that can be decrypted here.
var phase1Ciphers = map[uint64]suite.Encr{1: suite.DES, 5: suite.TripleDES, 7: suite.AESCBC}

// saV1 prints an SA payload: proposals and their transforms.
func (p *Packet) saV1(b []byte) error {
	sa, err := isakmp.ParseSA(b)
	if err != nil {
		return err
	}
	p.add(0, "SA:")
	for _, x := range sa.Proposals {
		spi := ""
		if len(x.SPI) > 0 {
			spi = fmt.Sprintf(" SPI %.16x", x.SPI)
		}
		p.add(1, "proposal %d: %s%s", x.Number, protocolV1(x.Protocol), spi)
		for _, t := range x.Transforms {
			p.add(2, "transform %d: %s", t.Number, transformV1(x.Protocol, &t))
		}
	}
	return nil
}

func transformV1(proto isakmp.ProtocolID, t *isakmp.Transform) string {
	if proto == isakmp.ProtoISAKMP {
		s := attributesText(t.Attributes, attributeV1Phase1)
		if t.ID != 1 {
			s = joined(fmt.Sprintf("ID %d", t.ID), s)
		}
		return s
	}
	return joined(named(transformNames[proto], uint64(t.ID), "ID"), attributesText(t.Attributes, attributeV1Phase2))
}

func joined(a, b string) string {
	if b == "" {
		return a
	}
	return a + ", " + b
}

// transformNames are the transforms of AH and ESP (RFC 2407 §4.4.3, §4.4.4 and IANA).
var transformNames = map[isakmp.ProtocolID]map[uint64]string{
	isakmp.ProtoAH: {2: "md5", 3: "sha1", 4: "des-mac", 5: "sha2-256", 6: "sha2-384", 7: "sha2-512", 8: "ripemd", 9: "aes-xcbc", 11: "aes128-gmac", 12: "aes192-gmac", 13: "aes256-gmac"},
	isakmp.ProtoESP: {1: "des-iv64", 2: "des", 3: "3des", 4: "rc5", 5: "idea", 6: "cast", 7: "blowfish", 11: "null", 12: "aes-cbc", 13: "aes-ctr", 14: "aes-ccm-8", 15: "aes-ccm-12", 16: "aes-ccm-16",
		18: "aes-gcm-8", 19: "aes-gcm-12", 20: "aes-gcm-16", 22: "camellia", 23: "null-aes-gmac"},
}

// attributeNames say what an attribute is called and what its values are.
type attributeNames struct {
	label  string
	values map[uint64]string
}

// Labels of the two attributes that make one lifetime.
const (
	lifeType = "life type"
	life     = "life"
)

var lifeTypes = map[uint64]string{1: "seconds", 2: "kilobytes"}

// attributeV1Phase1 is RFC 2409 appendix A.
var attributeV1Phase1 = map[uint16]attributeNames{
	attrCipher: {"cipher", map[uint64]string{1: "des", 2: "idea", 3: "blowfish", 4: "rc5", 5: "3des", 6: "cast", 7: "aes-cbc", 8: "camellia"}},
	attrHash:   {"hash", map[uint64]string{1: "md5", 2: "sha1", 3: "tiger", 4: "sha2-256", 5: "sha2-384", 6: "sha2-512"}},
	3:          {"auth", map[uint64]string{1: "psk", 2: "dss", 3: "rsa-signature", 4: "rsa-encryption", 5: "rsa-revised", 9: "ecdsa-256", 10: "ecdsa-384", 11: "ecdsa-521", 65001: "xauth-psk", 65005: "xauth-rsa"}},
	4:          {"group", nil},
	11:         {lifeType, nil},
	12:         {life, nil},
	13:         {"prf", nil},
	14:         {"key bits", nil},
}

// attributeV1Phase2 is RFC 2407 §4.5, RFC 3947 §5.1 and RFC 4304.
var attributeV1Phase2 = map[uint16]attributeNames{
	1:  {lifeType, nil},
	2:  {life, nil},
	3:  {"group", nil},
	4:  {"mode", map[uint64]string{1: "tunnel", 2: "transport", 3: "tunnel in udp", 4: "transport in udp", 61443: "tunnel in udp (draft)", 61444: "transport in udp (draft)"}},
	5:  {"auth", map[uint64]string{1: "hmac-md5", 2: "hmac-sha1", 3: "des-mac", 4: "kpdk", 5: "hmac-sha2-256", 6: "hmac-sha2-384", 7: "hmac-sha2-512", 8: "ripemd", 9: "aes-xcbc", 11: "aes128-gmac", 12: "aes192-gmac", 13: "aes256-gmac"}},
	6:  {"key bits", nil},
	7:  {"key rounds", nil},
	11: {"sequence numbers", map[uint64]string{1: "64-bit"}},
}

// attributesText writes attributes on one line.
func attributesText(as []isakmp.Attribute, names map[uint16]attributeNames) string {
	var parts []string
	unit := "" // of the life duration that follows
	for _, a := range as {
		n, ok := a.Number()
		switch label := names[a.Type].label; {
		case ok && label == lifeType:
			unit = named(lifeTypes, n, "units of type")
		case ok && label == life:
			parts = append(parts, fmt.Sprintf("life %d %s", n, unit))
		default:
			parts = append(parts, attributeText(&a, names))
		}
	}
	return strings.Join(parts, ", ")
}

func attributeText(a *isakmp.Attribute, names map[uint16]attributeNames) string {
	n, ok := a.Number()
	k, known := names[a.Type]
	switch {
	case !ok:
		return fmt.Sprintf("attribute %d of %d bytes", a.Type, len(a.Value))
	case !known:
		return fmt.Sprintf("attribute %d = %d", a.Type, n)
	case k.label == "group" && n <= 0xffff:
		return groupName(uint16(n))
	case k.values == nil:
		return fmt.Sprintf("%s %d", k.label, n)
	}
	return named(k.values, n, k.label)
}

func groupName(n uint16) string {
	if name, _, ok := suite.Group(n).Info(); ok {
		return name
	}
	return fmt.Sprintf("group %d", n)
}

// named is the name of a value, or what kind of thing has no name, and the value.
func named(names map[uint64]string, n uint64, kind string) string {
	if s, ok := names[n]; ok {
		return s
	}
	return fmt.Sprintf("%s %d", kind, n)
}
