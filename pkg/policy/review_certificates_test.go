package policy

import (
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/testpki"
)

// TestReviewCertificates: what is wrong with a certificate is told once, at its place, with what to do.
func TestReviewCertificates(t *testing.T) {
	now := testpki.Now
	root := testpki.Root(t, "Root")
	day := 24 * time.Hour
	usage := func(u x509.KeyUsage) testpki.Option { return func(c *x509.Certificate) { c.KeyUsage = u } }
	sha1 := func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }
	term := func(from, to time.Duration) testpki.Option { return testpki.Valid(now.Add(from), now.Add(to)) }
	three := testpki.RSA(t, 2048, 3)
	exponent := *three
	exponent.PublicKey = rsa.PublicKey{N: three.N, E: 3}
	for name, c := range map[string]struct {
		machine *testpki.Identity
		ca      *testpki.Identity
		remote  string
		tunnel  bool
		want    string // code and part of the message
	}{
		"good":                   {root.Issue(t, "gw"), root, "", false, ""},
		"good tunnel":            {root.Issue(t, "gw"), root, "C=CH, O=Lab, CN=peer", true, ""},
		"expired":                {root.Issue(t, "gw", term(-10*day, -day)), root, "", false, "certificate-expired expired on 2026-05-31"},
		"not yet valid":          {root.Issue(t, "gw", term(day, 10*day)), root, "", false, "certificate-expired not valid before"},
		"soon":                   {root.Issue(t, "gw", term(-day, 29*day)), root, "", false, "certificate-expiring expires on"},
		"not so soon":            {root.Issue(t, "gw", term(-day, 31*day)), root, "", false, ""},
		"expired authority":      {root.Issue(t, "gw"), testpki.Root(t, "Old", term(-10*day, -day)), "", false, "certificate-expired the authority's certificate"},
		"expired in the middle":  {root.Issue(t, "Middle", testpki.Authority, term(-10*day, -day)).Issue(t, "gw"), root, "", false, "certificate-expired which this host sends along"},
		"short RSA":              {root.IssueFor(t, testpki.RSA(t, 1024, 1), "gw"), root, "", false, "certificate-weak has 1024 bits"},
		"short RSA of authority": {root.Issue(t, "gw"), testpki.RootWith(t, testpki.RSA(t, 1024, 1), "Short"), "", false, "certificate-weak has 1024 bits"},
		"exponent":               {&testpki.Identity{Cert: root.IssuePublic(t, &exponent.PublicKey, "gw").Cert, Key: three}, root, "", false, "certificate-weak exponent is 3"},
		"SHA-1":                  {root.Issue(t, "gw", sha1), root, "", false, "certificate-weak signed with ECDSA-SHA1"},
		"SHA-1 of a root":        {root.Issue(t, "gw"), testpki.Root(t, "Old", sha1), "", false, ""},
		"no signatures":          {root.Issue(t, "gw", usage(x509.KeyUsageKeyEncipherment)), root, "", false, "certificate-unfit digitalSignature"},
		"other purposes":         {root.Issue(t, "gw", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} }), root, "", false, "certificate-unfit extended key usage"},
		"no authority":           {root.Issue(t, "gw"), root.Issue(t, "peer"), "", false, "ca-is-no-authority vouches for nobody but itself"},
		"anybody's gateway":      {root.Issue(t, "gw"), root, "", true, "gateway-not-named can pose as the other end"},
	} {
		t.Run(name, func(t *testing.T) {
			remote, err := pki.ParseName(c.remote)
			if err != nil {
				t.Fatal(err)
			}
			place := Position{File: "p.yaml", Line: 7, Column: 3}
			cred := pki.Credential{Chain: c.machine.Path(), Signer: c.machine.Key}
			a := AuthMethod{Kind: Certificate, Cert: &CertAuth{Credentials: pki.NewStore(cred), CAs: []*x509.Certificate{c.ca.Cert}, Remote: remote, Source: place}}
			r := &Rule{Name: "r", Auth: []AuthMethod{a}}
			if c.tunnel {
				r.Tunnel = &Tunnel{Remote: netip.MustParseAddr("192.0.2.1")}
			}
			twice := *r
			twice.Tunnel = nil
			got := ReviewCertificates(&Policy{Rules: []*Rule{r, &twice}}, now)
			if c.want == "" {
				if len(got) != 0 {
					t.Errorf("%+v", got)
				}
				return
			}
			code, message, _ := strings.Cut(c.want, " ")
			if len(got) != 1 || got[0].Code != code || !strings.Contains(got[0].Message, message) || got[0].Instead == "" || got[0].Position != place {
				t.Error(fmt.Sprintf("%+v", got), "want", c.want)
			}
		})
	}
}
