package pki

import (
	"crypto/x509"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Bounds of what a peer may send. A chain of four RSA certificates has some 6,000 bytes.
const (
	MaxSent        = 16       // certificates of one peer in one exchange
	MaxCertificate = 16 << 10 // bytes of one certificate
	maxDepth       = 24       // of nested ASN.1; a certificate needs about ten
)

// ParseChain reads the certificates that a peer sent, its own first. Their number, sizes and depths are bounded, since nothing is proved yet. A certificate that
// cannot be read is an error where it is the peer's own, and is left out otherwise: it may be one that the path does not need.
func ParseChain(ders [][]byte) ([]*x509.Certificate, error) {
	if len(ders) == 0 {
		return nil, refuse(nil, UnknownCA, "the peer sent no certificate")
	}
	if len(ders) > MaxSent {
		return nil, refuse(nil, Malformed, "the peer sent %d certificates, more than %d", len(ders), MaxSent)
	}
	var list []*x509.Certificate
	for i, der := range ders {
		c, err := ParseCertificate(der)
		switch {
		case err == nil:
			list = append(list, c)
		case i == 0:
			return nil, err
		}
	}
	return list, nil
}

// ParseCertificate reads one certificate from the wire.
func ParseCertificate(der []byte) (*x509.Certificate, error) {
	if err := Bounded(der, MaxCertificate); err != nil {
		return nil, refuse(nil, Malformed, "a certificate of %d bytes: %v", len(der), err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, refuse(nil, Malformed, "a certificate cannot be read: %s", quote(err.Error()))
	}
	return c, nil
}

// Bounded checks that der is one element of at most size bytes that is not nested deeper than any certificate, revocation list or response has a reason to be. It
// costs one pass and no recursion.
func Bounded(der []byte, size int) error {
	if len(der) > size {
		return errors.New("it is too large")
	}
	var ends []cryptobyte.String // what is left to read at each depth
	ends = append(ends, cryptobyte.String(der))
	for first := true; len(ends) > 0; first = false {
		s := &ends[len(ends)-1]
		if s.Empty() {
			ends = ends[:len(ends)-1]
			continue
		}
		var value cryptobyte.String
		var tag asn1.Tag
		if !s.ReadAnyASN1(&value, &tag) {
			return errors.New("it is no DER")
		}
		if first && !s.Empty() {
			return errors.New("something follows it")
		}
		if tag&0x20 == 0 { // primitive
			continue
		}
		if len(ends) > maxDepth {
			return errors.New("it is nested too deeply")
		}
		ends = append(ends, value)
	}
	return nil
}
