package auth

import (
	"crypto/hmac"

	"github.com/goipsec/goipsec/pkg/suite"
)

// SKEYID is the root of an ISAKMP SA's keys with a pre-shared key: prf(pre-shared-key, Ni_b | Nr_b) (RFC 2409 §5).
func SKEYID(h suite.Hash, psk, ni, nr []byte) []byte { return prf(h, psk, ni, nr) }

// Proof is HASH_I, or HASH_R when the initiator's and the responder's parts are swapped (RFC 2409 §5):
//
//	HASH_I = prf(SKEYID, g^xi | g^xr | CKY-I | CKY-R | SAi_b | IDii_b )
//	HASH_R = prf(SKEYID, g^xr | g^xi | CKY-R | CKY-I | SAi_b | IDir_b )
//
// own and peer are the public values and cookies of the side that proves itself and of the other; sa and id are payload
// bodies exactly as they were on the wire.
func Proof(h suite.Hash, skeyid, ownPublic, peerPublic, ownCookie, peerCookie, sa, id []byte) []byte {
	return prf(h, skeyid, ownPublic, peerPublic, ownCookie, peerCookie, sa, id)
}

// Equal compares two proofs in constant time. An empty proof equals nothing (security.md P22).
func Equal(a, b []byte) bool { return len(a) > 0 && hmac.Equal(a, b) }

func prf(h suite.Hash, key []byte, parts ...[]byte) []byte {
	m := h.PRF(key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}
