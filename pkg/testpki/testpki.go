// Package testpki makes certificate authorities for tests: real ones, whose certificates, revocation lists and mistakes are those that crypto/x509 writes.
// It is imported by tests only.
package testpki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Now is the time in the middle of the validity of what this package makes.
var Now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// Identity is a certificate with its key.
type Identity struct {
	Cert   *x509.Certificate
	Key    crypto.Signer
	Issuer *Identity // nil: itself
}

// An Option changes a certificate before it is signed.
type Option func(*x509.Certificate)

// serials are never used twice in a process.
var serials atomic.Int64

// Root makes a root authority named C=CH, O=Lab, CN=name, with an ECDSA key.
func Root(tb testing.TB, name string, options ...Option) *Identity {
	tb.Helper()
	return RootWith(tb, ECDSA(tb), name, options...)
}

// RootWith makes a root authority with a given key.
func RootWith(tb testing.TB, key crypto.Signer, name string, options ...Option) *Identity {
	tb.Helper()
	return (&Identity{Key: key}).sign(tb, key.Public(), key, append([]Option{named(name), Authority}, options...))
}

// Issue makes a certificate for a new ECDSA key, named C=CH, O=Lab, CN=name. Without options it is that of a machine, with a digital signature usage and nothing else.
func (ca *Identity) Issue(tb testing.TB, name string, options ...Option) *Identity {
	tb.Helper()
	return ca.IssueFor(tb, ECDSA(tb), name, options...)
}

// IssueFor makes a certificate for a given key.
func (ca *Identity) IssueFor(tb testing.TB, key crypto.Signer, name string, options ...Option) *Identity {
	tb.Helper()
	id := ca.IssuePublic(tb, key.Public(), name, options...)
	id.Key = key
	return id
}

// IssuePublic makes a certificate for a public key alone, which may be one that nobody could have.
func (ca *Identity) IssuePublic(tb testing.TB, key crypto.PublicKey, name string, options ...Option) *Identity {
	tb.Helper()
	return ca.sign(tb, key, nil, append([]Option{named(name)}, options...))
}

func (ca *Identity) sign(tb testing.TB, public crypto.PublicKey, key crypto.Signer, options []Option) *Identity {
	tb.Helper()
	t := &x509.Certificate{SerialNumber: big.NewInt(1000 + serials.Add(1)), NotBefore: Now.AddDate(-1, 0, 0), NotAfter: Now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true}
	for _, o := range options {
		o(t)
	}
	parent, issuer := ca.Cert, ca
	if parent == nil {
		parent, issuer = t, nil
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, public, ca.Key)
	if err != nil {
		tb.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return &Identity{c, key, issuer}
}

func named(name string) Option {
	return func(c *x509.Certificate) {
		c.Subject = pkix.Name{Country: []string{"CH"}, Organization: []string{"Lab"}, CommonName: name}
	}
}

// Authority makes a certificate one of an authority.
func Authority(c *x509.Certificate) {
	c.IsCA = true
	c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
}

// Valid sets the time of validity.
func Valid(from, to time.Time) Option {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, to }
}

// DNS adds host names to the subject alternative name.
func DNS(names ...string) Option {
	return func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, names...) }
}

// Email adds mailboxes to the subject alternative name.
func Email(names ...string) Option {
	return func(c *x509.Certificate) { c.EmailAddresses = append(c.EmailAddresses, names...) }
}

// IP adds addresses to the subject alternative name.
func IP(addresses ...string) Option {
	return func(c *x509.Certificate) {
		for _, a := range addresses {
			c.IPAddresses = append(c.IPAddresses, net.ParseIP(a))
		}
	}
}

// Around makes a certificate valid from an hour before a time until a day after it.
func Around(now time.Time) Option { return Valid(now.Add(-time.Hour), now.Add(24*time.Hour)) }

// ECDSA makes a key on P-256.
func ECDSA(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	return ECDSAOn(tb, elliptic.P256())
}

// ECDSAOn makes a key on a curve.
func ECDSAOn(tb testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	tb.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

var (
	rsaMu   sync.Mutex
	rsaKeys = map[[2]int]*rsa.PrivateKey{}
)

// RSA returns an RSA key. The same bits and number give the same key within a process, since to make one takes long.
func RSA(tb testing.TB, bits, number int) *rsa.PrivateKey {
	tb.Helper()
	rsaMu.Lock()
	defer rsaMu.Unlock()
	k := rsaKeys[[2]int{bits, number}]
	if k == nil {
		var err error
		if k, err = rsa.GenerateKey(rand.Reader, bits); err != nil {
			tb.Fatal(err)
		}
		rsaKeys[[2]int{bits, number}] = k
	}
	return k
}

// Path returns the certificate and those of its issuers, the root left out.
func (id *Identity) Path() []*x509.Certificate {
	list := []*x509.Certificate{id.Cert}
	for a := id.Issuer; a != nil && a.Issuer != nil; a = a.Issuer {
		list = append(list, a.Cert)
	}
	return list
}

// PEM encodes the certificate and, behind it, those of its issuers, the root left out.
func (id *Identity) PEM() []byte { return CertificatesPEM(id.Path()...) }

// CertificatesPEM encodes certificates.
func CertificatesPEM(list ...*x509.Certificate) (out []byte) {
	for _, c := range list {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// KeyPEM encodes the key as PKCS#8.
func (id *Identity) KeyPEM(tb testing.TB) []byte {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(id.Key)
	if err != nil {
		tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// Write writes NAME.pem, the certificate with its chain, and NAME.key into a directory and returns their paths.
func (id *Identity) Write(tb testing.TB, dir, name string) (certificate, key string) {
	tb.Helper()
	certificate, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	for path, data := range map[string][]byte{certificate: id.PEM(), key: id.KeyPEM(tb)} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return certificate, key
}
