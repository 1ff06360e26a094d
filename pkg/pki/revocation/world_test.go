package revocation

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/testpki"
)

var now = testpki.Now

// world is an authority, a server on loopback that has its lists and answers, a machine's certificate that names it, and a Checker.
type world struct {
	t       *testing.T
	server  *httptest.Server
	root    *testpki.Identity
	machine *testpki.Identity
	dir     string // of the cache
	log     strings.Builder
	checker *Checker

	mu      sync.Mutex
	answers map[string]http.HandlerFunc // by path
	hits    map[string]int
}

// newWorld makes a world whose machine's certificate names /crl, or whatever options say.
func newWorld(t *testing.T, options ...func(w *world, c *x509.Certificate)) *world {
	t.Helper()
	w := &world{t: t, root: testpki.Root(t, "Root"), dir: filepath.Join(t.TempDir(), "cache"), answers: map[string]http.HandlerFunc{}, hits: map[string]int{}}
	w.server = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.server.Close)
	w.machine = w.root.Issue(t, "gw", w.names(options...))
	w.restart()
	return w
}

func (w *world) names(options ...func(w *world, c *x509.Certificate)) testpki.Option {
	return func(c *x509.Certificate) {
		c.CRLDistributionPoints = []string{w.url("/crl")}
		for _, o := range options {
			o(w, c)
		}
	}
}

// restart makes a new Checker, as a process that begins has it.
func (w *world) restart() {
	w.checker = New(Options{Dir: w.dir, Log: slog.New(slog.NewTextHandler(&w.log, nil))})
}

func (w *world) url(path string) string { return w.server.URL + path }

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.hits[r.URL.Path]++
	h := w.answers[r.URL.Path]
	w.mu.Unlock()
	if h == nil {
		http.NotFound(rw, r)
		return
	}
	h(rw, r)
}

func (w *world) on(path string, h http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[path] = h
}

// put has the server give some bytes.
func (w *world) put(path string, data []byte) {
	w.on(path, func(rw http.ResponseWriter, _ *http.Request) { rw.Write(data) })
}

func (w *world) hit(path string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hits[path]
}

// check checks the machine's certificate at a level.
func (w *world) check(at time.Time, r pki.Rules) error {
	w.t.Helper()
	return w.checker.Check(context.Background(), at, []*x509.Certificate{w.machine.Cert, w.root.Cert}, r)
}

// says checks what comes of a check.
func (w *world) says(at time.Time, r pki.Rules, want pki.Cause) {
	w.t.Helper()
	err := w.check(at, r)
	if got := cause(w.t, err); got != want {
		w.t.Errorf("%v, want %v: %v", got, want, err)
	}
}

func cause(t *testing.T, err error) pki.Cause {
	t.Helper()
	if err == nil {
		return 0
	}
	var e *pki.Error
	if !errors.As(err, &e) || e.Detail == "" || e.Subject == "" {
		t.Fatalf("%T %v", err, err)
	}
	return e.Cause
}

// crl makes a list. Without options it is number 10, of now, for a day, and empty.
func crl(t *testing.T, by *testpki.Identity, options ...func(*x509.RevocationList)) []byte {
	t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(10), ThisUpdate: now, NextUpdate: now.Add(24 * time.Hour)}
	for _, o := range options {
		o(l)
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, by.Cert, by.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func number(n int64) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) { l.Number = big.NewInt(n) }
}

func revokes(reason int, ids ...*testpki.Identity) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		for _, id := range ids {
			l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: id.Cert.SerialNumber, RevocationTime: now, ReasonCode: reason})
		}
	}
}

func times(from, to time.Time) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) { l.ThisUpdate, l.NextUpdate = from, to }
}

func with(oid asn1.ObjectIdentifier, critical bool, value []byte) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: oid, Critical: critical, Value: value})
	}
}

// deltaOf makes a list a delta over one with a number.
func deltaOf(t *testing.T, base int64) func(*x509.RevocationList) {
	return with(oidDelta, true, marshal(t, big.NewInt(base)))
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	der, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func context0(tag int, compound bool, content []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: compound, Bytes: content}
}

// points makes distribution points with URLs (RFC 5280 §4.2.1.13), each with the name of an URI.
func points(t *testing.T, urls ...string) []byte {
	var all []asn1.RawValue
	for _, u := range urls {
		point := marshal(t, []asn1.RawValue{context0(0, true, marshal(t, context0(0, true, marshal(t, context0(6, false, []byte(u))))))})
		all = append(all, asn1.RawValue{FullBytes: point})
	}
	return marshal(t, all)
}

// issuing makes an issuing distribution point of some of its parts (RFC 5280 §5.2.5).
func issuing(t *testing.T, parts ...asn1.RawValue) func(*x509.RevocationList) {
	return with(oidIssuingPoint, true, marshal(t, parts))
}

func truth(tag int) asn1.RawValue { return context0(tag, false, []byte{0xff}) }

func pointAt(t *testing.T, url string) asn1.RawValue {
	return context0(0, true, marshal(t, context0(0, true, marshal(t, context0(6, false, []byte(url))))))
}

// answer makes an OCSP response.
func answer(t *testing.T, about *testpki.Identity, issuer, signer *testpki.Identity, options ...func(*ocsp.Response)) []byte {
	t.Helper()
	r := ocsp.Response{Status: ocsp.Good, SerialNumber: about.Cert.SerialNumber, ThisUpdate: now, NextUpdate: now.Add(time.Hour), IssuerHash: crypto.SHA1}
	if signer != issuer {
		r.Certificate = signer.Cert
	}
	for _, o := range options {
		o(&r)
	}
	der, err := ocsp.CreateResponse(issuer.Cert, signer.Cert, r, signer.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func status(s, reason int) func(*ocsp.Response) {
	return func(r *ocsp.Response) { r.Status, r.RevokedAt, r.RevocationReason = s, now, reason }
}

func writeList(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
