package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/testpki"
)

// causeOf returns the cause of an error, 0 for none.
func causeOf(t *testing.T, err error) Cause {
	t.Helper()
	if err == nil {
		return 0
	}
	var e *Error
	if !errors.As(err, &e) || e.Cause == 0 || e.Detail == "" {
		t.Fatalf("%T %v", err, err)
	}
	return e.Cause
}

// verifies checks what becomes of the path of an identity under the root named, and returns the error.
func verifies(t *testing.T, id *testpki.Identity, root *testpki.Identity, r Rules, want Cause) error {
	t.Helper()
	chain, err := Verify(testpki.Now, id.Path(), []*x509.Certificate{root.Cert}, r)
	if got := causeOf(t, err); got != want {
		t.Errorf("%s: %v, want %v: %v", id.Cert.Subject.CommonName, got, want, err)
	}
	if err == nil && (!chain[0].Equal(id.Cert) || !chain[len(chain)-1].Equal(root.Cert)) {
		t.Errorf("another path: %v", chain)
	}
	return err
}

// only replaces the key usage.
func only(u x509.KeyUsage) testpki.Option { return func(c *x509.Certificate) { c.KeyUsage = u } }

// purposes sets the extended key usage.
func purposes(known []x509.ExtKeyUsage, other ...asn1.ObjectIdentifier) testpki.Option {
	return func(c *x509.Certificate) { c.ExtKeyUsage, c.UnknownExtKeyUsage = known, other }
}

func pathLength(n int) testpki.Option {
	return func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = n, n == 0 }
}

func extra(oid asn1.ObjectIdentifier, critical bool, value []byte) testpki.Option {
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: oid, Critical: critical, Value: value})
	}
}

// TestRFC5280Section6Path: paths of one to three certificates, given in any order and with others among them.
func TestRFC5280Section6Path(t *testing.T) {
	root := testpki.Root(t, "Root")
	middle := root.Issue(t, "Middle", testpki.Authority)
	low := middle.Issue(t, "Low", testpki.Authority)
	leaf := low.Issue(t, "gw")
	other := testpki.Root(t, "Other").Issue(t, "stranger", testpki.Authority)
	verifies(t, root.Issue(t, "direct"), root, Rules{}, 0)
	verifies(t, leaf, root, Rules{}, 0)
	for _, order := range [][]*x509.Certificate{{leaf.Cert, middle.Cert, other.Cert, low.Cert}, {leaf.Cert, root.Cert, middle.Cert, low.Cert, low.Cert}} {
		chain, err := Verify(testpki.Now, order, []*x509.Certificate{other.Issuer.Cert, root.Cert}, Rules{})
		if err != nil || len(chain) != 4 {
			t.Errorf("%d %v", len(chain), err)
		}
	}
	// An authority in the middle may itself be trusted.
	if chain, err := Verify(testpki.Now, leaf.Path(), []*x509.Certificate{low.Cert}, Rules{}); err != nil || len(chain) != 2 {
		t.Errorf("%d %v", len(chain), err)
	}
}

// TestUnknownAuthorities: nobody is believed who is not configured.
func TestUnknownAuthorities(t *testing.T) {
	root, namesake := testpki.Root(t, "Root"), testpki.Root(t, "Root")
	stranger := testpki.Root(t, "Stranger")
	leaf := stranger.Issue(t, "gw")
	if err := verifies(t, leaf, root, Rules{}, UnknownCA); !strings.Contains(err.Error(), "CN=Stranger") {
		t.Error(err)
	}
	if err := verifies(t, stranger, root, Rules{}, UnknownCA); !strings.Contains(err.Error(), "signed by itself") {
		t.Error(err)
	}
	if _, err := Verify(testpki.Now, slices.Repeat(leaf.Path(), MaxSent+1), []*x509.Certificate{stranger.Cert}, Rules{}); causeOf(t, err) != Malformed {
		t.Error(err)
	}
	verifies(t, namesake.Issue(t, "gw"), root, Rules{}, BadSignature)
	// The peer sends the authority's certificate along, which proves nothing.
	if _, err := Verify(testpki.Now, []*x509.Certificate{leaf.Cert, stranger.Cert}, []*x509.Certificate{root.Cert}, Rules{}); causeOf(t, err) != UnknownCA {
		t.Error(err)
	}
	// A middle that is missing is named.
	low := root.Issue(t, "Low", testpki.Authority).Issue(t, "gw")
	if _, err := Verify(testpki.Now, []*x509.Certificate{low.Cert}, []*x509.Certificate{root.Cert}, Rules{}); causeOf(t, err) != UnknownCA || !strings.Contains(err.Error(), "CN=Low") {
		t.Error(err)
	}
	if _, err := Verify(testpki.Now, nil, []*x509.Certificate{root.Cert}, Rules{}); causeOf(t, err) != UnknownCA {
		t.Error(err)
	}
	if _, err := Verify(testpki.Now, leaf.Path(), nil, Rules{}); causeOf(t, err) != UnknownCA {
		t.Error(err)
	}
}

// TestListedLeaf: a certificate of a peer that is itself listed is its own path; one like it is not, and what it signs is not either, as it is no authority.
func TestListedLeaf(t *testing.T) {
	root := testpki.Root(t, "Root")
	listed, twin := root.Issue(t, "gw"), root.Issue(t, "gw")
	if chain, err := Verify(testpki.Now, listed.Path(), []*x509.Certificate{listed.Cert}, Rules{}); err != nil || len(chain) != 1 {
		t.Error(chain, err)
	}
	if _, err := Verify(testpki.Now, twin.Path(), []*x509.Certificate{listed.Cert}, Rules{}); causeOf(t, err) != UnknownCA {
		t.Error(err)
	}
	if _, err := Verify(testpki.Now, listed.Issue(t, "below").Path(), []*x509.Certificate{listed.Cert}, Rules{}); causeOf(t, err) != NotCA {
		t.Error(err)
	}
	// An authority is no machine: its key may sign certificates, and not for IKE.
	verifies(t, root, root, Rules{}, KeyUsage)
	if _, err := Verify(testpki.Now.AddDate(3, 0, 0), listed.Path(), []*x509.Certificate{listed.Cert}, Rules{}); causeOf(t, err) != Expired {
		t.Error(err)
	}
}

// TestRFC5280Section4_1_2_5Validity: at each level, to the second.
func TestRFC5280Section4_1_2_5Validity(t *testing.T) {
	from, to := testpki.Now.Add(-time.Hour), testpki.Now.Add(time.Hour)
	brief := testpki.Valid(from, to)
	root := testpki.Root(t, "Root")
	for what, leaf := range map[string]*testpki.Identity{
		"leaf": root.Issue(t, "gw", brief), "middle": root.Issue(t, "Middle", testpki.Authority, brief).Issue(t, "gw"), "root": testpki.Root(t, "Brief", brief).Issue(t, "gw")} {
		roots := []*x509.Certificate{root.Cert}
		if what == "root" {
			roots[0] = leaf.Issuer.Cert
		}
		for at, want := range map[time.Time]Cause{from.Add(-time.Second): NotYetValid, from: 0, to: 0, to.Add(time.Second): Expired} {
			if _, err := Verify(at, leaf.Path(), roots, Rules{}); causeOf(t, err) != want {
				t.Errorf("%s at %v: %v, want %v", what, at, err, want)
			}
		}
	}
}

// TestRFC5280Section4_2_1_9BasicConstraints: who is no authority cannot issue, and the length of a path is bounded.
func TestRFC5280Section4_2_1_9BasicConstraints(t *testing.T) {
	root := testpki.Root(t, "Root")
	verifies(t, root.Issue(t, "machine").Issue(t, "forged"), root, Rules{}, NotCA)
	verifies(t, root.Issue(t, "bare", only(x509.KeyUsageCertSign), func(c *x509.Certificate) { c.BasicConstraintsValid = false }).Issue(t, "forged"), root, Rules{}, NotCA)
	zero := testpki.Root(t, "Zero", pathLength(0))
	verifies(t, zero.Issue(t, "gw"), zero, Rules{}, 0)
	verifies(t, zero.Issue(t, "Middle", testpki.Authority).Issue(t, "gw"), zero, Rules{}, PathTooLong)
	one := root.Issue(t, "One", testpki.Authority, pathLength(1))
	verifies(t, one.Issue(t, "Middle", testpki.Authority).Issue(t, "gw"), root, Rules{}, 0)
	verifies(t, one.Issue(t, "Middle", testpki.Authority).Issue(t, "Low", testpki.Authority).Issue(t, "gw"), root, Rules{}, PathTooLong)
	long := root
	for range MaxPath - 2 {
		long = long.Issue(t, "CA", testpki.Authority)
	}
	verifies(t, long.Issue(t, "gw"), root, Rules{}, 0)
	verifies(t, long.Issue(t, "CA", testpki.Authority).Issue(t, "gw"), root, Rules{}, PathTooLong)
}

// TestRFC4945Section5_1_3_2KeyUsage: where it is present, it says what a key is for.
func TestRFC4945Section5_1_3_2KeyUsage(t *testing.T) {
	root := testpki.Root(t, "Root")
	for usage, want := range map[x509.KeyUsage]Cause{
		x509.KeyUsageDigitalSignature: 0, x509.KeyUsageContentCommitment: 0, x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment: 0,
		x509.KeyUsageKeyEncipherment: KeyUsage, x509.KeyUsageKeyAgreement: KeyUsage, x509.KeyUsageCertSign: KeyUsage,
		0: 0, // absent
	} {
		verifies(t, root.Issue(t, "gw", only(usage)), root, Rules{}, want)
	}
	verifies(t, root.Issue(t, "empty", only(0), extra(oidKeyUsage, true, []byte{3, 1, 0})), root, Rules{}, KeyUsage)
	verifies(t, root.Issue(t, "Middle", testpki.Authority, only(x509.KeyUsageDigitalSignature)).Issue(t, "gw"), root, Rules{}, KeyUsage)
	crl := testpki.Root(t, "Lists", only(x509.KeyUsageCRLSign))
	verifies(t, crl.Issue(t, "gw"), crl, Rules{}, KeyUsage)
}

// TestRFC4945Section5_1_3_12ExtendedKeyUsage: each purpose that IKE takes, and some that it does not, in machines and in authorities.
func TestRFC4945Section5_1_3_12ExtendedKeyUsage(t *testing.T) {
	root := testpki.Root(t, "Root")
	foreign := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 2}
	for _, c := range []struct {
		known []x509.ExtKeyUsage
		other []asn1.ObjectIdentifier
		want  Cause
	}{
		{[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, nil, 0},
		{[]x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, nil, 0},
		{[]x509.ExtKeyUsage{x509.ExtKeyUsageAny}, nil, 0},
		{[]x509.ExtKeyUsage{x509.ExtKeyUsageIPSECEndSystem}, nil, 0},
		{[]x509.ExtKeyUsage{x509.ExtKeyUsageIPSECTunnel}, nil, 0},
		{[]x509.ExtKeyUsage{x509.ExtKeyUsageIPSECUser}, nil, 0},
		{nil, []asn1.ObjectIdentifier{oidIKEIntermediate}, 0},
		{nil, []asn1.ObjectIdentifier{oidIPsecIKE}, 0},
		{[]x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, []asn1.ObjectIdentifier{oidIPsecIKE}, 0},
		{[]x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageCodeSigning}, nil, ExtendedKeyUsage},
		{[]x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}, nil, ExtendedKeyUsage},
		{nil, []asn1.ObjectIdentifier{foreign}, ExtendedKeyUsage},
	} {
		verifies(t, root.Issue(t, "gw", purposes(c.known, c.other...)), root, Rules{}, c.want)
		verifies(t, root.Issue(t, "Middle", testpki.Authority, purposes(c.known, c.other...)).Issue(t, "gw"), root, Rules{}, c.want)
	}
}

// TestRFC5280Section4_2CriticalExtensions: what is critical and not understood is refused at each level; what is not critical is not.
func TestRFC5280Section4_2CriticalExtensions(t *testing.T) {
	root := testpki.Root(t, "Root")
	odd := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}
	verifies(t, root.Issue(t, "gw", extra(odd, true, []byte{5, 0})), root, Rules{}, CriticalExtension)
	verifies(t, root.Issue(t, "gw", extra(odd, false, []byte{5, 0})), root, Rules{}, 0)
	verifies(t, root.Issue(t, "Middle", testpki.Authority, extra(odd, true, []byte{5, 0})).Issue(t, "gw"), root, Rules{}, CriticalExtension)
	own := testpki.Root(t, "Own", extra(odd, true, []byte{5, 0}))
	verifies(t, own.Issue(t, "gw"), own, Rules{}, CriticalExtension)
	// Constraints of policies are crypto/x509's to obey.
	explicit := root.Issue(t, "Explicit", testpki.Authority, extra(oidPolicyConstraints, true, []byte{0x30, 3, 0x80, 1, 0}))
	if err := verifies(t, explicit.Issue(t, "gw"), root, Rules{}, CriticalExtension); !strings.Contains(err.Error(), "policies") {
		t.Error(err)
	}
}

// TestP29SHA1Certificates: signatures by SHA-1 are taken only when the policy says so, and then checked like others; those by MD5 never.
func TestP29SHA1Certificates(t *testing.T) {
	weak := func(a x509.SignatureAlgorithm) testpki.Option {
		return func(c *x509.Certificate) { c.SignatureAlgorithm = a }
	}
	rsaRoot := testpki.RootWith(t, testpki.RSA(t, 2048, 1), "RSA")
	ecRoot := testpki.Root(t, "EC", weak(x509.ECDSAWithSHA1)) // the root's own signature does not matter
	for _, leaf := range []*testpki.Identity{
		rsaRoot.Issue(t, "gw", weak(x509.SHA1WithRSA)), ecRoot.Issue(t, "gw", weak(x509.ECDSAWithSHA1)),
		rsaRoot.Issue(t, "Middle", testpki.Authority, weak(x509.SHA1WithRSA)).Issue(t, "gw"),
	} {
		root := leaf.Issuer
		if root.Issuer != nil {
			root = root.Issuer
		}
		if err := verifies(t, leaf, root, Rules{}, WeakSignature); !strings.Contains(err.Error(), "allow_sha1") {
			t.Error(err)
		}
		verifies(t, leaf, root, Rules{AllowSHA1: true}, 0)
	}
	verifies(t, ecRoot.Issue(t, "gw"), ecRoot, Rules{}, 0)
	// The same checks hold.
	rules := Rules{AllowSHA1: true}
	namesake := testpki.RootWith(t, testpki.RSA(t, 2048, 2), "RSA")
	verifies(t, namesake.Issue(t, "forged", weak(x509.SHA1WithRSA)), rsaRoot, rules, BadSignature)
	verifies(t, rsaRoot.Issue(t, "old", weak(x509.SHA1WithRSA), testpki.Valid(testpki.Now.AddDate(-2, 0, 0), testpki.Now.AddDate(-1, 0, 0))), rsaRoot, rules, Expired)
	verifies(t, rsaRoot.Issue(t, "machine", weak(x509.SHA1WithRSA)).Issue(t, "forged"), rsaRoot, rules, NotCA)
	policies := rsaRoot.Issue(t, "Middle", testpki.Authority, weak(x509.SHA1WithRSA), extra(oidPolicyConstraints, true, []byte{0x30, 3, 0x80, 1, 0}))
	verifies(t, policies.Issue(t, "gw"), rsaRoot, rules, CriticalExtension)
	// crypto/x509 makes none with MD5; the algorithm identifier of one with SHA-1 is changed to it.
	leaf := rsaRoot.Issue(t, "gw", weak(x509.SHA1WithRSA))
	der := []byte(strings.ReplaceAll(string(leaf.Cert.Raw), "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04"))
	md5, err := x509.ParseCertificate(der)
	if err != nil || md5.SignatureAlgorithm != x509.MD5WithRSA {
		t.Fatal(md5.SignatureAlgorithm, err)
	}
	if _, err := Verify(testpki.Now, []*x509.Certificate{md5}, []*x509.Certificate{rsaRoot.Cert}, rules); causeOf(t, err) != WeakSignature {
		t.Error(err)
	}
}

// TestP21WeakKeys: short RSA keys, whose bound the policy can lower to 1024 bits and not further, and odd ones, at each level.
func TestP21WeakKeys(t *testing.T) {
	root := testpki.Root(t, "Root")
	short, short2 := testpki.RSA(t, 1024, 1), testpki.RSA(t, 1536, 1)
	verifies(t, root.IssueFor(t, short, "gw"), root, Rules{}, WeakKey)
	verifies(t, root.IssueFor(t, short, "gw"), root, Rules{MinRSABits: 1024}, 0)
	verifies(t, root.IssueFor(t, short, "gw"), root, Rules{MinRSABits: 1}, 0) // counts as 1024
	verifies(t, root.IssueFor(t, short2, "gw"), root, Rules{MinRSABits: 1024}, 0)
	verifies(t, root.IssueFor(t, short2, "gw"), root, Rules{MinRSABits: 3072}, WeakKey)
	verifies(t, root.IssueFor(t, testpki.RSA(t, 2048, 1), "gw"), root, Rules{MinRSABits: 3072}, WeakKey)
	verifies(t, root.IssueFor(t, testpki.RSA(t, 2048, 1), "gw"), root, Rules{}, 0)
	verifies(t, root.IssueFor(t, short, "Middle", testpki.Authority).Issue(t, "gw"), root, Rules{}, WeakKey)
	shortRoot := testpki.RootWith(t, short, "Short")
	verifies(t, shortRoot.Issue(t, "gw"), shortRoot, Rules{}, WeakKey)
	verifies(t, shortRoot.Issue(t, "gw"), shortRoot, Rules{MinRSABits: 1024}, 0)
	small, err := rand.Prime(rand.Reader, 768)
	if err != nil {
		t.Fatal(err)
	}
	verifies(t, root.IssuePublic(t, &rsa.PublicKey{N: small, E: 65537}, "gw"), root, Rules{MinRSABits: 1}, WeakKey)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	verifies(t, root.IssueFor(t, p224, "gw"), root, Rules{}, WeakKey)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	verifies(t, root.IssueFor(t, p384, "gw"), root, Rules{}, 0)
}

// TestP23OddRSAKeys: exponents and moduli with which other implementations failed assertions, in the peer's certificate and in an authority that it
// sends along and claims to be issued by.
func TestP23OddRSAKeys(t *testing.T) {
	root := testpki.Root(t, "Root")
	n := testpki.RSA(t, 2048, 1).N
	even := new(big.Int).Lsh(big.NewInt(1), 2047)
	for name, key := range map[string]*rsa.PublicKey{
		"e=1": {N: n, E: 1}, "e=2": {N: n, E: 2}, "e=65536": {N: n, E: 65536}, "even": {N: even, E: 65537},
		"huge": {N: new(big.Int).SetBit(big.NewInt(1), 20000, 1), E: 65537},
	} {
		verifies(t, root.IssuePublic(t, key, name), root, Rules{}, WeakKey)
		middle := root.IssuePublic(t, key, "Middle", testpki.Authority)
		middle.Key = testpki.RSA(t, 2048, 2) // somebody's
		leaf := &testpki.Identity{Cert: forged(t, middle), Issuer: middle}
		verifies(t, leaf, root, Rules{}, WeakKey)
	}
	// crypto/x509 does not write these two: the numbers are changed in what it wrote.
	three := root.IssuePublic(t, &rsa.PublicKey{N: n, E: 3}, "e=3")
	verifies(t, three, root, Rules{}, 0)
	zero := []byte(strings.Replace(string(three.Cert.Raw), "\x02\x01\x03", "\x02\x01\x00", 1))
	if _, err := ParseCertificate(zero); causeOf(t, err) != Malformed {
		t.Errorf("exponent 0: %v", err)
	}
}

// forged makes a certificate that claims to be issued by one whose public key nobody has the private key of.
func forged(t *testing.T, issuer *testpki.Identity) *x509.Certificate {
	t.Helper()
	namesake := testpki.RootWith(t, issuer.Key, issuer.Cert.Subject.CommonName)
	return namesake.Issue(t, "gw").Cert
}

// TestP25NameConstraints: RFC 5280 §4.2.1.10, for every kind of name (strongSwan's CVE-2026-35331 ignored them).
func TestP25NameConstraints(t *testing.T) {
	dns := func(permitted, excluded []string) testpki.Option {
		return func(c *x509.Certificate) {
			c.PermittedDNSDomainsCritical, c.PermittedDNSDomains, c.ExcludedDNSDomains = true, permitted, excluded
		}
	}
	mail := func(permitted, excluded []string) testpki.Option {
		return func(c *x509.Certificate) { c.PermittedEmailAddresses, c.ExcludedEmailAddresses = permitted, excluded }
	}
	ip := func(permitted, excluded string) testpki.Option {
		return func(c *x509.Certificate) {
			if _, n, err := net.ParseCIDR(permitted); err == nil {
				c.PermittedIPRanges = append(c.PermittedIPRanges, n)
			}
			if _, n, err := net.ParseCIDR(excluded); err == nil {
				c.ExcludedIPRanges = append(c.ExcludedIPRanges, n)
			}
		}
	}
	uri := func(permitted []string) testpki.Option {
		return func(c *x509.Certificate) { c.PermittedURIDomains = permitted }
	}
	lab := pkix.Name{Country: []string{"CH"}, Organization: []string{"LAB"}}.ToRDNSequence() // in capitals, which do not matter
	works := pkix.Name{Country: []string{"CH"}, Organization: []string{"Works"}}.ToRDNSequence()
	com := []string{"example.com"}
	for name, c := range map[string]struct {
		bound testpki.Option
		leaf  testpki.Option
		want  Cause
	}{
		"dns inside":              {dns(com, nil), testpki.DNS("gw.example.com"), 0},
		"dns itself":              {dns(com, nil), testpki.DNS("EXAMPLE.com"), 0},
		"dns outside":             {dns(com, nil), testpki.DNS("gw.example.net"), NameConstraint},
		"dns one of two outside":  {dns(com, nil), testpki.DNS("gw.example.com", "evil.example.net"), NameConstraint},
		"dns that ends alike":     {dns(com, nil), testpki.DNS("badexample.com"), NameConstraint},
		"dns excluded":            {dns(nil, com), testpki.DNS("gw.example.com"), NameConstraint},
		"dns not excluded":        {dns(nil, com), testpki.DNS("gw.example.net"), 0},
		"dns wildcard excluded":   {dns(nil, []string{"a.example.com"}), testpki.DNS("*.example.com"), NameConstraint},
		"no name of the kind":     {dns(com, nil), testpki.Email("a@example.net"), 0},
		"mail inside":             {mail(com, nil), testpki.Email("a@example.com"), 0},
		"mail of a host below":    {mail(com, nil), testpki.Email("a@gw.example.com"), NameConstraint},
		"mail of a domain":        {mail([]string{".example.com"}, nil), testpki.Email("a@gw.example.com"), 0},
		"mailbox":                 {mail([]string{"a@example.com"}, nil), testpki.Email("b@example.com"), NameConstraint},
		"mail excluded":           {mail(nil, com), testpki.Email("a@example.com"), NameConstraint},
		"mail in the subject":     {mail(com, nil), subjectMail("a@example.net"), NameConstraint},
		"mail in the subject, in": {mail(com, nil), subjectMail("a@example.com"), 0},
		"address inside":          {ip("10.0.0.0/8", ""), testpki.IP("10.1.2.3"), 0},
		"address outside":         {ip("10.0.0.0/8", ""), testpki.IP("11.1.2.3"), NameConstraint},
		"address of other family": {ip("10.0.0.0/8", ""), testpki.IP("2001:db8::1"), NameConstraint},
		"address excluded":        {ip("", "2001:db8::/32"), testpki.IP("2001:db8::1"), NameConstraint},
		"address not excluded":    {ip("", "2001:db8::/32"), testpki.IP("10.0.0.1"), 0},
		"directory inside":        {directory(t, true, lab, nil), nil, 0},
		"directory outside":       {directory(t, true, works, nil), nil, NameConstraint},
		"directory, not critical": {directory(t, false, works, nil), nil, NameConstraint},
		"directory excluded":      {directory(t, true, nil, lab), nil, NameConstraint},
		"directory not excluded":  {directory(t, true, nil, works), nil, 0},
		"URI outside":             {uri(com), subjectURI("http://example.net/"), NameConstraint},
		"URI inside":              {uri(com), subjectURI("http://example.com/"), 0},
	} {
		options := []testpki.Option{}
		if c.leaf != nil {
			options = append(options, c.leaf)
		}
		root := testpki.Root(t, "Root", c.bound)
		t.Run(name, func(t *testing.T) { verifies(t, root.Issue(t, "gw", options...), root, Rules{}, c.want) })
		free := testpki.Root(t, "Root")
		middle := free.Issue(t, "Middle", testpki.Authority, c.bound)
		t.Run(name+" by the middle", func(t *testing.T) { verifies(t, middle.Issue(t, "gw", options...), free, Rules{}, c.want) })
	}
	// Bounds of an authority hold for authorities below it, and add up.
	wide := testpki.Root(t, "Root", dns(com, nil))
	narrow := wide.Issue(t, "Middle", testpki.Authority, dns([]string{"a.example.com", "example.net"}, nil))
	verifies(t, narrow.Issue(t, "gw", testpki.DNS("gw.a.example.com")), wide, Rules{}, 0)
	verifies(t, narrow.Issue(t, "gw", testpki.DNS("gw.b.example.com")), wide, Rules{}, NameConstraint)
	verifies(t, narrow.Issue(t, "gw", testpki.DNS("gw.example.net")), wide, Rules{}, NameConstraint)
}

// TestP25ConstraintsThatCannotBeRead: what is malformed bounds nothing, and so allows nothing.
func TestP25ConstraintsThatCannotBeRead(t *testing.T) {
	dns := []byte{0x82, 1, 'a'}
	subtree := wrap(t, asn1.ClassUniversal, asn1.TagSequence, dns)
	part := func(tag int, content ...[]byte) []byte {
		return wrap(t, asn1.ClassContextSpecific, tag, bytes.Join(content, nil))
	}
	whole := func(content ...[]byte) []byte {
		return wrap(t, asn1.ClassUniversal, asn1.TagSequence, bytes.Join(content, nil))
	}
	minimum := wrap(t, asn1.ClassUniversal, asn1.TagSequence, append(bytes.Clone(dns), 0x80, 1, 1))
	if c, ok := parseConstraints(whole(part(0, subtree, subtree), part(1, subtree))); !ok || len(c.permitted) != 2 || len(c.excluded) != 1 {
		t.Errorf("%v %v", c, ok)
	}
	for name, der := range map[string][]byte{
		"nothing": nil, "empty": whole(), "no subtrees": whole(part(0), part(1)), "something behind": append(whole(part(0, subtree)), 0), "something more": whole(part(0, subtree), part(2, subtree)),
		"permitted": whole(part(0, subtree, dns), part(1, subtree)), "excluded": whole(part(0, subtree), part(1, dns)), "minimum": whole(part(0, minimum)), "cut off": whole(part(0, subtree[:3])),
		"no general name": whole(part(0, wrap(t, asn1.ClassUniversal, asn1.TagSequence, []byte{5, 0}))), "no directory name": whole(part(0, wrap(t, asn1.ClassUniversal, asn1.TagSequence, part(4, []byte{5, 0})))),
		"wrong order": whole(part(1, subtree), part(0, subtree)), "too many": whole(part(0, bytes.Repeat(subtree, maxNames+1))),
	} {
		if c, ok := parseConstraints(der); ok {
			t.Errorf("%s: %v", name, c)
		}
	}
}

// TestP25WhatCannotBeTold: a name or a bound that fits nothing counts as excluded and as not permitted.
func TestP25WhatCannotBeTold(t *testing.T) {
	for _, c := range []struct {
		kind        uint8
		name, bound string
	}{
		{gnEmail, "nobody", "example.com"}, {gnURI, "http://192.0.2.1/", "example.com"}, {gnURI, "http:", "example.com"}, {gnURI, "%", "example.com"}, {gnIP, "\x01\x02", "\x0a\x00\x00\x00\xff\x00\x00\x00"},
		{gnIP, "\x0a\x00\x00\x01", "\x0a"}, {gnDN, "no name", "0\x00"}, {gnDN, "0\x00", "no name"}, {0, "other", "other"},
	} {
		n := generalName{c.kind, []byte(c.name)}
		if !n.within([]byte(c.bound), true) || n.within([]byte(c.bound), false) {
			t.Errorf("%+v", c)
		}
	}
	for _, c := range []struct {
		kind        uint8
		name, bound string
		in          bool
	}{
		{gnEmail, "a@example.com", "a@example.com", true}, {gnEmail, "a@EXAMPLE.com", "a@example.com", true}, {gnEmail, "b@example.com", "a@example.com", false}, {gnEmail, "A@example.com", "a@example.com", false},
		{gnDNS, "a.example.com", "", true}, {gnDNS, "example.com", ".example.com", false}, {gnIP, "\x0a\x00\x00\x01", strings.Repeat("\x00", 32), false},
	} {
		n := generalName{c.kind, []byte(c.name)}
		if n.within([]byte(c.bound), true) != c.in || n.within([]byte(c.bound), false) != c.in {
			t.Errorf("%+v", c)
		}
	}
}

// TestP24NamesAreBounded: under an authority that is bound to some names, a certificate with more of them than are compared is refused.
func TestP24NamesAreBounded(t *testing.T) {
	bound := testpki.Root(t, "Root", func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} })
	names := slices.Repeat([]string{"a.example.com"}, maxNames)
	verifies(t, bound.Issue(t, "gw", testpki.DNS(names[:maxNames-1]...)), bound, Rules{}, 0)
	verifies(t, bound.Issue(t, "gw", testpki.DNS(names...)), bound, Rules{}, NameConstraint)
	free := testpki.Root(t, "Root")
	verifies(t, free.Issue(t, "gw", testpki.DNS(names...)), free, Rules{}, 0)
}

func subjectMail(s string) testpki.Option {
	return func(c *x509.Certificate) {
		c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: s}}
	}
}

func subjectURI(s string) testpki.Option {
	return func(c *x509.Certificate) {
		u, _ := url.Parse(s)
		c.URIs = []*url.URL{u}
	}
}

// directory makes name constraints of distinguished names, which crypto/x509 does not write.
func directory(t *testing.T, critical bool, permitted, excluded pkix.RDNSequence) testpki.Option {
	subtrees := func(tag int, name pkix.RDNSequence) []byte {
		if name == nil {
			return nil
		}
		dn, err := asn1.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		base := wrap(t, asn1.ClassContextSpecific, 4, dn)
		return wrap(t, asn1.ClassContextSpecific, tag, wrap(t, asn1.ClassUniversal, asn1.TagSequence, base))
	}
	return extra(oidNameConstraints, critical, wrap(t, asn1.ClassUniversal, asn1.TagSequence, append(subtrees(0, permitted), subtrees(1, excluded)...)))
}

func wrap(t *testing.T, class, tag int, content []byte) []byte {
	t.Helper()
	der, err := asn1.Marshal(asn1.RawValue{Class: class, Tag: tag, IsCompound: true, Bytes: content})
	if err != nil {
		t.Fatal(err)
	}
	return der
}
