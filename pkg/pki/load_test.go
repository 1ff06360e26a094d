package pki

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pkcs12 "software.sslmate.com/src/go-pkcs12"

	"github.com/goipsec/goipsec/pkg/testpki"
)

// write writes a file that only its owner may read and returns its path.
func write(t *testing.T, dir, name string, data ...[]byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, bytes.Join(data, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// seal encrypts a PKCS#8 key as RFC 8018 §6.2 says, with PBKDF2-HMAC-SHA-256 and AES-256-CBC.
func seal(t *testing.T, plain []byte, word string) []byte {
	t.Helper()
	bytesOf := must[[]byte](t)
	salt, iv := []byte("saltsalt"), make([]byte, 16)
	k := bytesOf(pbkdf2.Key(sha256.New, word, salt, 1000, 32))
	block, err := aes.NewCipher(k)
	if err != nil {
		t.Fatal(err)
	}
	n := 16 - len(plain)%16
	data := append(bytes.Clone(plain), bytes.Repeat([]byte{byte(n)}, n)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)
	prf := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}, Parameters: asn1.NullRawValue}
	kdf := bytesOf(asn1.Marshal(pbkdf2Params{Salt: salt, Iterations: 1000, PRF: prf}))
	params := bytesOf(asn1.Marshal(pbes2Params{
		pkix.AlgorithmIdentifier{Algorithm: oidPBKDF2, Parameters: asn1.RawValue{FullBytes: kdf}},
		pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, Parameters: asn1.RawValue{FullBytes: bytesOf(asn1.Marshal(iv))}}}))
	return bytesOf(asn1.Marshal(encryptedPrivateKeyInfo{pkix.AlgorithmIdentifier{Algorithm: oidPBES2, Parameters: asn1.RawValue{FullBytes: params}}, data}))
}

// TestLoadEveryForm: RSA and ECDSA keys and certificates in each form that they are kept in.
func TestLoadEveryForm(t *testing.T) {
	dir := t.TempDir()
	root := testpki.Root(t, "Root")
	middle := root.Issue(t, "Middle", testpki.Authority)
	for kind, id := range map[string]*testpki.Identity{"rsa": middle.IssueFor(t, testpki.RSA(t, 2048, 1), "gw"), "ec": middle.Issue(t, "gw")} {
		p8 := must[[]byte](t)(x509.MarshalPKCS8PrivateKey(id.Key))
		certs := write(t, dir, kind+".pem", []byte("a remark\n"), id.PEM())
		keys := map[string]string{
			"p8.pem": write(t, dir, kind+"-p8.pem", encodePEM("PRIVATE KEY", p8)), "p8.der": write(t, dir, kind+"-p8.der", p8),
			"sealed.pem": write(t, dir, kind+"-s.pem", encodePEM("ENCRYPTED PRIVATE KEY", seal(t, p8, "word"))), "sealed.der": write(t, dir, kind+"-s.der", seal(t, p8, "word"))}
		if k, ok := id.Key.(*rsa.PrivateKey); ok {
			keys["pkcs1"] = write(t, dir, "pkcs1", encodePEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k)))
		} else {
			der := must[[]byte](t)(x509.MarshalECPrivateKey(testpkiECDSA(id)))
			keys["sec1"] = write(t, dir, "sec1", encodePEM("EC PARAMETERS", []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}), encodePEM("EC PRIVATE KEY", der))
		}
		word := func(string) ([]byte, error) { return []byte("word"), nil }
		for form, key := range keys {
			list, err := LoadCredentials(Source{Certificates: []string{certs}, Key: key, Passphrase: word})
			if err != nil || len(list) != 1 || len(list[0].Chain) != 2 {
				t.Errorf("%s %s: %v %v", kind, form, list, err)
				continue
			}
			signs(t, list[0])
		}
		sources := map[string]Source{
			"DER":                    {Certificates: []string{write(t, dir, kind+".der", id.Cert.Raw, middle.Cert.Raw)}, Key: keys["p8.pem"]},
			"both":                   {Certificates: []string{write(t, dir, kind+"-both.pem", id.KeyPEM(t), id.PEM())}},
			"chain in another file":  {Certificates: []string{write(t, dir, kind+"-leaf.pem", testpki.CertificatesPEM(id.Cert)), write(t, dir, "chain.pem", testpki.CertificatesPEM(root.Cert, middle.Cert))}, Key: keys["p8.pem"]},
			"authority before":       {Certificates: []string{write(t, dir, kind+"-odd.pem", testpki.CertificatesPEM(root.Cert, middle.Cert, id.Cert))}, Key: keys["p8.pem"]},
			"PKCS#12":                {Certificates: []string{write(t, dir, kind+".p12", must[[]byte](t)(pkcs12.Modern.Encode(id.Key, id.Cert, []*x509.Certificate{middle.Cert}, "word")))}, Passphrase: word},
			"PKCS#12, old":           {Certificates: []string{write(t, dir, kind+"-old.p12", must[[]byte](t)(pkcs12.LegacyDES.Encode(id.Key, id.Cert, []*x509.Certificate{middle.Cert}, "word")))}, Passphrase: word},
			"PKCS#12, no passphrase": {Certificates: []string{write(t, dir, kind+"-no.p12", must[[]byte](t)(pkcs12.Modern.Encode(id.Key, id.Cert, []*x509.Certificate{middle.Cert}, "")))}},
		}
		for form, s := range sources {
			list, err := LoadCredentials(s)
			if err != nil || len(list) != 1 || len(list[0].Chain) != 2 || !list[0].Chain[0].Equal(id.Cert) || !list[0].Chain[1].Equal(middle.Cert) {
				t.Errorf("%s %s: %v %v", kind, form, list, err)
				continue
			}
			signs(t, list[0])
		}
	}
}

// signs proves that a credential's key is that of its certificate.
func signs(t *testing.T, c Credential) {
	t.Helper()
	digest := sha256.Sum256([]byte("text"))
	sig, err := c.Signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	algorithm := x509.ECDSAWithSHA256
	if _, ok := c.Leaf().PublicKey.(*rsa.PublicKey); ok {
		algorithm = x509.SHA256WithRSA
	}
	if err := c.Leaf().CheckSignature(algorithm, []byte("text"), sig); err != nil {
		t.Error(err)
	}
}

// TestLoadFaults: each says what is wrong with which file, and shows no key.
func TestLoadFaults(t *testing.T) {
	dir := t.TempDir()
	root := testpki.Root(t, "Root")
	a, b := root.Issue(t, "a"), root.Issue(t, "b")
	p8 := must[[]byte](t)(x509.MarshalPKCS8PrivateKey(a.Key))
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	edKey := must[[]byte](t)(x509.MarshalPKCS8PrivateKey(ed))
	certs, key := a.Write(t, dir, "a")
	_, other := b.Write(t, dir, "b")
	sealed := write(t, dir, "sealed.key", seal(t, p8, "word"))
	p12 := write(t, dir, "a.p12", must[[]byte](t)(pkcs12.Modern.Encode(a.Key, a.Cert, nil, "word")))
	wrong := func(string) ([]byte, error) { return []byte("hunter2"), nil }
	rc2 := seal(t, p8, "word")
	rc2 = bytes.Replace(rc2, []byte{0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 0x2a}, []byte{0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 0x2b}, 1)
	for name, c := range map[string]struct {
		s    Source
		says []string
	}{
		"no file":            {Source{Certificates: []string{filepath.Join(dir, "none.pem")}, Key: key}, []string{"none.pem", "no such file", "relative to"}},
		"directory":          {Source{Certificates: []string{dir}, Key: key}, []string{"regular file"}},
		"another's key":      {Source{Certificates: []string{certs}, Key: other}, []string{"b.key", "does not belong", "CN=a"}},
		"no key":             {Source{Certificates: []string{certs}}, []string{"no key for", "CN=a", "as key"}},
		"certificate as key": {Source{Certificates: []string{certs}, Key: certs}, []string{"no private key"}},
		"key as certificate": {Source{Certificates: []string{key}, Key: key}, []string{"holds no certificate"}},
		"rubbish":            {Source{Certificates: []string{write(t, dir, "rubbish", []byte("hunter2"))}, Key: key}, []string{"neither a certificate nor a private key"}},
		"empty PEM":          {Source{Certificates: []string{write(t, dir, "e.pem", []byte("-----BEGIN CERTIFICATE-----\n"))}, Key: key}, []string{"neither a certificate nor a key"}},
		"damaged":            {Source{Certificates: []string{write(t, dir, "d.pem", encodePEM("CERTIFICATE", a.Cert.Raw[:200]))}, Key: key}, []string{"cannot be read"}},
		"Ed25519":            {Source{Certificates: []string{certs}, Key: write(t, dir, "ed.key", encodePEM("PRIVATE KEY", edKey))}, []string{"cannot sign in IKE"}},
		"old encryption":     {Source{Certificates: []string{certs}, Key: write(t, dir, "old.key", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"DEK-Info": "DES-EDE3-CBC,00"}, Bytes: p8}))}, []string{"openssl pkcs8"}},
		"other encryption":   {Source{Certificates: []string{certs}, Key: write(t, dir, "rc2.key", rc2)}, []string{"not supported", "openssl pkcs8"}},
		"OpenSSH":            {Source{Certificates: []string{certs}, Key: write(t, dir, "ssh.key", encodePEM("OPENSSH PRIVATE KEY", p8))}, []string{"of no use for IKE"}},
		"nobody to ask":      {Source{Certificates: []string{certs}, Key: sealed}, []string{"sealed.key", "passphrase_file"}},
		"PKCS#7":             {Source{Certificates: []string{write(t, dir, "a.p7b", encodePEM("PKCS7", a.Cert.Raw))}, Key: key}, []string{"openssl pkcs7"}},
		"wrong passphrase":   {Source{Certificates: []string{certs}, Key: sealed, Passphrase: wrong}, []string{"does not open"}},
		"wrong, PKCS#12":     {Source{Certificates: []string{p12}, Passphrase: wrong}, []string{"does not open"}},
		"damaged PKCS#12":    {Source{Certificates: []string{write(t, dir, "d.p12", must[[]byte](t)(os.ReadFile(p12))[:150])}}, []string{""}},
		"authorities only":   {Source{Certificates: []string{write(t, dir, "r1.pem", root.PEM()), write(t, dir, "r2.pem", root.PEM())}, Key: key}, []string{"those of authorities"}},
		"open to others":     {Source{Certificates: []string{certs}, Key: key, CheckKeyFile: func(f string, _ os.FileMode) error { return fmt.Errorf("%s is open", f) }}, []string{"a.key is open"}},
	} {
		list, err := LoadCredentials(c.s)
		if err == nil {
			t.Errorf("%s: accepted: %v", name, list)
			continue
		}
		for _, says := range c.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s: no %q in: %v", name, says, err)
			}
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s shows a secret: %v", name, err)
		}
		var f *FileError
		if name != "open to others" && (!errors.As(err, &f) || f.File == "") {
			t.Errorf("%s: %T", name, err)
		}
	}
	// What is cut off inside of a whole encoding, or has parameters that fit nothing, is an error and no panic.
	word := func() ([]byte, error) { return []byte("word"), nil }
	for _, change := range []func(*encryptedPrivateKeyInfo){
		func(e *encryptedPrivateKeyInfo) { e.Data = e.Data[:len(e.Data)-1] }, func(e *encryptedPrivateKeyInfo) { e.Data = nil }, func(e *encryptedPrivateKeyInfo) { e.Data = e.Data[:16] },
		func(e *encryptedPrivateKeyInfo) { e.Algorithm.Parameters = asn1.NullRawValue },
	} {
		var e encryptedPrivateKeyInfo
		if _, err := asn1.Unmarshal(seal(t, p8, "word"), &e); err != nil {
			t.Fatal(err)
		}
		change(&e)
		if k, err := parseKey(must[[]byte](t)(asn1.Marshal(e)), word); err == nil {
			t.Errorf("%v", k)
		}
	}
	// A wrong passphrase never gives a key, also where the padding happens to be right.
	for i := range 600 {
		if _, err := parseKey(seal(t, p8, "word"), func() ([]byte, error) { return fmt.Appendf(nil, "word%d", i), nil }); !errors.Is(err, errWrongPassphrase) {
			t.Fatal(err)
		}
	}
}

// TestLoadCertificates: one or several, PEM or DER.
func TestLoadCertificates(t *testing.T) {
	dir := t.TempDir()
	a, b := testpki.Root(t, "A"), testpki.Root(t, "B")
	for name, data := range map[string][]byte{"pem": testpki.CertificatesPEM(a.Cert, b.Cert), "der": append(bytes.Clone(a.Cert.Raw), b.Cert.Raw...)} {
		if list, err := LoadCertificates(write(t, dir, name, data), nil); err != nil || len(list) != 2 || !list[0].Equal(a.Cert) || !list[1].Equal(b.Cert) {
			t.Errorf("%s: %v %v", name, list, err)
		}
	}
	if _, err := LoadCertificates(write(t, dir, "key", a.KeyPEM(t)), nil); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Error(err)
	}
	if _, err := LoadCertificates(write(t, dir, "large", make([]byte, MaxFile+1)), nil); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Error(err)
	}
}

// TestStoreRefresh: a renewed certificate is picked up; a file that is being written, or is wrong, leaves the old one; what is asked about nothing new changes nothing.
func TestStoreRefresh(t *testing.T) {
	dir := t.TempDir()
	root := testpki.Root(t, "Root")
	old := root.Issue(t, "gw")
	certs, key := old.Write(t, dir, "gw")
	st, err := OpenStore(Source{Certificates: []string{certs}, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	shows := func(id *testpki.Identity, changed, failed bool) {
		t.Helper()
		got, err := st.Refresh()
		if got != changed || (err != nil) != failed {
			t.Errorf("changed %v, %v", got, err)
		}
		if list := st.Current(); len(list) != 1 || !list[0].Leaf().Equal(id.Cert) {
			t.Errorf("%v", list)
		} else {
			signs(t, list[0])
		}
	}
	shows(old, false, false)
	touch(t, certs, 1)
	shows(old, false, false)
	renewed := root.IssueFor(t, old.Key, "gw")
	write(t, dir, "gw.pem", renewed.PEM())
	touch(t, certs, 2)
	shows(renewed, true, false)
	// A new key: between the two files they do not fit.
	next := root.Issue(t, "gw")
	write(t, dir, "gw.pem", next.PEM())
	touch(t, certs, 3)
	shows(renewed, false, true)
	shows(renewed, false, true)
	write(t, dir, "gw.key", next.KeyPEM(t))
	shows(next, true, false)
	// Replaced by renaming, with the time and size of the old one.
	again := root.IssueFor(t, next.Key, "gw")
	info := must[os.FileInfo](t)(os.Stat(certs))
	other := write(t, dir, "new.pem", again.PEM())
	if err := os.Chtimes(other, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, certs); err != nil {
		t.Fatal(err)
	}
	shows(again, true, false)
	if err := os.Remove(certs); err != nil {
		t.Fatal(err)
	}
	shows(again, false, true)
	if fixed := NewStore(st.Current()...); len(fixed.Current()) != 1 {
		t.Error("a store of credentials is empty")
	} else if changed, err := fixed.Refresh(); changed || err != nil {
		t.Error(changed, err)
	}
}

// touch gives a file a time that it did not have before.
func touch(t *testing.T, path string, n int) {
	t.Helper()
	at := testpki.Now.Add(time.Duration(n) * time.Second)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// token is a signer that gives its key to nobody.
type token struct {
	id   *testpki.Identity
	used int
}

func (k *token) Public() crypto.PublicKey { return k.id.Cert.PublicKey }

func (k *token) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	k.used++
	return k.id.Key.Sign(rand, digest, opts)
}

// TestAnySigner: a key need not be in a file.
func TestAnySigner(t *testing.T) {
	root := testpki.Root(t, "Root")
	for _, id := range []*testpki.Identity{root.Issue(t, "gw"), root.IssueFor(t, testpki.RSA(t, 2048, 1), "gw")} {
		k := &token{id: id}
		c, err := NewCredential(id.Path(), k)
		if err != nil {
			t.Fatal(err)
		}
		signs(t, NewStore(c).Current()[0])
		if k.used != 1 {
			t.Errorf("used %d times", k.used)
		}
	}
}

// TestD6KeysAreNeverPrinted: by no verb, encoder or logger, however deep it lies.
func TestD6KeysAreNeverPrinted(t *testing.T) {
	root := testpki.Root(t, "Root")
	for _, id := range []*testpki.Identity{root.Issue(t, "gw"), root.IssueFor(t, testpki.RSA(t, 2048, 1), "gw")} {
		c, err := NewCredential(id.Path(), id.Key)
		if err != nil {
			t.Fatal(err)
		}
		var secret string
		if k, ok := id.Key.(*rsa.PrivateKey); ok {
			secret = k.D.String()
		} else {
			raw, err := testpkiECDSA(id).Bytes()
			if err != nil {
				t.Fatal(err)
			}
			secret = new(big.Int).SetBytes(raw).String()
		}
		type hideout struct {
			c  Credential
			cs []Credential
			s  any
			p  *Credential
			st *Store
		}
		h := hideout{c, []Credential{c}, c.Signer, &c, NewStore(c)}
		var out strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
			fmt.Fprintf(&out, verb+verb+verb+verb+verb+verb, c, &c, c.Signer, h, &h, []any{c, c.Signer, NewStore(c), *NewStore(c).current.Load()})
		}
		for _, v := range []any{c, map[string]any{"c": c, "s": c.Signer}, []Credential{c}, struct{ C Credential }{c}} {
			text, err := json.Marshal(v)
			fmt.Fprint(&out, string(text), err)
			slog.New(slog.NewTextHandler(&out, nil)).Info("x", "c", v)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "c", v)
		}
		hex := fmt.Sprintf("%x", secret)
		if strings.Contains(out.String(), secret[:40]) || strings.Contains(out.String(), hex[:40]) {
			t.Error("a key is printed")
		}
		if !strings.Contains(out.String(), "CN=gw") || !strings.Contains(out.String(), "[private key]") {
			t.Error("nothing is printed")
		}
	}
	if _, err := NewCredential(root.Issue(t, "gw").Path(), testpki.ECDSA(t)); err == nil || !strings.Contains(err.Error(), "does not belong") {
		t.Error(err)
	}
	if _, err := NewCredential(nil, testpki.ECDSA(t)); err == nil {
		t.Error("no certificate")
	}
}
