package pki

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"
)

// Bounds of a search for a path (RFC 5280 §6.1), so that a peer who has proved nothing cannot make it long.
const (
	MaxPath       = 8  // certificates of a path, the peer's and the authority's included
	maxSignatures = 64 // checked in one search
)

// Verify finds a path from the first certificate that a peer sent to one of the configured authorities, over the others that it sent, and checks all of it at the time now: signatures,
// validity, key lengths, basic constraints, path length, key usage, extended key usage and name constraints (RFC 5280 §6.1, RFC 4945 §5.1). The path is returned
// leaf first and ends in the element of roots. A root needs no signature of its own, since it is trusted as it is; a certificate of a peer that itself stands in roots,
// byte for byte, is its own path. That the peer has the leaf's key, and who the peer is, is for others to check.
//
// An error is an [*Error] that says what is wrong with the path that came furthest.
func Verify(now time.Time, sent, roots []*x509.Certificate, r Rules) ([]*x509.Certificate, error) {
	if len(sent) == 0 {
		return nil, refuse(nil, UnknownCA, "the peer sent no certificate")
	}
	if len(sent) > MaxSent {
		return nil, refuse(nil, Malformed, "the peer sent %d certificates, more than %d", len(sent), MaxSent)
	}
	s := search{now: now, others: sent[1:], roots: roots, rules: r}
	leaf := sent[0]
	for _, root := range roots {
		if root.Equal(leaf) {
			return s.whole([]*x509.Certificate{root})
		}
	}
	if path := s.extend([]*x509.Certificate{leaf}); path != nil {
		return path, nil
	}
	return nil, s.err
}

// search is one search for a path.
type search struct {
	now        time.Time
	others     []*x509.Certificate
	roots      []*x509.Certificate
	rules      Rules
	signatures int

	err   *Error // of the path that came furthest
	reach int    // how far it came
}

// extend looks for an issuer of the last certificate of a path: first among the authorities, in their order.
func (s *search) extend(path []*x509.Certificate) []*x509.Certificate {
	last := path[len(path)-1]
	if len(path) == MaxPath {
		s.failed(len(path), refuse(last, PathTooLong, "the path to an authority has more than %d certificates", MaxPath))
		return nil
	}
	named := false
	for _, root := range s.roots {
		if !bytes.Equal(root.RawSubject, last.RawIssuer) {
			continue
		}
		named = true
		if whole := s.join(path, root, true); whole != nil {
			return whole
		}
	}
	for _, c := range s.others {
		if !bytes.Equal(c.RawSubject, last.RawIssuer) || slices.ContainsFunc(path, c.Equal) {
			continue
		}
		named = true
		if whole := s.join(path, c, false); whole != nil {
			return whole
		}
	}
	if !named {
		s.failed(len(path), s.orphan(last))
	}
	return nil
}

// orphan says that nobody is known who issued a certificate.
func (s *search) orphan(c *x509.Certificate) *Error {
	if bytes.Equal(c.RawSubject, c.RawIssuer) {
		return refuse(c, UnknownCA, "it is signed by itself and is none of the configured authorities (ca)")
	}
	return refuse(c, UnknownCA, "it is signed by an unknown CA, %s: that is none of the configured authorities (ca), and the peer sent no certificate of it", quote(FormatDN(c.RawIssuer)))
}

// join adds an issuer to a path, if it did issue the last certificate of it.
func (s *search) join(path []*x509.Certificate, issuer *x509.Certificate, root bool) []*x509.Certificate {
	last := path[len(path)-1]
	if s.signatures == maxSignatures {
		s.failed(len(path), refuse(last, PathTooLong, "the peer's certificates make more paths than are looked at"))
		return nil
	}
	s.signatures++
	if err := checkSignature(last, issuer, s.rules); err != nil {
		s.failed(len(path), err)
		return nil
	}
	longer := append(slices.Clip(path), issuer)
	if !root {
		return s.extend(longer)
	}
	whole, err := s.whole(longer)
	if err != nil {
		return nil
	}
	return whole
}

// whole checks a path that ends in an authority.
func (s *search) whole(path []*x509.Certificate) ([]*x509.Certificate, error) {
	if err := checkPath(path, s.now, s.rules); err != nil {
		s.failed(2*MaxPath, err) // nothing comes further than to an authority
		return nil, err
	}
	return path, nil
}

func (s *search) failed(reach int, err *Error) {
	if s.err == nil || reach > s.reach {
		s.err, s.reach = err, reach
	}
}

// checkPath checks all certificates of a path whose signatures are right.
func checkPath(path []*x509.Certificate, now time.Time, r Rules) *Error {
	sha1 := false
	for i, c := range path {
		if err := checkValidity(c, now); err != nil {
			return err
		}
		if err := checkKey(c, r); err != nil {
			return err
		}
		if err := checkExtensions(c); err != nil {
			return err
		}
		anchor := i == len(path)-1
		if i == 0 {
			if err := checkLeaf(c); err != nil {
				return err
			}
		}
		if i > 0 {
			if err := checkAuthority(path, i, anchor); err != nil {
				return err
			}
		}
		sha1 = sha1 || !anchor && isSHA1(c.SignatureAlgorithm)
	}
	if err := checkNames(path); err != nil {
		return err
	}
	return secondOpinion(path, now, sha1)
}

// checkValidity checks the time of use.
func checkValidity(c *x509.Certificate, now time.Time) *Error {
	const form = "2006-01-02 15:04 MST"
	switch {
	case now.Before(c.NotBefore):
		return refuse(c, NotYetValid, "it is not valid before %s; this host's clock says %s", c.NotBefore.UTC().Format(form), now.UTC().Format(form))
	case now.After(c.NotAfter):
		return refuse(c, Expired, "it expired on %s; this host's clock says %s", c.NotAfter.UTC().Format(form), now.UTC().Format(form))
	}
	return nil
}

// secondOpinion asks crypto/x509, which knows some rules that IKE has no use for (policies), about a path that was found good. It refuses SHA-1
// for good; a path with it must then not depend on such rules.
func secondOpinion(path []*x509.Certificate, now time.Time, sha1 bool) *Error {
	if sha1 {
		for _, c := range path[1:] {
			if has(c, oidPolicyConstraints) || has(c, oidInhibitAnyPolicy) {
				return refuse(c, CriticalExtension, "constraints of policies are not looked at in a path with SHA-1 signatures")
			}
		}
		return nil
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	for i, c := range path {
		plain := *c
		plain.UnhandledCriticalExtensions = nil // checkExtensions looked at them, and checkNames obeys those of names
		switch i {
		case len(path) - 1:
			roots.AddCert(&plain)
		case 0:
		default:
			between.AddCert(&plain)
		}
	}
	leaf := *path[0]
	leaf.UnhandledCriticalExtensions = nil
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return refuse(path[0], CriticalExtension, "its path is refused: %s", quote(err.Error()))
	}
	return nil
}
