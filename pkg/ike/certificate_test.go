package ike

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/auth"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/testpki"
)

// pairs are the machine certificates of the two hosts, from a CA under a root.
type pairs struct {
	root *testpki.Identity
	host [2]*testpki.Identity
}

// kinds are the authentication methods of RFC 2409 and RFC 4754 by their names in status; a key is the n-th of its kind.
var kinds = map[string]func(tb testing.TB, n int) crypto.Signer{
	"rsa-signature": func(tb testing.TB, n int) crypto.Signer { return testpki.RSA(tb, 2048, n) },
	"ecdsa-256":     func(tb testing.TB, _ int) crypto.Signer { return testpki.ECDSA(tb) },
	"ecdsa-384":     func(tb testing.TB, _ int) crypto.Signer { return testpki.ECDSAOn(tb, elliptic.P384()) },
	"ecdsa-521":     func(tb testing.TB, _ int) crypto.Signer { return testpki.ECDSAOn(tb, elliptic.P521()) },
}

var issued = struct {
	sync.Mutex
	by map[string]*pairs
}{by: map[string]*pairs{}}

func pairsOf(tb testing.TB, kind string) *pairs {
	tb.Helper()
	issued.Lock()
	defer issued.Unlock()
	if p := issued.by[kind]; p != nil {
		return p
	}
	key, when := kinds[kind], testpki.Around(epoch)
	root := testpki.RootWith(tb, key(tb, 0), "root", when)
	between := root.IssueFor(tb, key(tb, 1), "between", testpki.Authority, when)
	p := &pairs{root, [2]*testpki.Identity{between.IssueFor(tb, key(tb, 2), "alice", when), between.IssueFor(tb, key(tb, 3), "bob", when)}}
	issued.by[kind] = p
	return p
}

// method is a certificate method of host n.
func (p *pairs) method(tb testing.TB, n int) policy.AuthMethod {
	tb.Helper()
	return certMethod(p.root, credential(tb, p.host[n], p.host[n].Key))
}

func credential(tb testing.TB, id *testpki.Identity, key crypto.Signer) pki.Credential {
	tb.Helper()
	c, err := pki.NewCredential(id.Path(), key)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func certMethod(ca *testpki.Identity, list ...pki.Credential) policy.AuthMethod {
	return policy.AuthMethod{Kind: policy.Certificate, Cert: &policy.CertAuth{Credentials: pki.NewStore(list...), CAs: []*x509.Certificate{ca.Cert}}}
}

func pskMethod(key string) policy.AuthMethod {
	return policy.AuthMethod{Kind: policy.PSK, PSK: policy.NewSecret([]byte(key))}
}

// certified is a policy with certificates of ECDSA on P-256.
func certified(tb testing.TB) settings {
	p := pairsOf(tb, "ecdsa-256")
	return withAuth(func(n int) []policy.AuthMethod { return []policy.AuthMethod{p.method(tb, n)} })
}

// slowly answers questions about certificates after four seconds.
func slowly(w *world) {
	w.judge = func(n int, ask isakmp.Ask) (time.Duration, isakmp.Verdict) {
		_, v := w.trust(n, ask)
		return 4 * time.Second, v
	}
}

// trust answers as an endpoint would that finds nothing revoked.
func (w *world) trust(_ int, ask isakmp.Ask) (time.Duration, isakmp.Verdict) {
	refused := func(err error) (time.Duration, isakmp.Verdict) {
		return 0, isakmp.Verdict{Refusal: &isakmp.Refusal{Notify: isakmp.InvalidCertificate, Failure: isakmp.Failure{What: err.Error(), Answered: true}}}
	}
	sent, err := pki.ParseChain(ask.Certificates)
	if err != nil {
		return refused(err)
	}
	id, err := pki.ParseIdentity(uint8(ask.Identity.Type), ask.Identity.Data)
	if err != nil {
		return refused(err)
	}
	err = errors.New("no certificate method")
	for _, a := range ask.Rule.Auth {
		if a.Kind != policy.Certificate {
			continue
		}
		var chain []*x509.Certificate
		if chain, err = pki.Verify(epoch, sent, a.Cert.CAs, pki.Rules{}); err == nil {
			err = a.Cert.Remote.Accept(chain[0], id)
		}
		if err == nil {
			return 0, isakmp.Verdict{}
		}
	}
	return refused(err)
}

func withAuth(auths func(n int) []policy.AuthMethod) settings {
	s := defaults()
	s.auth = auths
	return s
}

// TestRFC2409Section5_1Signatures establishes main mode with signatures of every kind (RFC 4754 for ECDSA), over a CA between, started by either host.
func TestRFC2409Section5_1Signatures(t *testing.T) {
	for name := range kinds {
		for n := range 2 {
			t.Run(name+[]string{"/alice", "/bob"}[n], func(t *testing.T) {
				p := pairsOf(t, name)
				s := withAuth(func(n int) []policy.AuthMethod { return []policy.AuthMethod{p.method(t, n)} })
				w := newWorld(t, s, s)
				w.want(n)
				w.run(5 * time.Second)
				w.agree(1)
				for i, h := range w.hosts {
					for _, up := range h.peersUp {
						if up.Auth != name || up.RemoteID != "C=CH, O=Lab, CN="+[]string{"bob", "alice"}[i] {
							t.Errorf("host %d: %s, %q", i, up.Auth, up.RemoteID)
						}
					}
					if len(h.peersUp) != 1 {
						t.Errorf("host %d has %d main-mode SAs", i, len(h.peersUp))
					}
				}
			})
		}
	}
}

// TestOrderedAuthenticationMethods: the responder takes the first of the initiator's methods that its own rule allows, and no other is tried if that one fails.
func TestOrderedAuthenticationMethods(t *testing.T) {
	p := pairsOf(t, "ecdsa-256")
	stranger := testpki.Root(t, "stranger", testpki.Around(epoch)).Issue(t, "alice", testpki.Around(epoch))
	strange := credential(t, stranger, stranger.Key)
	const cert, key, wrong, kerberos = "cert", "psk", "strange cert", "kerberos"
	methods := func(n int, names []string) (list []policy.AuthMethod) {
		for _, name := range names {
			switch name {
			case cert:
				list = append(list, p.method(t, n))
			case key:
				list = append(list, pskMethod("the pre-shared key of both, for tests"))
			case wrong: // accepts what the others accept, and shows what they do not
				list = append(list, certMethod(p.root, strange))
			case kerberos:
				list = append(list, policy.AuthMethod{Kind: policy.Kerberos})
			}
		}
		return list
	}
	for _, c := range []struct {
		initiator, responder []string
		chosen               string // "": nothing comes of it
		failure              string
	}{
		{[]string{cert, key}, []string{cert, key}, "ecdsa-256", ""},
		{[]string{key, cert}, []string{cert, key}, "psk", ""},
		{[]string{cert, key}, []string{key, cert}, "ecdsa-256", ""},
		{[]string{cert, key}, []string{key}, "psk", ""},
		{[]string{kerberos, cert, key}, []string{cert}, "ecdsa-256", ""},
		{[]string{kerberos}, []string{key}, "", "no authentication method that can be used"},
		{[]string{cert}, []string{key}, "", "refused all main-mode proposals"},
		{[]string{wrong, key}, []string{cert, key}, "", "no certificate that the peer accepts"},
		{[]string{wrong, key}, []string{key, cert}, "", "no certificate that the peer accepts"},
	} {
		t.Run(strings.Join(c.initiator, ",")+" to "+strings.Join(c.responder, ","), func(t *testing.T) {
			w := newWorld(t, withAuth(func(n int) []policy.AuthMethod { return methods(n, c.initiator) }),
				withAuth(func(n int) []policy.AuthMethod { return methods(n, c.responder) }))
			w.want(0)
			w.run(60 * time.Second)
			got := ""
			for _, up := range w.hosts[0].peersUp {
				got = up.Auth
			}
			if got != c.chosen {
				t.Errorf("authenticated by %q, want %q: %v", got, c.chosen, w.hosts[0].failed)
			}
			if c.chosen != "" {
				w.agree(1)
				return
			}
			if len(w.hosts[0].failed) != 1 || !strings.Contains(w.hosts[0].failed[0].Failure.What+w.hosts[0].failed[0].Failure.Why, c.failure) {
				t.Errorf("%+v", w.hosts[0].failed)
			}
			if len(w.hosts[1].peersUp) != 0 {
				t.Error("the responder is up")
			}
		})
	}
}

// TestCertificateByRequestedCA: a host with certificates of two CAs shows the one of the CA that its peer asks for.
func TestCertificateByRequestedCA(t *testing.T) {
	one, two := testpki.Root(t, "one", testpki.Around(epoch)), testpki.Root(t, "two", testpki.Around(epoch))
	issue := func(ca *testpki.Identity, name string) pki.Credential {
		id := ca.Issue(t, name, testpki.Around(epoch))
		return credential(t, id, id.Key)
	}
	both := []pki.Credential{issue(one, "alice of one"), issue(two, "alice of two")}
	for n := range 2 { // whoever begins
		for name, ca := range map[string]*testpki.Identity{"one": one, "two": two} {
			alice := func(int) []policy.AuthMethod {
				return []policy.AuthMethod{certMethod(one, both...), certMethod(two, both...)}
			}
			bob := func(int) []policy.AuthMethod { return []policy.AuthMethod{certMethod(ca, issue(ca, "bob"))} }
			w := newWorld(t, withAuth(alice), withAuth(bob))
			w.want(n)
			w.run(5 * time.Second)
			w.agree(1)
			for _, up := range w.hosts[1].peersUp {
				if !strings.HasSuffix(up.RemoteID, "alice of "+name) {
					t.Errorf("asked for %s, got %s", name, up.RemoteID)
				}
			}
		}
	}
}

// badSigner says that it has a key, and signs with another, or signs nothing.
type badSigner struct {
	crypto.Signer
	sign func(hash []byte) ([]byte, error)
}

func (s badSigner) Sign(_ io.Reader, hash []byte, _ crypto.SignerOpts) ([]byte, error) {
	return s.sign(hash)
}

// TestP21SignatureIsChecked: a peer that does not hold the key of the certificate it shows is not let in, in either role, whatever it signs.
func TestP21SignatureIsChecked(t *testing.T) {
	for name := range kinds {
		p := pairsOf(t, name)
		other := kinds[name](t, 4)
		for what, sign := range map[string]func(hash []byte) ([]byte, error){
			"another key": func(hash []byte) ([]byte, error) { return other.Sign(rand.Reader, hash, crypto.Hash(0)) },
			"another hash": func(hash []byte) ([]byte, error) {
				return p.host[0].Key.Sign(rand.Reader, append([]byte{1}, hash[1:]...), crypto.Hash(0))
			},
		} {
			for n := range 2 { // alice cheats; either begins
				t.Run(name+"/"+what+[]string{"/initiator", "/responder"}[n], func(t *testing.T) {
					cheat := credential(t, p.host[0], badSigner{p.host[0].Key, sign})
					w := newWorld(t, withAuth(func(int) []policy.AuthMethod { return []policy.AuthMethod{certMethod(p.root, cheat)} }),
						withAuth(func(n int) []policy.AuthMethod { return []policy.AuthMethod{p.method(t, n)} }))
					asked := 0
					w.judge = func(n int, ask isakmp.Ask) (time.Duration, isakmp.Verdict) { asked += n; return w.trust(n, ask) }
					w.want(n)
					w.run(90 * time.Second)
					if len(w.hosts[1].peersUp) != 0 || asked != 0 {
						t.Errorf("let in; asked %d times", asked)
					}
					if len(w.hosts[1].failed) == 0 || !strings.Contains(w.hosts[1].failed[0].Failure.What, "signature is wrong") {
						t.Errorf("%+v", w.hosts[1].failed)
					}
				})
			}
		}
	}
}

// TestP13NothingBeforeTheVerdict: while the peer's certificate is being looked at, and if nobody ever answers, the peer is not up and no phase 2 message is obeyed.
func TestP13NothingBeforeTheVerdict(t *testing.T) {
	for judge := range 2 {
		w := newWorld(t, certified(t), certified(t))
		w.judge = func(n int, ask isakmp.Ask) (time.Duration, isakmp.Verdict) {
			if n == judge {
				return time.Hour, isakmp.Verdict{}
			}
			return w.trust(n, ask)
		}
		w.want(0)
		w.run(9 * time.Second)
		if h := w.hosts[judge]; len(h.peersUp)+len(h.children)+len(h.ready) != 0 {
			t.Errorf("host %d is up before the verdict", judge)
		}
		w.run(60 * time.Second)
		h := w.hosts[judge]
		if len(h.peersUp)+len(h.children)+len(h.ready) != 0 || len(h.failed) == 0 || !strings.Contains(h.failed[0].Failure.What, "could not be checked in time") {
			t.Errorf("host %d: %+v", judge, h.failed)
		}
		w.run(2 * time.Hour) // the verdict comes when nobody waits
		if len(h.peersUp) != 0 {
			t.Errorf("host %d: a late verdict let the peer in", judge)
		}
	}
}

// TestRefusedVerdict: both ends say why, and nothing is left.
func TestRefusedVerdict(t *testing.T) {
	for judge := range 2 {
		w := newWorld(t, certified(t), certified(t))
		w.judge = func(n int, ask isakmp.Ask) (time.Duration, isakmp.Verdict) {
			if n == judge {
				return time.Second, isakmp.Verdict{Refusal: &isakmp.Refusal{Notify: isakmp.InvalidCertificate, Failure: isakmp.Failure{What: "it was revoked", Answered: true}}}
			}
			return w.trust(n, ask)
		}
		w.want(0)
		w.run(60 * time.Second)
		if f := w.hosts[judge].failed; len(f) == 0 || f[0].Failure.What != "it was revoked" || f[0].Failure.Stage != isakmp.StageAuthentication {
			t.Errorf("host %d: %+v", judge, f)
		}
		if judge == 1 {
			if f := w.hosts[0].failed; len(f) == 0 || !strings.Contains(f[0].Failure.What, "INVALID-CERTIFICATE") {
				t.Errorf("the initiator is told: %+v", f)
			}
		}
		for n, h := range w.hosts {
			if st := h.e.Stats(); st.HalfOpen != 0 || n == judge && st.MainModes != 0 {
				t.Errorf("host %d: %+v", n, st)
			}
		}
	}
}

// TestP22EmptySignature: no signature at all, zeros, and halves are refused.
func TestP22EmptySignature(t *testing.T) {
	hash := make([]byte, 32)
	for name := range kinds {
		key := kinds[name](t, 2)
		good, err := auth.Sign(rand.Reader, key, hash)
		if err != nil {
			t.Fatal(err)
		}
		if err := auth.VerifySignature(key.Public(), hash, good); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, sig := range [][]byte{nil, {}, {0}, make([]byte, len(good)), good[:len(good)-1], append([]byte{0}, good...), append(slices.Clone(good), 0)} {
			if auth.VerifySignature(key.Public(), hash, sig) == nil {
				t.Errorf("%s: %d bytes are accepted", name, len(sig))
			}
		}
		if auth.VerifySignature(key.Public(), nil, good) == nil {
			t.Errorf("%s: a signature of nothing", name)
		}
	}
}
