package testca

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
	"sync"
	"testing"
	"time"
)

// Pair is a certificate, its private key and the CAs between it and its root.
type Pair struct {
	Cert  *x509.Certificate
	Key   crypto.Signer
	Chain []*x509.Certificate // Cert, then the CAs between, without the root
}

// CA issues certificates.
type CA struct {
	Pair
	now  time.Time
	root bool
}

// Kind is a kind of key.
type Kind int

const (
	RSA2048 Kind = iota
	P256
	P384
	P521
	RSA1024
)

// shared are RSA keys that were made before: they take long, and a test does not mind sharing.
var shared = struct {
	sync.Mutex
	keys map[string]crypto.Signer
}{keys: map[string]crypto.Signer{}}

// Key returns a private key. RSA keys of one kind and label are the same one.
func Key(tb testing.TB, k Kind, label string) crypto.Signer {
	tb.Helper()
	curve := map[Kind]elliptic.Curve{P256: elliptic.P256(), P384: elliptic.P384(), P521: elliptic.P521()}[k]
	if curve != nil {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			tb.Fatal(err)
		}
		return key
	}
	bits := 2048
	if k == RSA1024 {
		bits = 1024
		label = "short " + label
	}
	shared.Lock()
	defer shared.Unlock()
	if key := shared.keys[label]; key != nil {
		return key
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		tb.Fatal(err)
	}
	shared.keys[label] = key
	return key
}

// Name is a subject with country CH, organisation Lab and a common name.
func Name(common string) pkix.Name {
	return pkix.Name{Country: []string{"CH"}, Organization: []string{"Lab"}, CommonName: common}
}

// New makes a root CA. Everything under it is valid from an hour before now to a day after it. Change may alter the template before it is signed; nil
// leaves it.
func New(tb testing.TB, now time.Time, common string, k Kind, change func(*x509.Certificate)) *CA {
	tb.Helper()
	t := template(tb, now, common)
	authority(t)
	if change != nil {
		change(t)
	}
	key := Key(tb, k, "ca "+common)
	return &CA{Pair: Pair{Cert: sign(tb, t, t, key.Public(), key), Key: key}, now: now, root: true}
}

// Sub makes a CA under c.
func (c *CA) Sub(tb testing.TB, common string, k Kind, change func(*x509.Certificate)) *CA {
	tb.Helper()
	return &CA{now: c.now, Pair: c.issue(tb, common, k, func(t *x509.Certificate) {
		authority(t)
		if change != nil {
			change(t)
		}
	})}
}

// Machine makes a machine certificate with key usage digitalSignature.
func (c *CA) Machine(tb testing.TB, common string, k Kind, change func(*x509.Certificate)) Pair {
	tb.Helper()
	return c.issue(tb, common, k, func(t *x509.Certificate) {
		t.KeyUsage = x509.KeyUsageDigitalSignature
		if change != nil {
			change(t)
		}
	})
}

func (c *CA) issue(tb testing.TB, common string, k Kind, change func(*x509.Certificate)) Pair {
	tb.Helper()
	t := template(tb, c.now, common)
	change(t)
	key := Key(tb, k, common)
	p := Pair{Cert: sign(tb, t, c.Cert, key.Public(), c.Key), Key: key}
	p.Chain = []*x509.Certificate{p.Cert}
	if !c.root {
		p.Chain = append(p.Chain, c.Chain...)
	}
	return p
}

func template(tb testing.TB, now time.Time, common string) *x509.Certificate {
	tb.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		tb.Fatal(err)
	}
	return &x509.Certificate{SerialNumber: serial.Add(serial, big.NewInt(1)), Subject: Name(common), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour)}
}

func authority(t *x509.Certificate) {
	t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
}

func sign(tb testing.TB, t, parent *x509.Certificate, public crypto.PublicKey, by crypto.Signer) *x509.Certificate {
	tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, t, parent, public, by)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return cert
}

// PEM encodes certificates.
func PEM(list ...*x509.Certificate) string {
	var b []byte
	for _, c := range list {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return string(b)
}

// KeyPEM encodes the private key as PKCS #8.
func (p Pair) KeyPEM(tb testing.TB) string {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(p.Key)
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
