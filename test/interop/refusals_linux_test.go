package interop

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/testpki"
	"github.com/goipsec/goipsec/test/interop/lab"
	"github.com/goipsec/goipsec/test/interop/record"
)

// revocationList is a list of an authority, valid from an hour before a time to a day after it.
func revocationList(t *testing.T, by *testpki.Identity, now time.Time, revoked ...*testpki.Identity) []byte {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(now.Unix()), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(24 * time.Hour)}
	for _, id := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: id.Cert.SerialNumber, RevocationTime: now.Add(-time.Hour), ReasonCode: 1})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, by.Cert, by.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func listPEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

// A server gives out revocation lists in a host.
type server struct {
	list  atomic.Pointer[[]byte]
	asked atomic.Int64
}

func serve(l *lab.Lab, t *testing.T, h *lab.Host, address string) *server {
	t.Helper()
	s := &server{}
	var listener net.Listener
	h.Inside(func() (err error) {
		listener, err = net.Listen("tcp", address)
		return err
	})
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		if b := s.list.Load(); b != nil {
			_, _ = w.Write(*b)
			return
		}
		http.NotFound(w, r)
	})}
	go web.Serve(listener)
	t.Cleanup(func() { web.Close() })
	return s
}

func (s *server) give(der []byte) { s.list.Store(&der) }

// A bad peer is strongSwan with a certificate that goipsec must, or must not, refuse.
type badPeer struct {
	name    string
	options []testpki.Option // of strongSwan's certificate
	other   bool             // it comes from another root
	remote  string           // goipsec's remote_id
	rules   string           // certificates: of goipsec's policy, with %s for a directory of lists
	lists   func(t *testing.T, root, bob *testpki.Identity, now time.Time) map[string][]byte
	served  func(t *testing.T, root, bob *testpki.Identity, now time.Time) []byte // at the distribution point
	reason  string                                                                // what goipsec says; "": it lets the peer in
}

const listAddress = "10.1.0.2:8080"

func pointsTo(url string) testpki.Option {
	return func(c *x509.Certificate) { c.CRLDistributionPoints = []string{url} }
}

func badPeers() []badPeer {
	file := func(revoke bool, age time.Duration) func(t *testing.T, root, bob *testpki.Identity, now time.Time) map[string][]byte {
		return func(t *testing.T, root, bob *testpki.Identity, now time.Time) map[string][]byte {
			if revoke {
				return map[string][]byte{"root.crl": revocationList(t, root, now.Add(-age), bob)}
			}
			return map[string][]byte{"root.crl": revocationList(t, root, now.Add(-age))}
		}
	}
	forged := func(t *testing.T, root, bob *testpki.Identity, now time.Time) map[string][]byte {
		der := revocationList(t, root, now)
		der[len(der)-1] ^= 1
		return map[string][]byte{"root.crl": der}
	}
	served := func(revoke bool) func(t *testing.T, root, bob *testpki.Identity, now time.Time) []byte {
		return func(t *testing.T, root, bob *testpki.Identity, now time.Time) []byte {
			return file(revoke, 0)(t, root, bob, now)["root.crl"]
		}
	}
	point := []testpki.Option{pointsTo("http://" + listAddress + "/root.crl")}
	now := time.Now()
	return []badPeer{
		{name: "good", rules: "{}"},
		{name: "expired", options: []testpki.Option{testpki.Valid(now.Add(-48*time.Hour), now.Add(-time.Hour))}, reason: "it expired on"},
		{name: "not yet valid", options: []testpki.Option{testpki.Valid(now.Add(time.Hour), now.Add(48*time.Hour))}, reason: "it is not valid before"},
		{name: "of another CA", other: true, reason: "unknown CA"},
		{name: "of another name", remote: "carol.example", reason: "whom the policy wants"},
		{name: "of a name that the pattern holds", remote: "C=CH, O=Lab, CN=*"},
		{name: "revoked by a file", rules: "{crls: [%s/root.crl]}", lists: file(true, 0), reason: "revoked"},
		{name: "revoked by a file, unchecked", rules: "{crl_check: 0, crls: [%s/root.crl]}", lists: file(true, 0)},
		{name: "not revoked, strong", rules: "{crl_check: 2, crls: [%s/root.crl]}", lists: file(false, 0)},
		{name: "no list", rules: "{crl_check: 1}"},
		{name: "no list, strong", rules: "{crl_check: 2}", reason: "is not known"},
		{name: "an expired list", rules: "{crl_check: 1, crls: [%s/root.crl]}", lists: file(false, 72*time.Hour)},
		{name: "an expired list, strong", rules: "{crl_check: 2, crls: [%s/root.crl]}", lists: file(false, 72*time.Hour), reason: "is not known"},
		{name: "a forged list, strong", rules: "{crl_check: 2, crls: [%s/root.crl]}", lists: forged, reason: "is not known"},
		{name: "a fetched list", options: point, rules: "{crl_check: 2, cache: %s}", served: served(false)},
		{name: "revoked by a fetched list", options: point, rules: "{cache: %s}", served: served(true), reason: "revoked"},
		{name: "an unreachable list", options: []testpki.Option{pointsTo("http://10.1.0.2:8081/root.crl")}, rules: "{cache: %s}"},
		{name: "an unreachable list, strong", options: []testpki.Option{pointsTo("http://10.1.0.2:8081/root.crl")}, rules: "{crl_check: 2, cache: %s}", reason: "is not known"},
	}
}

// TestStrongSwanCertificatesThatAreRefused shows goipsec certificates of every bad kind by a real peer, in both roles: each is refused for its reason, by the level of checking, and what is not
// bad enough is let in. Everything but IKE is blocked by the policy: lists are fetched all the same.
func TestStrongSwanCertificatesThatAreRefused(t *testing.T) {
	l := lab.New(t)
	a, b := site(l)
	s := l.StrongSwan(b, charon{}.String())
	web := serve(l, t, b, listAddress)
	now := testpki.Around(time.Now())
	root, stranger := testpki.Root(t, "root", now), testpki.Root(t, "stranger", now)
	alice := root.Issue(t, "alice", now)
	for _, c := range badPeers() {
		issuer := root
		if c.other {
			issuer = stranger
		}
		bob := issuer.Issue(t, "bob", append([]testpki.Option{now, testpki.DNS("bob.example")}, c.options...)...)
		for _, initiator := range bothInitiate {
			t.Run(c.name+"/"+initiator+" initiates", func(t *testing.T) {
				l := lab.New(t)
				s, a := s.In(l), a.In(l)
				row := record.Begin(t, userSpace(initiator, "certificate "+c.name, "aes-cbc-128 sha256 ecp256; esp aes-gcm-16-128", "tunnel in UDP", "IPv4 in IPv4"))
				row.Exchange = strings.Replace(row.Exchange, "PSK, ", "", 1)
				if c.reason != "" {
					row.Exchange += ": refused"
				}
				s.Load(certified(s, charon{ike: "aes128-sha256-ecp256", connection: []string{"encap = yes", "send_cert = always"}}, root, bob, t, "C=CH, O=Lab, CN=alice"))
				dir := l.Subdir("lists")
				if c.lists != nil {
					for name, der := range c.lists(t, root, bob, time.Now()) {
						l.WriteFile(dir[len(l.Dir())+1:]+"/"+name, listPEM(der))
					}
				}
				web.list.Store(nil)
				if c.served != nil {
					web.give(c.served(t, root, bob, time.Now()))
				}
				asked := web.asked.Load()
				rules := strings.ReplaceAll(or(c.rules, "{}"), "%s", dir)
				more := ""
				if c.remote != "" {
					more = fmt.Sprintf(", remote_id: %q", c.remote)
				}
				g := l.Goipsec(a, certifiedRule(l, t, toCharon{ike: "aes-cbc-128 sha256 ecp256", rule: []string{inUDP}, top: []string{"certificates: " + rules}}, root, alice, more)+
					"  - {name: nothing else, filters: [any <-> any], action: block}\n")
				if c.reason == "" {
					start(l, a, g, s, initiator)
					echoes(l, a, g, s, row)
				} else {
					if initiator == "goipsec" {
						if text, err := g.Command("connect charon --timeout 20s"); err == nil {
							t.Errorf("connected: %s", text)
						}
					} else if text, err := s.Swanctl("--initiate --timeout 10 --child net"); err == nil {
						t.Errorf("initiated: %s", text)
					}
					l.Until(10*time.Second, "a failure that says why", func() (bool, string) {
						seen := fmt.Sprint(g.Status().Failures)
						return strings.Contains(seen, c.reason), seen
					})
					if n := len(g.Status().Children); n != 0 {
						t.Errorf("%d children", n)
					}
				}
				if fetched := web.asked.Load() != asked; fetched != (c.served != nil) {
					t.Errorf("a list was fetched: %v", fetched)
				}
				if code := g.Stop(); code != 0 {
					t.Errorf("exit status %d", code)
				}
				s.Clear()
			})
		}
	}
}

// TestStrongSwanRefusesOurCertificate: where the peer finds our certificate bad, goipsec says that this is the matter.
func TestStrongSwanRefusesOurCertificate(t *testing.T) {
	l := lab.New(t)
	a, b := site(l)
	s := l.StrongSwan(b, charon{}.String())
	now := testpki.Around(time.Now())
	root, stranger := testpki.Root(t, "root", now), testpki.Root(t, "stranger", now)
	bob := root.Issue(t, "bob", now)
	for _, c := range []struct {
		name  string
		alice *testpki.Identity
		id    string
	}{
		{"revoked", root.Issue(t, "alice", now), "C=CH, O=Lab, CN=alice"},
		{"of another CA", stranger.Issue(t, "alice", now), "C=CH, O=Lab, CN=alice"},
		{"of another name", root.Issue(t, "carol", now), "C=CH, O=Lab, CN=alice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := lab.New(t)
			s, a := s.In(l), a.In(l)
			row := record.Begin(t, userSpace("goipsec", "own certificate "+c.name+": the peer refuses", "aes-cbc-128 sha256 ecp256; esp aes-gcm-16-128", "tunnel in UDP", "IPv4 in IPv4"))
			row.Exchange = strings.Replace(row.Exchange, "PSK, ", "", 1)
			text := certified(s, charon{ike: "aes128-sha256-ecp256", connection: []string{"encap = yes"}}, root, bob, t, c.id, "revocation = strict")
			s.Credential("x509crl/root.pem", listPEM(revocationList(t, root, time.Now(), c.alice)))
			if c.name != "revoked" {
				s.Credential("x509crl/root.pem", listPEM(revocationList(t, root, time.Now())))
			}
			s.Load(text)
			g := l.Goipsec(a, certifiedRule(l, t, toCharon{ike: "aes-cbc-128 sha256 ecp256", rule: []string{inUDP}}, root, c.alice, ""))
			if out, err := g.Command("connect charon --timeout 20s"); err == nil || !strings.Contains(out, "certificate") {
				t.Errorf("%v: %s", err, out)
			}
			if n := len(g.Status().Children); n != 0 {
				t.Errorf("%d children", n)
			}
			if code := g.Stop(); code != 0 {
				t.Errorf("exit status %d", code)
			}
			s.Clear()
		})
	}
}
