package pki

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"
)

// Object identifiers of extensions and purposes.
var (
	oidKeyUsage          = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidSubjectAltName    = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidNameConstraints   = asn1.ObjectIdentifier{2, 5, 29, 30}
	oidPolicyConstraints = asn1.ObjectIdentifier{2, 5, 29, 36}
	oidInhibitAnyPolicy  = asn1.ObjectIdentifier{2, 5, 29, 54}

	oidIKEIntermediate = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 8, 2, 2}
	oidIPsecIKE        = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 17}
)

// ikePurposes are the extended key usages with one of which a certificate may serve IKE, where it has any (RFC 4945 §5.1.3.12): those made for it, and what
// authorities put into the certificates of machines.
var ikePurposes = []x509.ExtKeyUsage{x509.ExtKeyUsageAny, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth,
	x509.ExtKeyUsageIPSECEndSystem, x509.ExtKeyUsageIPSECTunnel, x509.ExtKeyUsageIPSECUser}

// extension returns the value of an extension.
func extension(c *x509.Certificate, oid asn1.ObjectIdentifier) (value []byte, critical, ok bool) {
	for _, e := range c.Extensions {
		if e.Id.Equal(oid) {
			return e.Value, e.Critical, true
		}
	}
	return nil, false, false
}

func has(c *x509.Certificate, oid asn1.ObjectIdentifier) bool {
	_, _, ok := extension(c, oid)
	return ok
}

// checkExtensions refuses critical extensions that nobody here obeys (RFC 5280 §4.2).
func checkExtensions(c *x509.Certificate) *Error {
	for _, oid := range c.UnhandledCriticalExtensions {
		if !oid.Equal(oidNameConstraints) { // crypto/x509 leaves those of directory names to us
			return refuse(c, CriticalExtension, "it has the critical extension %v, which is not understood", oid)
		}
	}
	return nil
}

// checkLeaf checks that a certificate is one to prove an identity of IKE with.
func checkLeaf(c *x509.Certificate) *Error {
	if has(c, oidKeyUsage) && c.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0 {
		return refuse(c, KeyUsage, "its key may not sign: its key usage needs digitalSignature (RFC 4945 §5.1.3.2)")
	}
	return checkPurpose(c)
}

// checkPurpose checks the extended key usage, where there is one.
func checkPurpose(c *x509.Certificate) *Error {
	if len(c.ExtKeyUsage) == 0 && len(c.UnknownExtKeyUsage) == 0 {
		return nil
	}
	for _, p := range c.ExtKeyUsage {
		if slices.Contains(ikePurposes, p) {
			return nil
		}
	}
	for _, oid := range c.UnknownExtKeyUsage {
		if oid.Equal(oidIKEIntermediate) || oid.Equal(oidIPsecIKE) {
			return nil
		}
	}
	return refuse(c, ExtendedKeyUsage, "it is for other purposes than IKE: its extended key usage needs serverAuth, clientAuth, ikeIntermediate or ipsecIKE (RFC 4945 §5.1.3.12)")
}

// checkAuthority checks that certificate i of a path may issue those before it.
func checkAuthority(path []*x509.Certificate, i int, anchor bool) *Error {
	c := path[i]
	// Old roots are of version 1, which has no extensions; somebody named them as authorities by hand.
	if !(anchor && c.Version < 3) && (!c.BasicConstraintsValid || !c.IsCA) {
		return refuse(c, NotCA, "it is not that of an authority (basicConstraints), but it signed %s", Describe(path[i-1]))
	}
	if has(c, oidKeyUsage) && c.KeyUsage&x509.KeyUsageCertSign == 0 {
		return refuse(c, KeyUsage, "its key may not sign certificates: its key usage needs keyCertSign, and it signed %s", Describe(path[i-1]))
	}
	if c.MaxPathLen > 0 || c.MaxPathLen == 0 && c.MaxPathLenZero {
		below := 0
		for _, b := range path[1:i] {
			if string(b.RawSubject) != string(b.RawIssuer) {
				below++
			}
		}
		if below > c.MaxPathLen {
			return refuse(c, PathTooLong, "it allows %d authorities below it, and there are %d", c.MaxPathLen, below)
		}
	}
	if !anchor {
		return checkPurpose(c) // an authority for other purposes only cannot issue one for IKE
	}
	return nil
}
