package pki

import (
	"bytes"
	"crypto/x509"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/testpki"
)

// update makes the fixture anew.
var update = flag.Bool("update", false, "make the certificates of the fuzz targets anew")

const fixture = "testdata/chain.pem"

// fuzzChain returns a root, an authority below it and a machine. They are always the same ones, since the processes of a fuzzer share their inputs.
func fuzzChain(tb testing.TB) (root, middle, leaf *x509.Certificate) {
	tb.Helper()
	list, err := LoadCertificates(fixture, nil)
	if err != nil || len(list) != 3 {
		tb.Fatal(len(list), err)
	}
	return list[0], list[1], list[2]
}

// TestFixture: the certificates of the fuzz targets are good.
func TestFixture(t *testing.T) {
	if *update {
		root := testpki.Root(t, "Root")
		middle := root.Issue(t, "Middle", testpki.Authority)
		leaf := middle.Issue(t, "gw", testpki.DNS("gw.example.com"), testpki.IP("192.0.2.1"), testpki.Email("a@example.com"))
		if err := os.WriteFile(fixture, testpki.CertificatesPEM(root.Cert, middle.Cert, leaf.Cert), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, middle, leaf := fuzzChain(t)
	if chain, err := Verify(testpki.Now, []*x509.Certificate{leaf, middle}, []*x509.Certificate{root}, Rules{}); err != nil || len(chain) != 3 {
		t.Error(chain, err)
	}
}

// FuzzChain: whatever a peer sends as certificates, the answer comes without a panic, and nothing that the authority did not sign is accepted.
func FuzzChain(f *testing.F) {
	root, middle, leaf := fuzzChain(f)
	f.Add(leaf.Raw, middle.Raw, root.Raw)
	f.Add(root.Raw, leaf.Raw, []byte{})
	f.Add([]byte{}, []byte{0x30, 0x80}, bytes.Repeat([]byte{0x30, 0x80}, 100))
	f.Add(bytes.Repeat([]byte{0x30, 0x82, 0x10, 0}, 1000), []byte(nil), []byte(nil))
	genuine := map[string]bool{string(leaf.Raw): true, string(middle.Raw): true, string(root.Raw): true}
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		sent, err := ParseChain([][]byte{a, b, c})
		if err != nil {
			return
		}
		for _, r := range []Rules{{}, {AllowSHA1: true, MinRSABits: 1024}} {
			chain, err := Verify(testpki.Now, sent, []*x509.Certificate{root}, r)
			if err == nil {
				for _, x := range chain {
					if !genuine[string(x.Raw)] {
						t.Fatalf("accepted: %x", x.Raw)
					}
				}
			} else if s := err.Error(); len(s) > 4000 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > 0x2100 }) {
				t.Fatalf("%q", s)
			}
			// As its own authority every check is reached.
			Verify(testpki.Now, sent, sent, r)
		}
		for _, x := range sent {
			Describe(x)
			for _, n := range []Name{{}, mustName("gw.example.com"), mustName("192.0.2.1"), mustName("C=CH, O=*, CN=*")} {
				if id, err := n.Identity(x); err == nil && n.Accept(x, id) != nil {
					t.Fatalf("%v does not prove what it shows: %v", x.Raw, id)
				}
			}
			if !EqualDN(x.RawSubject, x.RawSubject) {
				t.Fatal("a name is not equal to itself")
			}
		}
	})
}

func mustName(s string) Name {
	n, err := ParseName(s)
	if err != nil {
		panic(err)
	}
	return n
}

// FuzzDNPattern: a pattern that is read matches a name or not, without a panic; what FormatDN writes of a name that has text in it matches that name.
func FuzzDNPattern(f *testing.F) {
	_, _, gw := fuzzChain(f)
	for _, s := range []string{"C=CH, O=Lab, CN=*", `CN="a\"b"+E=*`, `O=a\,b`, "2.5.4.3=x", "CN=", "=", ",", `CN=\`} {
		f.Add(s, gw.RawSubject)
	}
	f.Fuzz(func(t *testing.T, s string, raw []byte) {
		if p, err := ParseDNPattern(s); err == nil {
			p.Match(raw)
			p.Match(gw.RawSubject)
			again, err := ParseDNPattern(p.String())
			if err != nil || again.Match(raw) != p.Match(raw) {
				t.Fatalf("%q: %v", s, err)
			}
		}
		name, err := parseDN(raw)
		if err != nil || len(name) == 0 {
			return
		}
		for _, part := range name {
			for _, a := range part {
				text, ok := a.text()
				if !ok || strings.TrimSpace(text) == "" || oidOf(attributeName(a.oid)) != a.oid {
					return
				}
			}
		}
		written := FormatDN(raw)
		if len(written) > maxPattern {
			return
		}
		p, err := ParseDNPattern(written)
		if err != nil {
			t.Fatalf("%q: %v", written, err)
		}
		if !p.Match(raw) {
			t.Fatalf("%q does not match its name %x", written, raw)
		}
	})
}
