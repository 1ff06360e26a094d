package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/goipsec/goipsec/pkg/suite"
)

// Authentication methods of a phase 1 transform (RFC 2409 appendix A, RFC 4754 §4).
const (
	PreSharedKey = 1
	RSASignature = 3
	ECDSA256     = 9
	ECDSA384     = 10
	ECDSA521     = 11
)

// maxRSABits bounds the modulus of a key that a peer sends: the work of a verification grows faster than its length.
const maxRSABits = 8192

// errSignature is every signature that is not right, for whatever reason.
var errSignature = errors.New("the signature is wrong")

// SKEYIDSignature is the root of an ISAKMP SA's keys with signatures: prf(Ni_b | Nr_b, g^xy) (RFC 2409 §5).
func SKEYIDSignature(h suite.Hash, ni, nr, gxy []byte) []byte {
	return prf(h, append(append([]byte(nil), ni...), nr...), gxy)
}

// Method is the authentication method of a public key, 0 if IKEv1 has none for it.
func Method(public crypto.PublicKey) uint16 {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return RSASignature
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return ECDSA256
		case elliptic.P384():
			return ECDSA384
		case elliptic.P521():
			return ECDSA521
		}
	}
	return 0
}

// Sign signs HASH_I or HASH_R. With RSA the hash stands in a PKCS #1 block of type 1 without the identifier of an algorithm (RFC 2409 §5.1); with ECDSA
// it is what is signed, and the signature is r | s, each as long as the curve's order (RFC 4754 §7).
func Sign(rand io.Reader, signer crypto.Signer, hash []byte) ([]byte, error) {
	sig, err := signer.Sign(rand, hash, crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("the private key could not sign: %w", err)
	}
	key, ok := signer.Public().(*ecdsa.PublicKey)
	if !ok {
		return sig, nil
	}
	var rs struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(sig, &rs); err != nil || len(rest) > 0 {
		return nil, errors.New("the private key made an ECDSA signature that is none")
	}
	n := orderLen(key)
	if len(rs.R.Bytes()) > n || len(rs.S.Bytes()) > n {
		return nil, errors.New("the private key made an ECDSA signature that is too long")
	}
	out := make([]byte, 2*n)
	rs.R.FillBytes(out[:n])
	rs.S.FillBytes(out[n:])
	return out, nil
}

// VerifySignature checks a signature of HASH_I or HASH_R by the holder of public (see Sign). A nil error means that it is right. An empty
// signature is never (security.md P22), nor is one of a key of a kind that IKEv1 does not know or of more than 8192 bits (P23).
func VerifySignature(public crypto.PublicKey, hash, sig []byte) error {
	if len(sig) == 0 || len(hash) == 0 {
		return errSignature
	}
	if Method(public) == 0 {
		return errors.New("IKEv1 knows no signatures with the peer's kind of key")
	}
	switch k := public.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() > maxRSABits {
			return fmt.Errorf("the peer's RSA key has %d bits, and %d are the most that are taken", k.N.BitLen(), maxRSABits)
		}
		if rsa.VerifyPKCS1v15(k, crypto.Hash(0), hash, sig) != nil {
			return errSignature
		}
		return nil
	case *ecdsa.PublicKey:
		n := orderLen(k)
		if len(sig) != 2*n {
			return errSignature
		}
		if !ecdsa.Verify(k, hash, new(big.Int).SetBytes(sig[:n]), new(big.Int).SetBytes(sig[n:])) {
			return errSignature
		}
		return nil
	}
	return errSignature
}

// orderLen is the length of a number below the order of the key's curve, in bytes.
func orderLen(k *ecdsa.PublicKey) int { return (k.Params().N.BitLen() + 7) / 8 }
