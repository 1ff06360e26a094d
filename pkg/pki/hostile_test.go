package pki

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/testdata"
	"github.com/goipsec/goipsec/pkg/testpki"
)

// corpus reads the files of a directory of strongSwan's fuzzing corpora.
func corpus(t *testing.T, kind string) map[string][]byte {
	t.Helper()
	f, err := os.Open(testdata.Dir(t, "hostile", "strongswan-fuzzing-corpora.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if dir, name := filepath.Split(h.Name); strings.Trim(dir, "./") == kind && name != "" {
			if all[name], err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	return all
}

// crashes reads the inputs that crashed strongSwan.
func crashes(t *testing.T, kind string) map[string][]byte {
	t.Helper()
	dir := testdata.Dir(t, "hostile", "strongswan-crash", kind)
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, f := range files {
		if all[f.Name()], err = os.ReadFile(filepath.Join(dir, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestP23HostileCertificates: certificates that crashed strongSwan, and those that its fuzzer grew from: each is refused under an authority that did not issue it,
// and goes through all checks when it is its own authority.
func TestP23HostileCertificates(t *testing.T) {
	root := testpki.Root(t, "Root")
	read, taken := 0, 0
	inputs := crashes(t, "certs-crash")
	if len(inputs) < 20 {
		t.Fatalf("%d inputs", len(inputs))
	}
	more := corpus(t, "certs")
	if len(more) < 1000 {
		t.Fatalf("%d inputs", len(more))
	}
	for _, set := range []map[string][]byte{inputs, more} {
		for name, der := range set {
			sent, err := ParseChain([][]byte{der, root.Cert.Raw})
			if err != nil {
				if causeOf(t, err) != Malformed {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			read++
			if chain, err := Verify(testpki.Now, sent, []*x509.Certificate{root.Cert}, Rules{AllowSHA1: true, MinRSABits: 1024}); err == nil {
				t.Errorf("%s is accepted: %v", name, chain)
			} else if causeOf(t, err) == 0 {
				t.Errorf("%s: %v", name, err)
			}
			at := sent[0].NotBefore.Add(time.Second)
			if _, err := Verify(at, sent, sent, Rules{AllowSHA1: true}); err == nil {
				taken++
			}
			HasIdentity(sent[0], PeerIdentity{IDDN, root.Cert.RawSubject})
		}
	}
	t.Logf("%d were read, %d could be their own authorities", read, taken)
	if read < 40 || taken < 10 {
		t.Errorf("%d were read, %d taken: nothing was tried", read, taken)
	}
}

// TestP24HostileIdentities: identities that crashed strongSwan's parser, as text and as encoded names.
func TestP24HostileIdentities(t *testing.T) {
	leaf := testpki.Root(t, "Root").Issue(t, "gw", testpki.DNS("gw.example.com")).Cert
	for name, data := range crashes(t, "ids") {
		if n, err := ParseName(string(data)); err == nil && !n.IsZero() && n.In(leaf) && !n.Wild() {
			t.Errorf("%s is in the certificate", name)
		}
		for kind := range uint8(13) {
			if err := HasIdentity(leaf, PeerIdentity{kind, data}); err == nil {
				t.Errorf("%s of type %d is proved", name, kind)
			}
		}
		if EqualDN(leaf.RawSubject, data) {
			t.Errorf("%s is the subject", name)
		}
	}
}

// TestP24DepthAndSize: what is nested deeper, longer or more than any certificate has a reason to be is refused before it is parsed.
func TestP24DepthAndSize(t *testing.T) {
	root := testpki.Root(t, "Root")
	nest := func(n int) []byte {
		der := []byte{5, 0}
		for range n {
			length := len(der)
			head := []byte{0x30, 0x82, byte(length >> 8), byte(length)}
			if length < 128 {
				head = []byte{0x30, byte(length)}
			} else if length < 256 {
				head = []byte{0x30, 0x81, byte(length)}
			}
			der = append(head, der...)
		}
		return der
	}
	for name, der := range map[string][]byte{
		"deep": nest(maxDepth + 1), "very deep": nest(3000), "long": append(bytes.Clone(root.Cert.Raw), make([]byte, MaxCertificate)...), "empty": {}, "indefinite": {0x30, 0x80, 0, 0},
		"more behind": append(bytes.Clone(root.Cert.Raw), 0), "cut off": root.Cert.Raw[:100], "lying": {0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 1}, "high tag": {0x3f, 0x81, 1, 0},
	} {
		if _, err := ParseCertificate(der); causeOf(t, err) != Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	for says, der := range map[string][]byte{"too large": make([]byte, 101), "no DER": {0x30, 5, 0}, "something follows": {5, 0, 5, 0}} {
		if err := Bounded(der, 100); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
	if err := Bounded(nest(maxDepth+1), 1<<20); err == nil || !strings.Contains(err.Error(), "too deeply") {
		t.Error(err)
	}
	if _, err := ParseChain([][]byte{{1, 2, 3}, root.Cert.Raw}); causeOf(t, err) != Malformed {
		t.Errorf("the peer's own was left out: %v", err)
	}
	if Bounded(nest(maxDepth), 1<<20) != nil || Bounded(root.Cert.Raw, MaxCertificate) != nil {
		t.Error("what is allowed is refused")
	}
	many := make([][]byte, MaxSent+1)
	for i := range many {
		many[i] = root.Cert.Raw
	}
	if _, err := ParseChain(many); causeOf(t, err) != Malformed {
		t.Error(err)
	}
	if _, err := ParseChain(nil); causeOf(t, err) != UnknownCA {
		t.Error(err)
	}
	// Behind the peer's own, one that cannot be read is left out.
	if list, err := ParseChain([][]byte{root.Cert.Raw, {1, 2, 3}, root.Cert.Raw}); err != nil || len(list) != 2 {
		t.Error(list, err)
	}
}

// TestP24PathsAreBounded: authorities of one name that all could have issued each other make no long search.
func TestP24PathsAreBounded(t *testing.T) {
	root := testpki.Root(t, "Root")
	key := testpki.ECDSA(t)
	var sent []*x509.Certificate
	twin := testpki.RootWith(t, key, "Same")
	sent = append(sent, twin.Issue(t, "gw").Cert)
	for range MaxSent - 1 {
		sent = append(sent, twin.IssueFor(t, key, "Same", testpki.Authority).Cert)
	}
	s := search{now: testpki.Now, others: sent[1:], roots: []*x509.Certificate{root.Cert}}
	if path := s.extend(sent[:1]); path != nil || s.signatures != maxSignatures {
		t.Errorf("%d signatures", s.signatures)
	}
	if _, err := Verify(testpki.Now, sent, []*x509.Certificate{root.Cert}, Rules{}); causeOf(t, err) != PathTooLong {
		t.Error(err)
	}
}
