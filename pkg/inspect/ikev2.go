package inspect

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/suite"
)

var exchangesV2 = map[uint64]string{34: "IKE_SA_INIT", 35: "IKE_AUTH", 36: "CREATE_CHILD_SA", 37: "INFORMATIONAL", 38: "IKE_SESSION_RESUME", 43: "IKE_INTERMEDIATE", 44: "IKE_FOLLOWUP_KE"}

func exchangeV2(x uint8) string { return named(exchangesV2, uint64(x), "exchange") }

func directionV2(flags uint8) string {
	if flags&isakmp.FlagV2Response != 0 {
		return " response"
	}
	return " request"
}

func flagsV2(f uint8) string {
	return flagText(f, []flagName{{isakmp.FlagV2Initiator, "initiator"}, {16, "higher version"}, {isakmp.FlagV2Response, "response"}})
}

// Payloads of RFC 7296 §3.2 that are looked into, and the two that end a chain: what follows lies inside them.
const (
	v2SA     = 33
	v2KE     = 34
	v2Notify = 41
	v2Vendor = 43
	v2SK     = 46
	v2SKF    = 53
)

var payloadsV2 = map[uint64]string{0: "none", v2SA: "SA", v2KE: "KE", 35: "IDi", 36: "IDr", 37: "CERT", 38: "CERTREQ", 39: "AUTH", 40: "NONCE", v2Notify: "NOTIFY", 42: "DELETE", v2Vendor: "VENDOR",
	44: "TSi", 45: "TSr", v2SK: "SK", 47: "CP", 48: "EAP", v2SKF: "SKF", 54: "PS"}

func payloadV2(t uint8) string { return named(payloadsV2, uint64(t), "payload") }

// bodyV2 prints the chain of payloads of an IKEv2 message. What is encrypted stays so.
func (p *Packet) bodyV2(first uint8, b []byte) {
	for t, n := first, 0; t != 0; n++ {
		if n == isakmp.MaxPayloads {
			p.malformed("IKEv2 message", fmt.Errorf("it has more than %d payloads", isakmp.MaxPayloads))
			return
		}
		size := 0
		if len(b) >= 4 {
			size = int(binary.BigEndian.Uint16(b[2:]))
		}
		if size < 4 || size > len(b) {
			p.malformed("IKEv2 message", fmt.Errorf("%s claims %d bytes of %d", payloadV2(t), size, len(b)))
			return
		}
		p.payloadBodyV2(t, b[4:size], b[0])
		if t == v2SK || t == v2SKF {
			return
		}
		t, b = b[0], b[size:]
	}
}

func (p *Packet) payloadBodyV2(t uint8, b []byte, next uint8) {
	name := payloadV2(t)
	switch {
	case t == v2SK:
		p.add(0, "%s: encrypted, %d bytes, first payload %s", name, len(b), payloadV2(next))
	case t == v2SKF && len(b) >= 4:
		p.add(0, "%s: encrypted fragment %d of %d, %d bytes", name, binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]), len(b)-4)
	case t == v2KE && len(b) >= 4:
		p.add(0, "%s: %s, %d bytes", name, groupName(binary.BigEndian.Uint16(b)), len(b)-4)
	case t == v2Notify && len(b) >= 4:
		p.add(0, "%s: %s, %d bytes", name, named(notifiesV2, uint64(binary.BigEndian.Uint16(b[2:])), "type"), len(b)-4)
	case t == v2Vendor:
		p.add(0, "%s: %s", name, vendorName(b))
	case t == v2SA:
		p.add(0, "%s:", name)
		p.proposalsV2(b)
	default:
		p.add(0, "%s: %d bytes", name, len(b))
	}
}

// proposalsV2 prints the proposals of an SA payload (RFC 7296 §3.3). Each step consumes at least eight bytes.
func (p *Packet) proposalsV2(b []byte) {
	for len(b) > 0 {
		size := 0
		if len(b) >= 8 {
			size = int(binary.BigEndian.Uint16(b[2:]))
		}
		if size < 8 || size > len(b) || 8+int(b[6]) > size {
			p.add(1, "malformed: a proposal claims %d bytes of %d", size, len(b))
			return
		}
		spi := ""
		if b[6] > 0 {
			spi = fmt.Sprintf(" SPI %.16x", b[8:8+int(b[6])])
		}
		p.add(1, "proposal %d: %s%s: %s", b[4], named(map[uint64]string{1: "IKE", 2: "AH", 3: "ESP"}, uint64(b[5]), "protocol"), spi, transformsV2(b[8+int(b[6]):size]))
		b = b[size:]
	}
}

// transformsV2 writes transforms on one line.
func transformsV2(b []byte) string {
	var parts []string
	for len(b) > 0 {
		size := 0
		if len(b) >= 8 {
			size = int(binary.BigEndian.Uint16(b[2:]))
		}
		if size < 8 || size > len(b) {
			return strings.Join(append(parts, "malformed"), ", ")
		}
		parts = append(parts, transformV2(b[4], binary.BigEndian.Uint16(b[6:]), b[8:size]))
		b = b[size:]
	}
	return strings.Join(parts, ", ")
}

func transformV2(kind uint8, id uint16, attrs []byte) string {
	bits := 0
	if as, err := isakmp.ParseAttributes(attrs); err == nil && len(as) == 1 && as[0].Type == 14 {
		if n, ok := as[0].Number(); ok && n <= 0xffff {
			bits = int(n)
		}
	}
	switch kind {
	case 1:
		if _, ok := suite.Encr(id).Info(); ok {
			return suite.Encr(id).Name(bits)
		}
		return fmt.Sprintf("encryption %d", id)
	case 2:
		return named(map[uint64]string{1: "prf-md5", 2: "prf-sha1", 4: "prf-aes-xcbc", 5: "prf-sha2-256", 6: "prf-sha2-384", 7: "prf-sha2-512", 8: "prf-aes-cmac"}, uint64(id), "prf")
	case 3:
		if info, ok := suite.Integ(id).Info(); ok && id != 0 {
			return info.Name
		}
		return fmt.Sprintf("integrity %d", id)
	case 4:
		return groupName(id)
	case 5:
		return named(map[uint64]string{0: "no-esn", 1: "esn"}, uint64(id), "sequence numbers")
	}
	return fmt.Sprintf("transform type %d, ID %d", kind, id)
}

// notifiesV2 are the notifications that people meet most.
var notifiesV2 = map[uint64]string{1: "UNSUPPORTED_CRITICAL_PAYLOAD", 4: "INVALID_IKE_SPI", 5: "INVALID_MAJOR_VERSION", 7: "INVALID_SYNTAX", 9: "INVALID_MESSAGE_ID", 11: "INVALID_SPI",
	14: "NO_PROPOSAL_CHOSEN", 17: "INVALID_KE_PAYLOAD", 24: "AUTHENTICATION_FAILED", 34: "SINGLE_PAIR_REQUIRED", 35: "NO_ADDITIONAL_SAS", 36: "INTERNAL_ADDRESS_FAILURE", 37: "FAILED_CP_REQUIRED",
	38: "TS_UNACCEPTABLE", 39: "INVALID_SELECTORS", 43: "TEMPORARY_FAILURE", 44: "CHILD_SA_NOT_FOUND", 16384: "INITIAL_CONTACT", 16385: "SET_WINDOW_SIZE", 16386: "ADDITIONAL_TS_POSSIBLE",
	16388: "NAT_DETECTION_SOURCE_IP", 16389: "NAT_DETECTION_DESTINATION_IP", 16390: "COOKIE", 16391: "USE_TRANSPORT_MODE", 16393: "REKEY_SA", 16394: "ESP_TFC_PADDING_NOT_SUPPORTED",
	16396: "MOBIKE_SUPPORTED", 16404: "MULTIPLE_AUTH_SUPPORTED", 16406: "REDIRECT_SUPPORTED", 16418: "CHILDLESS_IKEV2_SUPPORTED", 16430: "IKEV2_FRAGMENTATION_SUPPORTED",
	16431: "SIGNATURE_HASH_ALGORITHMS", 16435: "USE_PPK", 16438: "INTERMEDIATE_EXCHANGE_SUPPORTED"}
