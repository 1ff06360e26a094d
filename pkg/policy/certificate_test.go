package policy

import (
	"crypto/x509"
	"testing"

	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/testpki"
)

// TestMeaningOfCertificates: authorities, identities, files and rules mean something; what stands in the machine's own files does not, since a renewed certificate must not end an SA.
func TestMeaningOfCertificates(t *testing.T) {
	dir := t.TempDir()
	root, other := testpki.Root(t, "Root"), testpki.Root(t, "Root")
	machine := root.Issue(t, "gw")
	certificate, key := machine.Write(t, dir, "gw")
	means := func(files []string, cas []*x509.Certificate, remote string, rules pki.Rules) string {
		t.Helper()
		st, err := pki.OpenStore(pki.Source{Certificates: files, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		r := &Rule{Auth: []AuthMethod{{Kind: Certificate, RemoteID: remote, Cert: &CertAuth{Credentials: st, CAs: cas}}}}
		return mainModeMeaning(&Policy{Certificates: rules}, r)
	}
	files, cas := []string{certificate}, []*x509.Certificate{root.Cert, other.Cert}
	is := means(files, cas, "", pki.Rules{})
	root.Issue(t, "gw").Write(t, dir, "gw")
	if means(files, cas, "", pki.Rules{}) != is {
		t.Error("a renewed certificate changes the meaning")
	}
	second, _ := root.IssueFor(t, machine.Key, "gw").Write(t, dir, "second")
	machine.Write(t, dir, "gw")
	for what, m := range map[string]string{
		"files": means([]string{second}, cas, "", pki.Rules{}), "authorities": means(files, cas[:1], "", pki.Rules{}), "their order": means(files, []*x509.Certificate{other.Cert, root.Cert}, "", pki.Rules{}),
		"identity": means(files, cas, "gw", pki.Rules{}), "rules": means(files, cas, "", pki.Rules{CRLCheck: pki.CRLStrong}), "bits": means(files, cas, "", pki.Rules{MinRSABits: 3072}),
	} {
		if m == is {
			t.Errorf("%s mean nothing", what)
		}
	}
	// Rules about certificates mean nothing to who uses none.
	psk := &Rule{Auth: []AuthMethod{{Kind: PSK, PSK: NewSecret([]byte("key"))}}}
	if mainModeMeaning(&Policy{}, psk) != mainModeMeaning(&Policy{Certificates: pki.Rules{AllowSHA1: true}}, psk) {
		t.Error("certificates matter to pre-shared keys")
	}
}

// TestChooseCertificate: of several, the one that the first authority of the peer leads to and that proves local_id.
func TestChooseCertificate(t *testing.T) {
	one, two := testpki.Root(t, "One"), testpki.Root(t, "Two")
	middle := two.Issue(t, "Middle", testpki.Authority)
	var list []pki.Credential
	for _, id := range []*testpki.Identity{one.Issue(t, "a"), middle.Issue(t, "b"), one.Issue(t, "c", testpki.DNS("c.example.com"))} {
		c, err := pki.NewCredential(id.Path(), id.Key)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	dn := func(ids ...*testpki.Identity) (names [][]byte) {
		for _, id := range ids {
			names = append(names, id.Cert.RawSubject)
		}
		return names
	}
	c := &CertAuth{Credentials: pki.NewStore(list...)}
	choose := func(asked [][]byte) string {
		x, ok := c.Choose(asked)
		if !ok {
			return ""
		}
		return x.Leaf().Subject.CommonName
	}
	for want, asked := range map[string][][]byte{"a": dn(one, two), "b": dn(two, one), "": dn(testpki.Root(t, "Three"))} {
		if got := choose(asked); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := choose(dn(middle)); got != "b" {
		t.Errorf("%q by the authority in the middle", got)
	}
	if got := choose(nil); got != "a" {
		t.Errorf("%q for any", got)
	}
	c.Local, _ = pki.ParseName("c.example.com")
	if got := choose(nil); got != "c" {
		t.Errorf("%q proves local_id", got)
	}
	if got := choose(dn(two)); got != "" {
		t.Errorf("%q for an authority that does not know it", got)
	}
}
