package pki

import (
	"crypto/x509"
	"fmt"
	"slices"
)

// Cause says why a certificate, a chain or an identity was refused.
type Cause uint8

const (
	Malformed         Cause = iota + 1 // cannot be read, or is larger or deeper than allowed
	NotYetValid                        // used before its notBefore
	Expired                            // used after its notAfter
	UnknownCA                          // no path ends in a configured authority
	BadSignature                       // the signature of a certificate is wrong
	WeakKey                            // a key that is too short or of a refused kind
	WeakSignature                      // a signature by a hash that is refused
	NotCA                              // a certificate that is no authority's has issued another
	PathTooLong                        // more authorities in a row than one of them allows
	KeyUsage                           // the key may not be used for this
	ExtendedKeyUsage                   // the certificate is for other purposes
	NameConstraint                     // an authority issued a name outside of its bounds
	CriticalExtension                  // a critical extension that is not understood
	Identity                           // the certificate does not prove the identity
	Revoked                            // known to be revoked
	RevocationUnknown                  // strong checking, and nobody could say whether it is revoked
)

var causes = [...]string{Malformed: "malformed", NotYetValid: "not yet valid", Expired: "expired", UnknownCA: "unknown CA", BadSignature: "bad signature",
	WeakKey: "weak key", WeakSignature: "weak signature", NotCA: "not a CA", PathTooLong: "path too long", KeyUsage: "key usage",
	ExtendedKeyUsage: "extended key usage", NameConstraint: "name constraint", CriticalExtension: "critical extension", Identity: "identity",
	Revoked: "revoked", RevocationUnknown: "revocation unknown"}

// String names the cause in a word or two.
func (c Cause) String() string {
	if int(c) < len(causes) && causes[c] != "" {
		return causes[c]
	}
	return fmt.Sprintf("cause %d", uint8(c))
}

// Error is why a certificate was refused. Its text names the certificate, whose names a peer may have chosen: they are shown with everything but
// plain letters escaped.
type Error struct {
	Cause   Cause
	Subject string // of the certificate at fault, "" if there is none
	Detail  string // what is wrong, and what to do where that is known
}

// Error returns the certificate and what is wrong with it.
func (e *Error) Error() string {
	if e.Subject == "" {
		return e.Detail
	}
	return "certificate " + e.Subject + ": " + e.Detail
}

// refuse makes the error of a certificate.
func refuse(c *x509.Certificate, cause Cause, format string, args ...any) *Error {
	e := &Error{Cause: cause, Detail: fmt.Sprintf(format, args...)}
	if c != nil {
		e.Subject = Describe(c)
	}
	return e
}

// Describe names a certificate for people: by its subject, or by its first alternative name where the subject is empty.
func Describe(c *x509.Certificate) string {
	if s := FormatDN(c.RawSubject); s != "" {
		return quote(s)
	}
	switch {
	case len(c.DNSNames) > 0:
		return quote(c.DNSNames[0])
	case len(c.EmailAddresses) > 0:
		return quote(c.EmailAddresses[0])
	case len(c.IPAddresses) > 0:
		return quote(c.IPAddresses[0].String())
	}
	return fmt.Sprintf("number %x", c.SerialNumber)
}

// maxShown bounds how much of a name is shown, in bytes.
const maxShown = 200

// quote makes a name of a peer harmless for a terminal and a log.
func quote(s string) string {
	cut := ""
	if len(s) > maxShown {
		s, cut = s[:maxShown], "…"
	}
	return fmt.Sprintf("%+q%s", s, cut)
}

// Named lists by what names errors may call certificates and their authorities, as they cut them.
func Named(list []*x509.Certificate) (names []string) {
	for _, c := range list {
		for _, s := range append(Identities(c), FormatDN(c.RawIssuer)) {
			if s = s[:min(len(s), maxShown)]; s != "" && !slices.Contains(names, s) {
				names = append(names, s)
			}
		}
	}
	return names
}
