package interop

import (
	"crypto"
	"crypto/elliptic"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/testpki"
	"github.com/goipsec/goipsec/test/interop/lab"
	"github.com/goipsec/goipsec/test/interop/record"
)

// A publicKey case is main mode with certificates of one kind of key.
type publicKey struct {
	name     string                              // as the page says it
	key      func(testing.TB, int) crypto.Signer // the n-th of its kind
	between  bool                                // the certificates come from a CA under the root, which each side must send along
	ike      string                              // goipsec's main-mode method, and strongSwan's
	charon   string
	goipsec  string // further keys of auth
	identity string // what strongSwan expects of goipsec, "": its subject
}

func publicKeys() []publicKey {
	return []publicKey{
		{name: "RSA signature", key: rsaKey, ike: "aes-cbc-128 sha256 modp2048", charon: "aes128-sha256-modp2048"},
		{name: "RSA signature, SHA-1, a CA between", key: rsaKey, between: true, ike: "3des sha1 modp1024", charon: "3des-sha1-modp1024"},
		{name: "ECDSA-256", key: ecdsaKey(elliptic.P256()), ike: "aes-cbc-256 sha256 ecp256", charon: "aes256-sha256-ecp256"},
		{name: "ECDSA-384, a CA between", key: ecdsaKey(elliptic.P384()), between: true, ike: "aes-cbc-256 sha384 ecp384", charon: "aes256-sha384-ecp384"},
		{name: "ECDSA-521", key: ecdsaKey(elliptic.P521()), ike: "aes-cbc-256 sha512 ecp521", charon: "aes256-sha512-ecp521"},
		{name: "RSA signature, identity by name", key: rsaKey, ike: "aes-cbc-128 sha256 curve25519", charon: "aes128-sha256-curve25519",
			goipsec: ", local_id: alice.example, remote_id: bob.example", identity: "alice.example"},
		{name: "ECDSA-256, identity by user@name", key: ecdsaKey(elliptic.P256()), ike: "aes-cbc-128 sha256 curve25519", charon: "aes128-sha256-curve25519",
			goipsec: `, local_id: alice@example.com, remote_id: "C=CH, O=Lab, CN=*"`, identity: "alice@example.com"},
	}
}

func rsaKey(tb testing.TB, n int) crypto.Signer { return testpki.RSA(tb, 2048, n) }

func ecdsaKey(curve elliptic.Curve) func(testing.TB, int) crypto.Signer {
	return func(tb testing.TB, _ int) crypto.Signer { return testpki.ECDSAOn(tb, curve) }
}

// world makes the certificates of a case: a root, and one machine certificate for each side.
func (c publicKey) world(t *testing.T) (root, alice, bob *testpki.Identity) {
	t.Helper()
	now := testpki.Around(time.Now())
	root = testpki.RootWith(t, c.key(t, 0), "root", now)
	issuer := root
	if c.between {
		issuer = root.IssueFor(t, c.key(t, 1), "between", testpki.Authority, now)
	}
	return root, issuer.IssueFor(t, c.key(t, 2), "alice", now, testpki.DNS("alice.example"), testpki.Email("alice@example.com")),
		issuer.IssueFor(t, c.key(t, 3), "bob", now, testpki.DNS("bob.example"))
}

// certified is strongSwan's half with a certificate, and puts its files in place.
func certified(s *lab.StrongSwan, c charon, root, own *testpki.Identity, t *testing.T, remoteID string, remote ...string) string {
	s.Credentials(map[string]string{"x509ca/root.pem": string(testpki.CertificatesPEM(root.Cert)), "x509/own.pem": string(testpki.CertificatesPEM(own.Cert)), "private/own.pem": string(own.KeyPEM(t)),
		"x509ca/between.pem": string(testpki.CertificatesPEM(own.Path()[1:]...))})
	text := strings.Replace(c.String(), "auth = psk", "auth = pubkey\n      certs = own.pem", 1)
	return strings.Replace(text, "auth = psk", "auth = pubkey\n      cacerts = root.pem\n      id = \""+remoteID+"\"\n      "+strings.Join(remote, "\n      "), 1)
}

// certifiedRule is goipsec's half; the files lie in a directory of the lab.
func certifiedRule(l *lab.Lab, t *testing.T, p toCharon, root, own *testpki.Identity, more string) string {
	t.Helper()
	dir := l.Subdir("certificates")
	cert, key := own.Write(t, dir, "own")
	ca := l.WriteFile(dir[len(l.Dir())+1:]+"/ca.pem", string(testpki.CertificatesPEM(root.Cert)))
	return strings.Replace(p.String(), fmt.Sprintf("{psk: %q}", psk), fmt.Sprintf("{certificate: %s, key: %s, ca: [%s]%s}", cert, key, ca, more), 1)
}

// TestStrongSwanCertificates authenticates both ends by certificates, with every kind of key that IKEv1 knows, started by either side.
func TestStrongSwanCertificates(t *testing.T) {
	l := lab.New(t)
	a, b := site(l)
	s := l.StrongSwan(b, charon{}.String())
	for _, c := range publicKeys() {
		root, alice, bob := c.world(t)
		for _, initiator := range bothInitiate {
			t.Run(c.name+"/"+initiator+" initiates", func(t *testing.T) {
				l := lab.New(t)
				s, a := s.In(l), a.In(l)
				row := record.Begin(t, userSpace(initiator, c.name, c.ike+"; esp aes-gcm-16-128", "tunnel in UDP", "IPv4 in IPv4"))
				row.Exchange = strings.Replace(row.Exchange, "PSK, ", "", 1)
				s.Load(certified(s, charon{ike: c.charon, connection: []string{"encap = yes"}}, root, bob, t, or(c.identity, "C=CH, O=Lab, CN=alice")))
				g := l.Goipsec(a, certifiedRule(l, t, toCharon{ike: c.ike, rule: []string{inUDP}}, root, alice, c.goipsec))
				capture := a.Capture("eth0")
				start(l, a, g, s, initiator)
				echoes(l, a, g, s, row)
				for _, p := range g.Status().Peers {
					if p.RemoteID != "C=CH, O=Lab, CN=bob" {
						t.Errorf("the peer is %q", p.RemoteID)
					}
				}
				l.NoClear(capture.Stop())
				if code := g.Stop(); code != 0 {
					t.Errorf("exit status %d", code)
				}
				s.Clear()
			})
		}
	}
}
