package revocation

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ocsp"

	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/testdata"
	"github.com/goipsec/goipsec/pkg/testpki"
)

var update = flag.Bool("update", false, "make the lists and responses of the fuzz targets anew")

const fixture = "testdata/signed.pem"

// fuzzed are a root, a machine, lists and OCSP responses. They are always the same ones, since the processes of a fuzzer share their inputs.
type fuzzed struct {
	root, leaf *x509.Certificate
	lists      [][]byte
	responses  [][]byte
}

func fuzzFixture(tb testing.TB) (x fuzzed) {
	tb.Helper()
	data, err := os.ReadFile(fixture)
	if err != nil {
		tb.Fatal(err)
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				tb.Fatal(err)
			}
			if x.root == nil {
				x.root = c
			} else {
				x.leaf = c
			}
		case "X509 CRL":
			x.lists = append(x.lists, block.Bytes)
		case "OCSP RESPONSE":
			x.responses = append(x.responses, block.Bytes)
		}
	}
	return x
}

// TestFixture: the lists and responses of the fuzz targets are good.
func TestFixture(t *testing.T) {
	if *update {
		root := testpki.Root(t, "Root")
		leaf, delegate := root.Issue(t, "gw"), root.Issue(t, "responder", responder)
		data := testpki.CertificatesPEM(root.Cert, leaf.Cert)
		for _, l := range [][]byte{
			crl(t, root, revokes(1, root), with(oidFreshest, false, points(t, "http://a.example/", "http://b.example/")), issuing(t, pointAt(t, "http://a.example/"), truth(1))),
			crl(t, root, deltaOf(t, 3), revokes(8, leaf)),
		} {
			data = append(data, encodePEM("X509 CRL", l)...)
		}
		for _, r := range [][]byte{answer(t, leaf, root, root), answer(t, leaf, root, delegate), answer(t, leaf, root, delegate, status(ocsp.Revoked, 1))} {
			data = append(data, encodePEM("OCSP RESPONSE", r)...)
		}
		if err := os.WriteFile(fixture, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	x := fuzzFixture(t)
	if len(x.lists) != 2 || len(x.responses) != 3 {
		t.Fatalf("%d lists, %d responses", len(x.lists), len(x.responses))
	}
	for _, der := range x.lists {
		if l, err := parseList(der, MaxBytes); err != nil {
			t.Error(err)
		} else if err := l.usable(x.root, pki.Rules{}); err != nil {
			t.Error(err)
		}
	}
	for _, der := range x.responses {
		if _, err := parseResponse(der, x.leaf, x.root, now, pki.Rules{}); err != nil {
			t.Error(err)
		}
	}
}

// isPart reports whether some bytes are part of what the authority signed.
func isPart(genuine [][]byte, signed []byte) bool {
	return slices.ContainsFunc(genuine, func(g []byte) bool { return bytes.Contains(g, signed) })
}

// FuzzList: whatever a server gives as a list, it is read or refused, and counts only with the authority's signature.
func FuzzList(f *testing.F) {
	x := fuzzFixture(f)
	for _, l := range x.lists {
		f.Add(l)
	}
	f.Add(pemList(x.lists[0]))
	f.Add([]byte("-----BEGIN X509 CRL-----"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := parseList(data, MaxBytes)
		if err != nil {
			return
		}
		l.current(now)
		l.covers(x.leaf)
		l.entry(x.leaf.SerialNumber)
		fetchable(l.freshest)
		if l.usable(x.root, pki.Rules{AllowSHA1: true}) == nil && !isPart(x.lists, l.signed) {
			t.Fatalf("forged: %x", data)
		}
		if !samePart(l.point, l.point) {
			t.Fatal("a list is about another part than itself")
		}
	})
}

// FuzzResponse: whatever a responder answers, it is read or refused, and counts only with a signature of who may.
func FuzzResponse(f *testing.F) {
	x := fuzzFixture(f)
	for _, r := range x.responses {
		f.Add(r)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		answers(data)
		r, err := parseResponse(data, x.leaf, x.root, now, pki.Rules{AllowSHA1: true})
		if err == nil && !isPart(x.responses, r.TBSResponseData) {
			t.Fatalf("forged: %x", data)
		}
	})
}

// FuzzCacheFile: whatever lies in the cache's directory, it is an entry or damaged, and an entry is written as it was read.
func FuzzCacheFile(f *testing.F) {
	f.Add(entry{"http://a.example/", now, []byte("data")}.encode())
	f.Add([]byte(magic + "\n\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := decodeEntry(data)
		if err != nil {
			return
		}
		describe(e)
		again, err := decodeEntry(e.encode())
		if err != nil || again.id != e.id || !again.expires.Equal(e.expires) || string(again.data) != string(e.data) {
			t.Fatalf("%+v %v", again, err)
		}
	})
}

// TestP24HostileLists: lists and OCSP responses that strongSwan's fuzzer grew from, and those that crashed it.
func TestP24HostileLists(t *testing.T) {
	root := testpki.Root(t, "Root")
	leaf := root.Issue(t, "gw")
	f, err := os.Open(testdata.Dir(t, "hostile", "strongswan-fuzzing-corpora.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	read, seen := 0, map[string]int{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kind := strings.Trim(filepath.Dir(h.Name), "./")
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		seen[kind]++
		switch kind {
		case "crls", "certs-crash":
			l, err := parseList(data, MaxBytes)
			if err != nil {
				continue
			}
			read++
			if l.usable(root.Cert, pki.Rules{AllowSHA1: true}) == nil {
				t.Errorf("%s is accepted", h.Name)
			}
			l.current(now)
			l.covers(leaf.Cert)
		case "ocsp_rsp", "ocsp_rsp-crash":
			if _, err := parseResponse(data, leaf.Cert, root.Cert, now, pki.Rules{AllowSHA1: true}); err == nil {
				t.Errorf("%s is accepted", h.Name)
			}
		}
	}
	t.Logf("%v; %d lists were read", seen, read)
	if seen["crls"] < 800 || seen["ocsp_rsp"] < 4 || seen["ocsp_rsp-crash"] < 1 || read < 30 {
		t.Errorf("%v; %d lists were read", seen, read)
	}
}
