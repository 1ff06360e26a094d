package revocation

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/goipsec/goipsec/pkg/pki"
)

const opensslCA = `[ca]
default_ca = lab
[lab]
database = index.txt
serial = serial
crlnumber = number
new_certs_dir = .
default_md = sha256
default_days = 30
default_crl_days = 7
policy = any
crl_extensions = crl
[any]
countryName = optional
organizationName = optional
commonName = supplied
[crl]
authorityKeyIdentifier = keyid
issuingDistributionPoint = critical,@point
[point]
fullname = URI:http://crl.example/lab.crl
onlyuser = TRUE
[machine]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
crlDistributionPoints = URI:http://crl.example/lab.crl
[responder]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = OCSPSigning
`

// TestListsAndAnswersOfOpenSSL: an authority that openssl keeps revokes one of two certificates; its list with an issuing distribution point, and the answers of its responder, the
// authority itself or a delegate, tell them apart.
func TestListsAndAnswersOfOpenSSL(t *testing.T) {
	tool, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not here")
	}
	dir := t.TempDir()
	run := func(args string) {
		t.Helper()
		cmd := exec.Command(tool, strings.Fields(args)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %s: %v\n%s", args, err, out)
		}
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"ca.cnf": opensslCA, "index.txt": "", "serial": "1000\n", "number": "20\n"} {
		writeList(t, file(name), []byte(text))
	}
	const newKey = " -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
	run("req -x509 -new" + newKey + " -keyout ca.key -subj /C=CH/O=Lab/CN=Root -days 3650 -addext keyUsage=critical,keyCertSign,cRLSign -out ca.pem")
	for _, name := range []string{"good", "bad", "responder"} {
		run("req -new" + newKey + " -keyout " + name + ".key -subj /C=CH/O=Lab/CN=" + name + " -out " + name + ".csr")
		section := "machine"
		if name == "responder" {
			section = name
		}
		run("ca -batch -notext -config ca.cnf -extensions " + section + " -keyfile ca.key -cert ca.pem -in " + name + ".csr -out " + name + ".pem")
	}
	run("ca -config ca.cnf -keyfile ca.key -cert ca.pem -revoke bad.pem -crl_reason keyCompromise")
	run("ca -config ca.cnf -keyfile ca.key -cert ca.pem -gencrl -out lab.crl")
	root, err := pki.LoadCertificates(file("ca.pem"), nil)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	c := New(Options{Dir: file("cache")})
	for name, want := range map[string]pki.Cause{"good": 0, "bad": pki.Revoked} {
		leaf, err := pki.LoadCertificates(file(name+".pem"), nil)
		if err != nil {
			t.Fatal(err)
		}
		chain, err := pki.Verify(at, leaf, root, pki.Rules{})
		if err != nil {
			t.Fatal(err)
		}
		err = c.Check(t.Context(), at, chain, pki.Rules{CRLs: []string{file("lab.crl")}, CRLCheck: pki.CRLStrong, NoFetch: true})
		if got := cause(t, err); got != want {
			t.Errorf("%s: %v, want %v: %v", name, got, want, err)
		}
		question, err := ocsp.CreateRequest(leaf[0], root[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		writeList(t, file("question"), question)
		for _, signer := range []string{"ca", "responder"} {
			for _, more := range []string{"-ndays 1", "-ndays 1 -resp_no_certs", "-nmin 5 -resp_key_id", "-rmd sha384 -ndays 1"} {
				if signer == "responder" && strings.Contains(more, "no_certs") {
					continue // nobody could know who signed it
				}
				run("ocsp -index index.txt -CA ca.pem -rsigner " + signer + ".pem -rkey " + signer + ".key -reqin question -respout answer " + more)
				der, err := os.ReadFile(file("answer"))
				if err != nil {
					t.Fatal(err)
				}
				r, err := parseResponse(der, leaf[0], root[0], time.Now(), pki.Rules{})
				if err != nil {
					t.Errorf("%s by %s, %s: %v", name, signer, more, err)
				} else if got := r.verdict("x").state; got != map[string]state{"good": good, "bad": revoked}[name] || r.stale(time.Now()) {
					t.Errorf("%s by %s, %s: %v", name, signer, more, got)
				}
			}
		}
	}
}
