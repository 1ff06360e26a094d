package config

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/testpki"
)

// place is a directory with a machine's certificate and key and a root, and a policy that names them.
type place struct {
	dir     string
	root    *testpki.Identity
	machine *testpki.Identity
}

func newPlace(t *testing.T, options ...testpki.Option) *place {
	t.Helper()
	p := &place{dir: t.TempDir(), root: testpki.Root(t, "Root")}
	p.machine = p.root.Issue(t, "gw", append([]testpki.Option{testpki.DNS("gw.example.com")}, options...)...)
	p.machine.Write(t, p.dir, "gw")
	p.put(t, "root.pem", testpki.CertificatesPEM(p.root.Cert), 0o644)
	return p
}

func (p *place) put(t *testing.T, name string, data []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), data, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(p.dir, name), mode); err != nil {
		t.Fatal(err)
	}
}

// parse reads a policy with one rule of the given authentication, and what stands at its top.
func (p *place) parse(auth, top string, opts Options) (*File, error) {
	return Parse(filepath.Join(p.dir, "p.yaml"), []byte(top+wrap(filter+nego+"auth: ["+auth+"]")), opts)
}

// TestCertificates: what the keys of a certificate's authentication become.
func TestCertificates(t *testing.T) {
	p := newPlace(t)
	other := testpki.Root(t, "Other")
	other.Issue(t, "second").Write(t, p.dir, "second")
	both, _ := os.ReadFile(filepath.Join(p.dir, "second.pem"))
	key, _ := os.ReadFile(filepath.Join(p.dir, "second.key"))
	p.put(t, "second.both", append(both, key...), 0o600)
	p.put(t, "others.pem", testpki.CertificatesPEM(other.Cert, p.root.Cert), 0o644)
	f, err := p.parse(`{certificate: [gw.pem, second.both], key: gw.key, ca: [others.pem, root.pem], remote_id: "C=CH, O=Lab, CN=*"}, {psk: 0123456789abcdefghijklmnopqrs}`,
		"certificates: {min_rsa_bits: 3072, allow_sha1: true, crl_check: 2, crls: [a.crl, /b.crl], ocsp: false, fetch: false, cache: /tmp/x}\n", Options{StrictKeyFiles: true})
	if err != nil {
		t.Fatal(err)
	}
	a := f.Assigned.Rules[0].Auth
	if len(a) != 2 || a[0].Kind != policy.Certificate || a[1].Kind != policy.PSK || a[0].RemoteID != "C=CH, O=Lab, CN=*" || !a[0].Cert.Remote.Wild() || !a[0].Cert.Local.IsZero() {
		t.Fatalf("%+v", a)
	}
	c := a[0].Cert
	if len(c.CAs) != 3 || !c.CAs[0].Equal(other.Cert) || !c.CAs[2].Equal(p.root.Cert) || len(c.Current()) != 2 {
		t.Errorf("%v", c.Current())
	}
	got := f.Assigned.Certificates
	if got.MinRSABits != 3072 || !got.AllowSHA1 || got.CRLCheck != pki.CRLStrong || !got.NoOCSP || !got.NoFetch || got.Cache != "/tmp/x" ||
		len(got.CRLs) != 2 || got.CRLs[0] != filepath.Join(p.dir, "a.crl") || got.CRLs[1] != "/b.crl" {
		t.Errorf("%+v", got)
	}
	if f, err = p.parse("{certificate: gw.pem, key: gw.key, ca: root.pem, local_id: gw.example.com}", "", Options{StrictKeyFiles: true}); err != nil {
		t.Fatal(err)
	}
	if r := f.Assigned.Certificates; r.CRLCheck.Level() != 1 || r.RSABits() != 2048 || r.AllowSHA1 || r.NoOCSP || r.NoFetch || len(f.Warnings) != 0 {
		t.Errorf("%+v %v", r, f.Warnings)
	}
	for level := range 3 {
		if got := pki.CRLLevel(level).Level(); got != level {
			t.Errorf("level %d is %d", level, got)
		}
	}
}

// TestCertificateFaults: each is complained of where its file is named, with what to do.
func TestCertificateFaults(t *testing.T) {
	p := newPlace(t)
	p.root.Issue(t, "other").Write(t, p.dir, "other")
	p.put(t, "open.key", p.machine.KeyPEM(t), 0o644)
	p.put(t, "rubbish.pem", []byte("hunter2"), 0o600)
	for auth, says := range map[string]string{
		"{certificate: gw.pem, key: other.key, ca: root.pem}":                                   `"` + p.dir,
		"{certificate: gw.pem, key: open.key, ca: root.pem}":                                    "chmod 600",
		"{certificate: gw.pem, key: gw.key, ca: rubbish.pem}":                                   "neither a certificate",
		"{certificate: gw.pem, key: gw.key, ca: gw.key}":                                        "holds no certificate",
		"{certificate: gw.pem, ca: root.pem}":                                                   "no key for",
		"{certificate: gw.pem, key: gw.key, ca: root.pem, local_id: other.example.com}":         "write one of: C=CH, O=Lab, CN=gw; gw.example.com",
		`{certificate: gw.pem, key: gw.key, ca: root.pem, local_id: "C=CH, O=Lab, CN=another"}`: "does not prove local_id",
	} {
		_, err := p.parse(auth, "", Options{StrictKeyFiles: true})
		var list Errors
		if !errors.As(err, &list) || len(list) != 1 || !strings.Contains(err.Error(), says) || list[0].Position.Line != 4 || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: want %q; have %v", auth, says, err)
		}
	}
	f, err := p.parse("{certificate: gw.pem, key: open.key, ca: root.pem}", "", Options{})
	if err != nil || !warned(f, "can be read by others") {
		t.Errorf("%v", err)
	}
}

// TestPassphrases: from a file, or asked for once, however many rules use the key; otherwise a clear error.
func TestPassphrases(t *testing.T) {
	p := newPlace(t)
	p.put(t, "sealed.p12", p12(t, p.machine, "open sesame"), 0o600)
	p.put(t, "word", []byte("open sesame\r\n"), 0o600)
	p.put(t, "wrong", []byte("hunter2\n"), 0o600)
	p.put(t, "open", []byte("open sesame\n"), 0o644)
	if f, err := p.parse("{certificate: sealed.p12, passphrase_file: word, ca: root.pem}", "", Options{StrictKeyFiles: true}); err != nil || len(f.Assigned.Rules[0].Auth[0].Cert.Current()) != 1 {
		t.Error(err)
	}
	for auth, says := range map[string]string{
		"{certificate: sealed.p12, ca: root.pem}":                         "passphrase_file",
		"{certificate: sealed.p12, passphrase_file: wrong, ca: root.pem}": "does not open",
		"{certificate: sealed.p12, passphrase_file: none, ca: root.pem}":  "no such file",
		"{certificate: sealed.p12, passphrase_file: open, ca: root.pem}":  "chmod 600",
	} {
		if _, err := p.parse(auth, "", Options{StrictKeyFiles: true}); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: want %q; have %v", auth, says, err)
		}
	}
	asked := 0
	opts := Options{AskPassphrase: func(file string) ([]byte, error) {
		asked++
		if filepath.Base(file) != "sealed.p12" {
			t.Error(file)
		}
		return []byte("open sesame"), nil
	}}
	two := "{name: a, " + strings.ReplaceAll(strings.TrimSpace("filters: [me <-> 192.0.2.2]"), "\n", "") + ", negotiate: {}, auth: [{certificate: sealed.p12, ca: root.pem}]}"
	f, err := Parse(filepath.Join(p.dir, "p.yaml"), []byte("rules: ["+two+", "+strings.ReplaceAll(strings.ReplaceAll(two, "name: a", "name: b"), "192.0.2.2", "192.0.2.3")+"]"), opts)
	if err != nil || asked != 1 {
		t.Fatalf("asked %d times: %v", asked, err)
	}
	// Renewed under the same passphrase: nobody is asked again.
	renewed := p.root.Issue(t, "gw")
	p.put(t, "sealed.p12", p12(t, renewed, "open sesame"), 0o600)
	c := f.Assigned.Rules[0].Auth[0].Cert
	if changed, err := c.Refresh(); err != nil || !changed || asked != 1 || !c.Current()[0].Leaf().Equal(renewed.Cert) {
		t.Errorf("%v %v, asked %d times", changed, err, asked)
	}
	if f.Assigned.Rules[1].Auth[0].Cert.Credentials != c.Credentials {
		t.Error("two rules do not share their certificate")
	}
}

// TestRulesWarn: what a policy lowers, and lists that are not there, are pointed out at their place.
func TestRulesWarn(t *testing.T) {
	p := newPlace(t)
	p.put(t, "rubbish.crl", []byte("hunter2"), 0o644)
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: testpki.Now, NextUpdate: testpki.Now.AddDate(0, 0, 1)}, p.root.Cert, p.root.Key)
	if err != nil {
		t.Fatal(err)
	}
	p.put(t, "good.crl", der, 0o644)
	p.put(t, "good.pem", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), 0o644)
	auth := "{certificate: gw.pem, key: gw.key, ca: root.pem}"
	for top, says := range map[string]string{
		"min_rsa_bits: 1024": "weak", "allow_sha1: true": "forged", "crl_check: 0": "revoked certificates are accepted", "crls: none.crl": "no such file", "crls: /": "regular file", "crls: [good.crl, rubbish.crl]": "holds no revocation list",
		"crls: [good.crl, good.pem]": "", "min_rsa_bits: 4096": "", "allow_sha1: false": "", "crl_check: 2": "", "{crl_check: 2, fetch: false}": "every certificate fails", "{crl_check: 2, fetch: false, crls: good.crl}": "", "ocsp: true": "", "fetch: false": "",
	} {
		f, err := p.parse(auth, "certificates: {"+strings.Trim(top, "{}")+"}\n", Options{})
		if err != nil {
			t.Errorf("%s: %v", top, err)
			continue
		}
		if want := says != ""; len(f.Warnings) > 1 || want != (len(f.Warnings) == 1) || want && (!strings.Contains(f.Warnings[0].Message, says) || f.Warnings[0].Position.Line != 1) {
			t.Errorf("%s: %v", top, f.Warnings)
		}
	}
}
