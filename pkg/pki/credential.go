package pki

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Credential is a certificate of this host with its key. The zero value is none.
type Credential struct {
	Chain  []*x509.Certificate // leaf first, then what was given of its chain
	Signer crypto.Signer       // the leaf's key; it is never printed
}

// Leaf is the certificate itself, nil if there is none.
func (c Credential) Leaf() *x509.Certificate {
	if len(c.Chain) == 0 {
		return nil
	}
	return c.Chain[0]
}

// IssuedUnder reports whether the chain, as far as it was given, leads to an authority with this encoded name: how a certificate is chosen when a peer names the authorities that it
// accepts (RFC 4945 §3.2.7).
func (c Credential) IssuedUnder(authority []byte) bool {
	for _, x := range c.Chain {
		if EqualDN(x.RawIssuer, authority) {
			return true
		}
	}
	return false
}

// String names the certificate.
func (c Credential) String() string {
	if c.Leaf() == nil {
		return "no certificate"
	}
	return "certificate " + Describe(c.Leaf())
}

// GoString names the certificate.
func (c Credential) GoString() string { return c.String() }

// Format names the certificate for every verb and flag.
func (c Credential) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// MarshalText names the certificate.
func (c Credential) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// LogValue names the certificate.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// key hides a private key from fmt, encoders and loggers, which would print every number of it. It stands two pointers deep, since fmt reads unexported
// fields by reflection but follows no pointer to a pointer.
type key struct{ p **crypto.Signer }

func hide(s crypto.Signer) crypto.Signer {
	p := &s
	return key{&p}
}

func (k key) Public() crypto.PublicKey { return (**k.p).Public() }

func (k key) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return (**k.p).Sign(rand, digest, opts)
}

const hidden = "[private key]"

func (k key) String() string               { return hidden }
func (k key) GoString() string             { return hidden }
func (k key) Format(f fmt.State, _ rune)   { io.WriteString(f, hidden) }
func (k key) MarshalText() ([]byte, error) { return []byte(hidden), nil }
func (k key) LogValue() slog.Value         { return slog.StringValue(hidden) }
func (k key) GobEncode() ([]byte, error) {
	return nil, errors.New("pki: a private key cannot be encoded")
}

// samePublic compares two public keys; every kind of the standard library has Equal.
func samePublic(a, b crypto.PublicKey) bool {
	x, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && x.Equal(b)
}

// NewCredential joins a chain, leaf first, with any signer that has the leaf's key, such as one in a token.
func NewCredential(chain []*x509.Certificate, signer crypto.Signer) (Credential, error) {
	if len(chain) == 0 {
		return Credential{}, errors.New("there is no certificate")
	}
	if !samePublic(signer.Public(), chain[0].PublicKey) {
		return Credential{}, fmt.Errorf("the key does not belong to the certificate %s", Describe(chain[0]))
	}
	return Credential{Chain: chain, Signer: hide(signer)}, nil
}
