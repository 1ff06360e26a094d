package ikev1

import (
	"encoding/binary"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/suite"
)

// phase1Keys are the keys of an ISAKMP SA (RFC 2409 §5).
type phase1Keys struct {
	skeyid  []byte
	derive  []byte // SKEYID_d
	auth    []byte // SKEYID_a
	encrypt []byte // SKEYID_e
}

// derivePhase1 derives the three keys from SKEYID:
//
//	SKEYID_d = prf(SKEYID, g^xy | CKY-I | CKY-R | 0)
//	SKEYID_a = prf(SKEYID, SKEYID_d | g^xy | CKY-I | CKY-R | 1)
//	SKEYID_e = prf(SKEYID, SKEYID_a | g^xy | CKY-I | CKY-R | 2)
func derivePhase1(h suite.Hash, skeyid, gxy []byte, i, r isakmp.Cookie) phase1Keys {
	k := phase1Keys{skeyid: skeyid}
	k.derive = prf(h, skeyid, gxy, i[:], r[:], []byte{0})
	k.auth = prf(h, skeyid, k.derive, gxy, i[:], r[:], []byte{1})
	k.encrypt = prf(h, skeyid, k.auth, gxy, i[:], r[:], []byte{2})
	return k
}

// encryptionKey makes a cipher key of n bytes out of SKEYID_e (RFC 2409 appendix B): its first bytes, or, where it is
// too short, K1 | K2 | … with K1 = prf(SKEYID_e, 0) and Ki = prf(SKEYID_e, Ki-1).
func encryptionKey(h suite.Hash, skeyidE []byte, n int) []byte {
	if len(skeyidE) >= n {
		return skeyidE[:n:n]
	}
	var out []byte
	for k := prf(h, skeyidE, []byte{0}); ; k = prf(h, skeyidE, k) {
		if out = append(out, k...); len(out) >= n {
			return out[:n:n]
		}
	}
}

// phase1IV is the first IV of phase 1: hash(g^xi | g^xr), cut to the block (RFC 2409 appendix B).
func phase1IV(h suite.Hash, gxi, gxr []byte, block int) []byte {
	return digest(h, gxi, gxr)[:block:block]
}

// phase2IV is the first IV of a phase 2 exchange: hash(last block of phase 1 | M-ID).
func phase2IV(h suite.Hash, last []byte, messageID uint32, block int) []byte {
	return digest(h, last, be32(messageID))[:block:block]
}

// keymat is the keying material of one direction of one protocol (RFC 2409 §5.5):
//
//	KEYMAT = K1 | K2 | …, K1 = prf(SKEYID_d, [g(qm)^xy |] protocol | SPI | Ni_b | Nr_b), Ki = prf(SKEYID_d, Ki-1 | …)
func keymat(h suite.Hash, skeyidD, gxy []byte, protocol isakmp.ProtocolID, spi uint32, ni, nr []byte, n int) []byte {
	return expand(h, skeyidD, n, gxy, []byte{uint8(protocol)}, be32(spi), ni, nr)
}

// expand is the chain K1 | K2 | … of n bytes with K1 = prf(key, seed) and Ki = prf(key, Ki-1 | seed).
func expand(h suite.Hash, key []byte, n int, seed ...[]byte) []byte {
	var out, last []byte
	for len(out) < n {
		last = prf(h, key, append([][]byte{last}, seed...)...)
		out = append(out, last...)
	}
	return out[:n:n]
}

// hash12 is HASH(1) of quick mode and of informational exchanges, prf(SKEYID_a, M-ID | rest), and with before = Ni_b
// HASH(2), prf(SKEYID_a, M-ID | Ni_b | rest). rest is the message after its hash payload, without padding.
func hash12(h suite.Hash, skeyidA []byte, messageID uint32, before, rest []byte) []byte {
	return prf(h, skeyidA, be32(messageID), before, rest)
}

// hash3 is HASH(3) of quick mode: prf(SKEYID_a, 0 | M-ID | Ni_b | Nr_b).
func hash3(h suite.Hash, skeyidA []byte, messageID uint32, ni, nr []byte) []byte {
	return prf(h, skeyidA, []byte{0}, be32(messageID), ni, nr)
}

func prf(h suite.Hash, key []byte, parts ...[]byte) []byte {
	m := h.PRF(key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}

func digest(h suite.Hash, parts ...[]byte) []byte {
	d := h.New()
	for _, p := range parts {
		d.Write(p)
	}
	return d.Sum(nil)
}

func be32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
