package inspect

import (
	"bytes"
	"crypto/x509"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/pki/revocation"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/testpki"
)

// TestCertificatesAreShown: the listing of a policy names its certificates and authorities, and what it asks of them; no key is in it.
func TestCertificatesAreShown(t *testing.T) {
	root := testpki.Root(t, "Root")
	gw := root.Issue(t, "gw")
	cred, err := pki.NewCredential(gw.Path(), gw.Key)
	if err != nil {
		t.Fatal(err)
	}
	a := policy.AuthMethod{Kind: policy.Certificate, RemoteID: "CN=peer", Cert: &policy.CertAuth{Credentials: pki.NewStore(cred), CAs: []*x509.Certificate{root.Cert}}}
	p := &policy.Policy{Name: "p", Rules: []*policy.Rule{{Name: "r", Action: policy.FilterAction{Kind: policy.Negotiate}, Auth: []policy.AuthMethod{a}}}}
	for _, c := range []struct {
		rules pki.Rules
		says  string
	}{
		{pki.Rules{}, "certificates: RSA of 2048 bits or more, crl_check 1, OCSP, lists are fetched\n"},
		{pki.Rules{CRLCheck: pki.CRLOff, AllowSHA1: true}, "certificates: RSA of 2048 bits or more, SHA-1 allowed, crl_check 0\n"},
		{pki.Rules{CRLCheck: pki.CRLStrong, NoFetch: true, CRLs: []string{"/a.crl"}}, "crl_check 2, lists in /a.crl, nothing is fetched\n"},
		{pki.Rules{NoOCSP: true}, "crl_check 1, lists are fetched\n"},
	} {
		p.Certificates = c.rules
		var out bytes.Buffer
		if err := Write(&out, ViewPolicy(p), false); err != nil {
			t.Fatal(err)
		}
		const auth = `auth    certificate "C=CH, O=Lab, CN=gw" until 2027-06-01, peers under "C=CH, O=Lab, CN=Root" with CN=peer`
		if !strings.Contains(out.String(), c.says) || !strings.Contains(out.String(), auth) {
			t.Errorf("no %q in\n%s", c.says, out.String())
		}
	}
	var out bytes.Buffer
	if err := Write(&out, ViewPolicy(&policy.Policy{Name: "p"}), false); err != nil || strings.Contains(out.String(), "certificates") {
		t.Error(out.String(), err)
	}
}

// TestRevocationIsShown: entries of the cache, expired and damaged ones, with nothing that drives a terminal.
func TestRevocationIsShown(t *testing.T) {
	now := testpki.Now
	list := []revocation.Entry{
		{URL: "http://a.example/\x1b[2J", Kind: "crl", Issuer: "CN=Root", Expires: now.AddDate(0, 0, 1), Revoked: 3, Bytes: 500},
		{URL: "http://b.example/", Kind: "ocsp", Expires: now.AddDate(0, 0, -1), Bytes: 400}, {URL: "0123.cached", Damaged: true}}
	var out bytes.Buffer
	if err := Write(&out, ViewRevocation("/cache", list, now), false); err != nil {
		t.Fatal(err)
	}
	const want = "/cache: 3 entries\n" +
		`http://a.example/\x1b[2J  crl of CN=Root, 3 revoked, expires 2026-06-02 12:00 UTC, 500 bytes` + "\n" +
		"http://b.example/  ocsp, expired 2026-05-31 12:00 UTC, 400 bytes\n0123.cached  is damaged\n"
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	if err := Write(&out, ViewRevocation("/cache", nil, now), true); err != nil || !strings.Contains(out.String(), `"entries": []`) {
		t.Error(out.String(), err)
	}
}
