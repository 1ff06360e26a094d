package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
)

// checkSignature checks that issuer's key signed c.
func checkSignature(c, issuer *x509.Certificate, r Rules) *Error {
	if isSHA1(c.SignatureAlgorithm) && !r.AllowSHA1 {
		return refuse(c, WeakSignature, "it is signed with SHA-1 (%v), which can be forged: have it issued anew, or set allow_sha1 in the policy's certificates", c.SignatureAlgorithm)
	}
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA:
		return refuse(c, WeakSignature, "it is signed with %v, which anybody can forge", c.SignatureAlgorithm)
	case x509.DSAWithSHA1, x509.DSAWithSHA256, x509.UnknownSignatureAlgorithm:
		return refuse(c, WeakSignature, "it is signed by an algorithm that is not supported")
	}
	// Before the key is used: arithmetic with odd keys is what CVE-2017-9022 and its like were about.
	if err := checkKey(issuer, r); err != nil {
		return err
	}
	if !verifyTBS(issuer.PublicKey, c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature, issuer) {
		return refuse(c, BadSignature, "the signature of %s on it is wrong: it was changed, or another authority of that name signed it", Describe(issuer))
	}
	return nil
}

// VerifySignature checks what an authority signed that is no certificate, such as a revocation list. The rules are those of certificates.
func VerifySignature(issuer *x509.Certificate, algorithm x509.SignatureAlgorithm, signed, signature []byte, r Rules) bool {
	if isSHA1(algorithm) && !r.AllowSHA1 || checkKey(issuer, r) != nil {
		return false
	}
	return verifyTBS(issuer.PublicKey, algorithm, signed, signature, issuer)
}

// verifyTBS leaves to crypto/x509 what that accepts; it refuses SHA-1 for good, so that is done here.
func verifyTBS(key crypto.PublicKey, algorithm x509.SignatureAlgorithm, signed, signature []byte, issuer *x509.Certificate) bool {
	if !isSHA1(algorithm) {
		return issuer.CheckSignature(algorithm, signed, signature) == nil
	}
	sum := sha1.Sum(signed)
	switch key := key.(type) {
	case *rsa.PublicKey:
		return algorithm == x509.SHA1WithRSA && rsa.VerifyPKCS1v15(key, crypto.SHA1, sum[:], signature) == nil
	case *ecdsa.PublicKey:
		return algorithm == x509.ECDSAWithSHA1 && ecdsa.VerifyASN1(key, sum[:], signature)
	}
	return false
}

func isSHA1(a x509.SignatureAlgorithm) bool {
	return a == x509.SHA1WithRSA || a == x509.ECDSAWithSHA1 || a == x509.DSAWithSHA1
}

// checkKey checks that a certificate's key is long enough and well formed.
func checkKey(c *x509.Certificate, r Rules) *Error {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return checkRSA(c, key, r)
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() || key.Curve == elliptic.P384() || key.Curve == elliptic.P521() {
			return nil
		}
		return refuse(c, WeakKey, "its key is on the curve %s: P-256, P-384 and P-521 are accepted", key.Curve.Params().Name)
	case ed25519.PublicKey:
		return nil
	}
	return refuse(c, WeakKey, "its key is neither RSA nor on a known elliptic curve")
}

func checkRSA(c *x509.Certificate, key *rsa.PublicKey, r Rules) *Error {
	bits, least := key.N.BitLen(), r.RSABits()
	switch {
	case bits < LeastRSABits:
		return refuse(c, WeakKey, "its RSA key has %d bits: no less than %d is ever accepted", bits, LeastRSABits)
	case bits < least:
		return refuse(c, WeakKey, "its RSA key has %d bits: the policy wants %d or more (min_rsa_bits)", bits, least)
	case bits > MostRSABits:
		return refuse(c, WeakKey, "its RSA key has %d bits, more than %d", bits, MostRSABits)
	case key.N.Bit(0) == 0:
		return refuse(c, WeakKey, "its RSA modulus is even")
	case key.E < 3 || key.E%2 == 0:
		return refuse(c, WeakKey, "its RSA exponent is %d: it must be odd and 3 or more", key.E)
	}
	return nil
}
