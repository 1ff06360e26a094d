package revocation

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/testpki"
)

func ocspAt(path string) func(w *world, c *x509.Certificate) {
	return func(w *world, c *x509.Certificate) { c.OCSPServer = append(c.OCSPServer, w.url(path)) }
}

func noLists(_ *world, c *x509.Certificate) { c.CRLDistributionPoints = nil }

func freshestAt(t *testing.T, path string) func(w *world, c *x509.Certificate) {
	return func(w *world, c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: oidFreshest, Value: points(t, w.url(path))})
	}
}

// TestLevels: what each thing that can go wrong, or right, comes to at levels 1 and 2. At level 0 nothing is asked and nothing fails.
func TestLevels(t *testing.T) {
	type setup func(t *testing.T, w *world)
	const ok, rev, unk = pki.Cause(0), pki.Revoked, pki.RevocationUnknown
	type options = []func(w *world, c *x509.Certificate)
	at := func(path string, make func(t *testing.T, w *world) []byte) setup {
		return func(t *testing.T, w *world) { w.put(path, make(t, w)) }
	}
	list := func(o ...func(*x509.RevocationList)) setup {
		return at("/crl", func(t *testing.T, w *world) []byte { return crl(t, w.root, o...) })
	}
	hour := time.Hour
	stale := times(now.Add(-48*hour), now.Add(-24*hour))
	var cases = []struct {
		name           string
		options        options
		setup          setup
		level1, level2 pki.Cause
		why            string // in what level 2 says, or level 1 where that fails
	}{
		{"good", nil, list(), ok, ok, ""},
		{"revoked", nil, func(t *testing.T, w *world) { w.put("/crl", crl(t, w.root, revokes(1, w.machine))) }, rev, rev, "its key was compromised"},
		{"revoked for no reason", nil, func(t *testing.T, w *world) { w.put("/crl", crl(t, w.root, revokes(0, w.machine))) }, rev, rev, "was revoked"},
		{"on hold", nil, func(t *testing.T, w *world) { w.put("/crl", crl(t, w.root, revokes(6, w.machine))) }, rev, rev, "on hold"},
		{"another was revoked", nil, func(t *testing.T, w *world) { w.put("/crl", crl(t, w.root, revokes(1, w.root))) }, ok, ok, ""},
		{"expired", nil, list(stale), ok, unk, "it expired on"},
		{"expired, revoked", nil, func(t *testing.T, w *world) { w.put("/crl", crl(t, w.root, stale, revokes(1, w.machine))) }, rev, rev, "compromised"},
		{"expired, on hold", nil, func(t *testing.T, w *world) { w.put("/crl", crl(t, w.root, stale, revokes(6, w.machine))) }, ok, unk, "on hold"},
		{"not yet valid", nil, list(times(now.Add(hour), now.Add(2*hour))), ok, unk, "of the future"},
		{"a few minutes ahead", nil, list(times(now.Add(skew-time.Second), now.Add(2*hour))), ok, ok, ""},
		{"wrong CA", nil, func(t *testing.T, w *world) { w.put("/crl", crl(t, testpki.Root(t, "Other"))) }, ok, unk, "CN=Other"},
		{"wrong CA that revokes", nil, func(t *testing.T, w *world) { w.put("/crl", crl(t, testpki.Root(t, "Other"), revokes(1, w.machine))) }, ok, unk, "CN=Other"},
		{"another key of the name", nil, func(t *testing.T, w *world) { w.put("/crl", crl(t, testpki.Root(t, "Root"), revokes(1, w.machine))) }, ok, unk, "signature is wrong"},
		{"bad signature", nil, at("/crl", func(t *testing.T, w *world) []byte { b := crl(t, w.root); b[len(b)-1] ^= 1; return b }), ok, unk, "signature is wrong"},
		{"unreachable", options{func(_ *world, c *x509.Certificate) { c.CRLDistributionPoints = []string{"http://127.0.0.1:1/crl"} }}, nil, ok, unk, "connection refused"},
		{"not found", nil, nil, ok, unk, "404"},
		{"rubbish", nil, at("/crl", func(*testing.T, *world) []byte { return []byte("<html>") }), ok, unk, "no revocation list"},
		{"empty", nil, at("/crl", func(*testing.T, *world) []byte { return nil }), ok, unk, "no revocation list"},
		{"PEM", nil, at("/crl", func(t *testing.T, w *world) []byte { return pemList(crl(t, w.root, revokes(1, w.machine))) }), rev, rev, "compromised"},
		{"oversize", nil, at("/crl", func(*testing.T, *world) []byte { return make([]byte, MaxBytes+1) }), ok, unk, "larger than"},
		{"oversize, length untold", nil, func(_ *testing.T, w *world) {
			w.on("/crl", func(rw http.ResponseWriter, _ *http.Request) {
				for range 5 {
					rw.Write(make([]byte, 1<<20))
					rw.(http.Flusher).Flush()
				}
			})
		}, ok, unk, "larger than"},
		{"cut off", nil, func(t *testing.T, w *world) {
			whole := crl(t, w.root)
			w.on("/crl", func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Length", fmt.Sprint(len(whole)))
				rw.Write(whole[:len(whole)/2])
			})
		}, ok, unk, "unexpected EOF"},
		{"names nothing", options{noLists}, nil, ok, unk, "names no place"},
		{"ldap only", options{func(_ *world, c *x509.Certificate) { c.CRLDistributionPoints = []string{"ldap://127.0.0.1/x"} }}, nil, ok, unk, "none by http://"},
		{"https only", options{func(_ *world, c *x509.Certificate) { c.CRLDistributionPoints = []string{"https://127.0.0.1/x"} }}, nil, ok, unk, "none by http://"},
		{"the second place", options{func(w *world, c *x509.Certificate) {
			c.CRLDistributionPoints = []string{"ldap://127.0.0.1/x", w.url("/none"), w.url("/crl")}
		}}, list(), ok, ok, ""},
		{"redirected", nil, func(t *testing.T, w *world) {
			w.on("/crl", http.RedirectHandler("/moved", http.StatusFound).ServeHTTP)
			w.put("/moved", crl(t, w.root, revokes(1, w.machine)))
		}, rev, rev, "compromised"},
		{"redirected to https", nil, func(_ *testing.T, w *world) {
			w.on("/crl", http.RedirectHandler("https://127.0.0.1/x", http.StatusFound).ServeHTTP)
		}, ok, unk, "away from http"},
		{"redirected to a file", nil, func(_ *testing.T, w *world) {
			w.on("/crl", http.RedirectHandler("file:///etc/passwd", http.StatusFound).ServeHTTP)
		}, ok, unk, "away from http"},
		{"redirected for ever", nil, func(_ *testing.T, w *world) { w.on("/crl", http.RedirectHandler("/crl", http.StatusFound).ServeHTTP) }, ok, unk, "too many redirections"},
		{"critical extension", nil, list(with(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 2}, true, []byte{5, 0})), ok, unk, "not understood"},
		{"extension", nil, list(with(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 2}, false, []byte{5, 0})), ok, ok, ""},
		{"critical extension of an entry", nil, func(t *testing.T, w *world) {
			w.put("/crl", crl(t, w.root, func(l *x509.RevocationList) {
				l.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: big.NewInt(1), RevocationTime: now, ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 2}, Critical: true, Value: []byte{5, 0}}}}}
			}))
		}, ok, unk, "not understood"},
		{"entry of another authority", nil, func(t *testing.T, w *world) {
			w.put("/crl", crl(t, w.root, func(l *x509.RevocationList) {
				l.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: big.NewInt(1), RevocationTime: now, ExtraExtensions: []pkix.Extension{{Id: oidCertificateIssuer, Critical: true, Value: []byte{0x30, 0}}}}}
			}))
		}, ok, unk, "indirect"},

		// issuing distribution points
		{"indirect", nil, func(t *testing.T, w *world) {
			w.put("/crl", crl(t, w.root, issuing(t, truth(4)), revokes(1, w.machine)))
		}, ok, unk, "indirect"},
		{"users", nil, func(t *testing.T, w *world) { w.put("/crl", crl(t, w.root, issuing(t, truth(1)))) }, ok, ok, ""},
		{"authorities only", nil, func(t *testing.T, w *world) { w.put("/crl", crl(t, w.root, issuing(t, truth(2)))) }, ok, unk, "authorities only"},
		{"attributes", nil, func(t *testing.T, w *world) { w.put("/crl", crl(t, w.root, issuing(t, truth(5)))) }, ok, unk, "attribute"},
		{"some reasons", nil, func(t *testing.T, w *world) {
			w.put("/crl", crl(t, w.root, issuing(t, context0(3, false, []byte{1, 0x40}))))
		}, ok, unk, "some reasons"},
		{"some reasons, revoked", nil, func(t *testing.T, w *world) {
			w.put("/crl", crl(t, w.root, issuing(t, context0(3, false, []byte{1, 0x40})), revokes(1, w.machine)))
		}, rev, rev, "compromised"},
		{"this place", nil, func(t *testing.T, w *world) { w.put("/crl", crl(t, w.root, issuing(t, pointAt(t, w.url("/crl"))))) }, ok, ok, ""},
		{"another place", nil, func(t *testing.T, w *world) { w.put("/crl", crl(t, w.root, issuing(t, pointAt(t, w.url("/other"))))) }, ok, unk, "another part"},
		{"malformed point", nil, list(with(oidIssuingPoint, true, []byte{0x30, 2, 5, 0})), ok, unk, "malformed"},
		{"no list signer", options{func(w *world, c *x509.Certificate) {
			w.root = testpki.Root(w.t, "Root", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
		}}, nil, ok, unk, "404"}, // see TestListSigner

		// delta lists
		{"delta for a base", options{freshestAt(t, "/delta")}, func(t *testing.T, w *world) {
			w.put("/crl", crl(t, w.root))
			w.put("/delta", crl(t, w.root, deltaOf(t, 10), number(12)))
		}, ok, ok, ""},
		{"delta revokes", options{freshestAt(t, "/delta")}, func(t *testing.T, w *world) {
			w.put("/crl", crl(t, w.root))
			w.put("/delta", crl(t, w.root, deltaOf(t, 10), number(12), revokes(4, w.machine)))
		}, rev, rev, "superseded"},
		{"delta named by the list revokes", nil, func(t *testing.T, w *world) {
			w.put("/crl", crl(t, w.root, with(oidFreshest, false, points(t, w.url("/delta")))))
			w.put("/delta", crl(t, w.root, deltaOf(t, 5), number(12), revokes(4, w.machine)))
		}, rev, rev, "superseded"},
		{"delta un-revokes", options{freshestAt(t, "/delta")}, func(t *testing.T, w *world) {
			w.put("/crl", crl(t, w.root, revokes(6, w.machine)))
			w.put("/delta", crl(t, w.root, deltaOf(t, 10), number(12), revokes(8, w.machine)))
		}, ok, ok, ""},
		{"delta about others", options{freshestAt(t, "/delta")}, func(t *testing.T, w *world) {
			w.put("/crl", crl(t, w.root, revokes(6, w.machine)))
			w.put("/delta", crl(t, w.root, deltaOf(t, 10), number(12), revokes(8, w.root)))
		}, rev, rev, "on hold"},
		{"no delta", options{freshestAt(t, "/delta")}, list(), ok, unk, "404"},
		{"expired delta that un-revokes", options{freshestAt(t, "/delta")}, func(t *testing.T, w *world) {
			w.put("/crl", crl(t, w.root, revokes(6, w.machine)))
			w.put("/delta", crl(t, w.root, stale, deltaOf(t, 10), number(12), revokes(8, w.machine)))
		}, rev, rev, "on hold"},
		{"forged delta that un-revokes", options{freshestAt(t, "/delta")}, func(t *testing.T, w *world) {
			w.put("/crl", crl(t, w.root, revokes(6, w.machine)))
			w.put("/delta", crl(t, testpki.Root(t, "Root"), deltaOf(t, 10), number(12), revokes(8, w.machine)))
		}, rev, rev, "on hold"},
		{"delta over a newer list", options{freshestAt(t, "/delta")}, func(t *testing.T, w *world) {
			w.put("/crl", crl(t, w.root))
			w.put("/delta", crl(t, w.root, deltaOf(t, 11), number(12)))
		}, ok, unk, "newer list"},
		{"delta older than the list", options{freshestAt(t, "/delta")}, func(t *testing.T, w *world) {
			w.put("/crl", crl(t, w.root))
			w.put("/delta", crl(t, w.root, deltaOf(t, 5), number(9)))
		}, ok, unk, "older than the list"},
		{"delta of another part", options{freshestAt(t, "/delta")}, func(t *testing.T, w *world) {
			w.put("/crl", crl(t, w.root))
			w.put("/delta", crl(t, w.root, deltaOf(t, 10), number(12), issuing(t, truth(1))))
		}, ok, unk, "another part"},
		{"delta in place of a base", nil, list(deltaOf(t, 5)), ok, unk, "delta"},
		{"base in place of a delta", options{freshestAt(t, "/crl")}, list(), ok, unk, "no delta list"},

		// OCSP
		{"OCSP good", options{noLists, ocspAt("/ocsp")}, func(t *testing.T, w *world) { w.put("/ocsp", answer(t, w.machine, w.root, w.root)) }, ok, ok, ""},
		{"OCSP revoked", options{ocspAt("/ocsp")}, func(t *testing.T, w *world) {
			w.put("/ocsp", answer(t, w.machine, w.root, w.root, status(ocsp.Revoked, 1)))
		}, rev, rev, "compromised"},
		{"OCSP unknown", options{noLists, ocspAt("/ocsp")}, func(t *testing.T, w *world) {
			w.put("/ocsp", answer(t, w.machine, w.root, w.root, status(ocsp.Unknown, 0)))
		}, ok, unk, "does not know"},
		{"OCSP unknown, list good", options{ocspAt("/ocsp")}, func(t *testing.T, w *world) {
			w.put("/ocsp", answer(t, w.machine, w.root, w.root, status(ocsp.Unknown, 0)))
			w.put("/crl", crl(t, w.root))
		}, ok, ok, ""},
		{"OCSP unreachable, list revokes", options{ocspAt("/ocsp")}, func(t *testing.T, w *world) { w.put("/crl", crl(t, w.root, revokes(1, w.machine))) }, rev, rev, "compromised"},
		{"OCSP expired", options{noLists, ocspAt("/ocsp")}, func(t *testing.T, w *world) {
			w.put("/ocsp", answer(t, w.machine, w.root, w.root, func(r *ocsp.Response) { r.ThisUpdate, r.NextUpdate = now.Add(-2*hour), now.Add(-hour) }))
		}, ok, unk, "no longer valid"},
		{"OCSP expired, revoked", options{noLists, ocspAt("/ocsp")}, func(t *testing.T, w *world) {
			w.put("/ocsp", answer(t, w.machine, w.root, w.root, status(ocsp.Revoked, 1), func(r *ocsp.Response) { r.ThisUpdate, r.NextUpdate = now.Add(-2*hour), now.Add(-hour) }))
		}, rev, rev, "compromised"},
		{"OCSP expired, on hold", options{noLists, ocspAt("/ocsp")}, func(t *testing.T, w *world) {
			w.put("/ocsp", answer(t, w.machine, w.root, w.root, status(ocsp.Revoked, 6), func(r *ocsp.Response) { r.ThisUpdate, r.NextUpdate = now.Add(-2*hour), now.Add(-hour) }))
		}, ok, unk, "no longer valid"},
		{"OCSP of the future", options{noLists, ocspAt("/ocsp")}, func(t *testing.T, w *world) {
			w.put("/ocsp", answer(t, w.machine, w.root, w.root, func(r *ocsp.Response) { r.ThisUpdate, r.NextUpdate = now.Add(hour), now.Add(2*hour) }))
		}, ok, unk, "of the future"},
		{"OCSP without nextUpdate", options{noLists, ocspAt("/ocsp")}, func(t *testing.T, w *world) {
			w.put("/ocsp", answer(t, w.machine, w.root, w.root, func(r *ocsp.Response) { r.NextUpdate = time.Time{} }))
		}, ok, ok, ""},
		{"OCSP of yesterday without nextUpdate", options{noLists, ocspAt("/ocsp")}, func(t *testing.T, w *world) {
			w.put("/ocsp", answer(t, w.machine, w.root, w.root, func(r *ocsp.Response) { r.ThisUpdate, r.NextUpdate = now.Add(-24*hour), time.Time{} }))
		}, ok, unk, "no longer valid"},
		{"OCSP forged", options{noLists, ocspAt("/ocsp")}, func(t *testing.T, w *world) {
			w.put("/ocsp", answer(t, w.machine, w.root, testpki.Root(t, "Root", responder), func(r *ocsp.Response) { r.Certificate = nil }))
		}, ok, unk, "signature of its answer is wrong"},
		{"OCSP bad signature", options{noLists, ocspAt("/ocsp")}, func(t *testing.T, w *world) {
			b := answer(t, w.machine, w.root, w.root)
			b[len(b)-1] ^= 1
			w.put("/ocsp", b)
		}, ok, unk, "signature of its answer is wrong"},
		{"OCSP by a delegate", options{noLists, ocspAt("/ocsp")}, func(t *testing.T, w *world) {
			w.put("/ocsp", answer(t, w.machine, w.root, w.root.Issue(t, "responder", responder)))
		}, ok, ok, ""},
		{"OCSP by a delegate, revoked", options{noLists, ocspAt("/ocsp")}, func(t *testing.T, w *world) {
			w.put("/ocsp", answer(t, w.machine, w.root, w.root.Issue(t, "responder", responder), status(ocsp.Revoked, 0)))
		}, rev, rev, "was revoked"},
		{"OCSP by a machine", options{noLists, ocspAt("/ocsp")}, func(t *testing.T, w *world) { w.put("/ocsp", answer(t, w.machine, w.root, w.machine)) }, ok, unk, "OCSPSigning"},
		{"OCSP by another's delegate", options{noLists, ocspAt("/ocsp")}, func(t *testing.T, w *world) {
			w.put("/ocsp", answer(t, w.machine, w.root, testpki.Root(t, "Root").Issue(t, "responder", responder)))
		}, ok, unk, "another authority"},
		{"OCSP by a former delegate", options{noLists, ocspAt("/ocsp")}, func(t *testing.T, w *world) {
			w.put("/ocsp", answer(t, w.machine, w.root, w.root.Issue(t, "responder", responder, testpki.Valid(now.Add(-2*hour), now.Add(-hour)))))
		}, ok, unk, "not valid now"},
		{"OCSP by a delegate that may not sign", options{noLists, ocspAt("/ocsp")}, func(t *testing.T, w *world) {
			w.put("/ocsp", answer(t, w.machine, w.root, w.root.Issue(t, "responder", responder, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement })))
		}, ok, unk, "may not sign"},
		{"OCSP by a delegate with a critical extension", options{noLists, ocspAt("/ocsp")}, func(t *testing.T, w *world) {
			w.put("/ocsp", answer(t, w.machine, w.root, w.root.Issue(t, "responder", responder, func(c *x509.Certificate) {
				c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 2}, Critical: true, Value: []byte{5, 0}}}
			})))
		}, ok, unk, "not understood"},
		{"OCSP about another", options{noLists, ocspAt("/ocsp")}, func(t *testing.T, w *world) { w.put("/ocsp", answer(t, w.root, w.root, w.root)) }, ok, unk, "no response matching"},
		{"OCSP about another authority's", options{noLists, ocspAt("/ocsp")}, func(t *testing.T, w *world) {
			// One key answers for two authorities, as one made a responder by both; the number is the same.
			other := testpki.Root(t, "Other")
			delegate := w.root.Issue(t, "responder", responder)
			w.put("/ocsp", answer(t, w.machine, other, delegate))
		}, ok, unk, "about another certificate"},
		{"OCSP refuses", options{noLists, ocspAt("/ocsp")}, at("/ocsp", func(*testing.T, *world) []byte { return ocsp.UnauthorizedErrorResponse }), ok, unk, "unauthorized"},
		{"OCSP rubbish", options{noLists, ocspAt("/ocsp")}, at("/ocsp", func(*testing.T, *world) []byte { return []byte("<html>") }), ok, unk, "malformed"},
		{"OCSP oversize", options{noLists, ocspAt("/ocsp")}, at("/ocsp", func(*testing.T, *world) []byte { return make([]byte, maxResponse+1) }), ok, unk, "too large"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for level, want := range []pki.Cause{ok, c.level1, c.level2} {
				w := newWorld(t, c.options...)
				if c.setup != nil {
					c.setup(t, w)
				}
				err := w.check(now, pki.Rules{CRLCheck: pki.CRLLevel(level)})
				if got := cause(t, err); got != want {
					t.Errorf("level %d: %v, want %v: %v", level, got, want, err)
				}
				text := w.log.String()
				if err != nil {
					text = err.Error()
				}
				if level > 0 && !strings.Contains(text, c.why) {
					t.Errorf("level %d does not say %q: %s", level, c.why, text)
				}
				if asked := len(w.hits); level == 0 && asked > 0 {
					t.Errorf("level 0 asked %d places", asked)
				}
			}
		})
	}
}

func responder(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning} }

func pemList(der []byte) []byte {
	return encodePEM("X509 CRL", der)
}

// TestP20ListsDriveNoTerminal: what a list or the address of one holds is shown harmless and short.
func TestP20ListsDriveNoTerminal(t *testing.T) {
	w := newWorld(t)
	evil := testpki.Root(t, "\x1b[2J\u202e"+strings.Repeat("long", 1000))
	w.put("/crl", crl(t, evil))
	err := w.check(now, strong)
	if cause(t, err) != pki.RevocationUnknown || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r > '~' }) || len(err.Error()) > 1500 {
		t.Errorf("%q", err)
	}
}

// TestListSigner: an authority whose key usage lacks cRLSign signs no lists.
func TestListSigner(t *testing.T) {
	root := testpki.Root(t, "Root")
	bare := *root.Cert
	bare.KeyUsage = x509.KeyUsageCertSign
	l, err := parseList(crl(t, root), MaxBytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.usable(root.Cert, pki.Rules{}); err != nil {
		t.Error(err)
	}
	if err := l.usable(&bare, pki.Rules{}); err == nil || !strings.Contains(err.Error(), "cRLSign") {
		t.Error(err)
	}
}

// TestP29ListsAndAnswers: what is asked of keys and signatures of certificates is asked of those of lists and answers.
func TestP29ListsAndAnswers(t *testing.T) {
	sha1 := func(l *x509.RevocationList) { l.SignatureAlgorithm = x509.ECDSAWithSHA1 }
	w := newWorld(t, ocspAt("/ocsp"))
	w.put("/crl", crl(t, w.root, sha1))
	w.says(now, pki.Rules{NoOCSP: true, CRLCheck: pki.CRLStrong}, pki.RevocationUnknown)
	w.says(now.Add(retry), pki.Rules{NoOCSP: true, CRLCheck: pki.CRLStrong, AllowSHA1: true}, 0)
	w.put("/ocsp", answer(t, w.machine, w.root, w.root, func(r *ocsp.Response) { r.SignatureAlgorithm = x509.ECDSAWithSHA1 }))
	Flush(w.dir)
	w.says(now, pki.Rules{CRLCheck: pki.CRLStrong}, pki.RevocationUnknown)
	short := testpki.RootWith(t, testpki.RSA(t, 1024, 1), "Short")
	l, err := parseList(crl(t, short), MaxBytes)
	if err != nil {
		t.Fatal(err)
	}
	if l.usable(short.Cert, pki.Rules{}) == nil || l.usable(short.Cert, pki.Rules{MinRSABits: 1024}) != nil {
		t.Error("the length of an authority's key does not count")
	}
}

// TestRFC6960AppendixA1: a responder is asked by POST with the question as the body, and the question is about this certificate.
func TestRFC6960AppendixA1(t *testing.T) {
	w := newWorld(t, noLists, ocspAt("/ocsp"))
	good := answer(t, w.machine, w.root, w.root)
	w.on("/ocsp", func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/ocsp-request" {
			t.Error(r.Method, r.Header, err)
		}
		q, err := ocsp.ParseRequest(body)
		if err != nil || q.SerialNumber.Cmp(w.machine.Cert.SerialNumber) != 0 {
			t.Errorf("%+v %v", q, err)
		}
		rw.Write(good)
	})
	w.says(now, strong, 0)
	if w.hit("/ocsp") != 1 {
		t.Error("nobody was asked")
	}
}

// TestSettings: what a policy turns off is not done.
func TestSettings(t *testing.T) {
	w := newWorld(t, ocspAt("/ocsp"))
	w.put("/ocsp", answer(t, w.machine, w.root, w.root, status(ocsp.Revoked, 1)))
	w.put("/crl", crl(t, w.root))
	w.says(now, pki.Rules{NoFetch: true}, 0)
	w.says(now, pki.Rules{NoFetch: true, CRLCheck: pki.CRLStrong}, pki.RevocationUnknown)
	if w.hit("/ocsp")+w.hit("/crl") != 0 {
		t.Error("it was fetched")
	}
	w.says(now, pki.Rules{NoOCSP: true, CRLCheck: pki.CRLStrong}, 0)
	if w.hit("/ocsp") != 0 {
		t.Error("the responder was asked")
	}
}

// TestFiles: lists that a policy names as files, in DER and PEM, with deltas among them; one that is renewed is read again.
func TestFiles(t *testing.T) {
	w := newWorld(t)
	other := testpki.Root(t, "Other")
	path := filepath.Join(t.TempDir(), "lab.crl")
	rules := pki.Rules{CRLs: []string{path}, CRLCheck: pki.CRLStrong, NoFetch: true}
	set := func(n int, lists ...[]byte) {
		t.Helper()
		writeList(t, path, bytes.Join(lists, nil))
		at := now.Add(time.Duration(n) * time.Second)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	w.says(now, rules, pki.RevocationUnknown) // not there
	set(1, crl(t, w.root))
	w.says(now, rules, 0)
	set(2, crl(t, w.root, revokes(1, w.machine)))
	w.says(now, rules, pki.Revoked)
	set(3, pemList(crl(t, other, revokes(1, w.machine))), pemList(crl(t, w.root)))
	w.says(now, rules, 0)
	set(4, pemList(crl(t, w.root)), pemList(crl(t, w.root, deltaOf(t, 10), number(11), revokes(1, w.machine))))
	w.says(now, rules, pki.Revoked)
	// An older list that has it on hold, and the newer one: the newer knows best, in whatever order they stand.
	held := crl(t, w.root, revokes(6, w.machine), times(now.Add(-time.Hour), now.Add(time.Hour)))
	set(5, pemList(held), pemList(crl(t, w.root)))
	w.says(now, rules, 0)
	set(6, pemList(crl(t, other)))
	w.says(now, rules, pki.RevocationUnknown)
	set(7, []byte("rubbish"))
	w.says(now, rules, pki.RevocationUnknown)
	w.says(now, pki.Rules{CRLs: []string{path}, NoFetch: true}, 0)
	// With fetching on, a file that says nothing is no obstacle.
	w.put("/crl", crl(t, w.root))
	w.says(now, pki.Rules{CRLs: []string{path}, CRLCheck: pki.CRLStrong}, 0)
}

// TestEveryCertificateOfTheChain: a revoked authority is as bad as a revoked machine; the trusted one is not asked about.
func TestEveryCertificateOfTheChain(t *testing.T) {
	w := newWorld(t)
	middle := w.root.Issue(t, "Middle", testpki.Authority, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{w.url("/root")} })
	leaf := middle.Issue(t, "gw", func(c *x509.Certificate) { c.CRLDistributionPoints = []string{w.url("/middle")} })
	chain := []*x509.Certificate{leaf.Cert, middle.Cert, w.root.Cert}
	check := func(want pki.Cause) {
		t.Helper()
		w.restart()
		Flush(w.dir)
		err := w.checker.Check(context.Background(), now, chain, pki.Rules{CRLCheck: pki.CRLStrong})
		if got := cause(t, err); got != want {
			t.Errorf("%v, want %v: %v", got, want, err)
		}
	}
	w.put("/root", crl(t, w.root))
	check(pki.RevocationUnknown)
	w.put("/middle", crl(t, middle))
	check(0)
	w.put("/root", crl(t, w.root, revokes(1, middle)))
	hits := w.hit("/middle")
	check(pki.Revoked)
	if w.hit("/middle") != hits {
		t.Error("a revoked authority was asked")
	}
	// A certificate that the policy lists itself is not asked about.
	if err := w.checker.Check(context.Background(), now, chain[2:], pki.Rules{CRLCheck: pki.CRLStrong}); err != nil {
		t.Error(err)
	}
}
