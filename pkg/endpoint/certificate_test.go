package endpoint

import (
	"context"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/testpki"
)

// today makes a certificate that is valid while the test runs.
var today = testpki.Around(time.Now())

// certFiles writes a host's files and returns its auth and negotiate keys.
func certFiles(t *testing.T, dir string, root, own *testpki.Identity, more string) string {
	t.Helper()
	writeFiles(t, dir, map[string][]byte{"own.pem": own.PEM(), "own.key": own.KeyPEM(t), "ca.pem": testpki.CertificatesPEM(root.Cert)})
	return fmt.Sprintf("    negotiate: {}\n    auth: [{certificate: %[1]s/own.pem, key: %[1]s/own.key, ca: [%[1]s/ca.pem]%[2]s}]", dir, more)
}

func writeFiles(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path+".new", text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCertificatesCarryTraffic: two endpoints that know each other by a CA only, one of which is renewed while the SAs run.
func TestCertificatesCarryTraffic(t *testing.T) {
	root := testpki.Root(t, "root", today)
	dirA, dirB := t.TempDir(), t.TempDir()
	e := join(t, ikePolicy(1, 2, certFiles(t, dirA, root, root.Issue(t, "alice", today), "")),
		ikePolicy(2, 1, certFiles(t, dirB, root, root.Issue(t, "bob", today), `, remote_id: "C=CH, O=Lab, CN=*"`)))
	carry(t, e.a, e.b, "10.1.0.1", "10.2.0.1")
	carry(t, e.b, e.a, "10.2.0.1", "10.1.0.1")
	peer := e.b.Status().Peers[0]
	if peer.RemoteID != "C=CH, O=Lab, CN=alice" || peer.Auth != "ecdsa-256" {
		t.Errorf("the peer is %q by %s", peer.RemoteID, peer.Auth)
	}

	certFiles(t, dirA, root, root.IssueFor(t, testpki.ECDSAOn(t, elliptic.P384()), "alice renewed", today), "")
	look(t, e.a)
	if got := e.b.Status().Peers[0]; got.ID != peer.ID || len(e.b.Status().Children) != 1 {
		t.Error("the SAs did not outlive the renewal")
	}
	if err := e.a.Rekey(fmt.Sprint(e.a.Status().Peers[0].ID)); err != nil {
		t.Fatal(err)
	}
	// Bob's own certificate is for ECDSA on P-256 only: the new key fits no method of both any more, and alice is told.
	logged(t, e.a, "the peer refused all main-mode proposals")
	certFiles(t, dirA, root, root.Issue(t, "alice renewed again", today), "")
	look(t, e.a)
	if err := e.a.Rekey(fmt.Sprint(e.a.Status().Peers[0].ID)); err != nil {
		t.Fatal(err)
	}
	logged(t, e.b, "CN=alice renewed again")
	carry(t, e.a, e.b, "10.1.0.1", "10.2.0.1")

	if err := os.WriteFile(filepath.Join(dirA, "own.pem"), []byte("half a"), 0o600); err != nil {
		t.Fatal(err)
	}
	look(t, e.a)
	logged(t, e.a, "the one from before stays")
	carry(t, e.a, e.b, "10.1.0.1", "10.2.0.1")
}

// look lets an endpoint look at the files of its certificates, and waits until it has.
func look(t *testing.T, x *end) {
	t.Helper()
	x.slept.Add(int64(renewEvery))
	if err := x.do(func(now time.Time) { x.housekeeping(now) }); err != nil {
		t.Fatal(err)
	}
	x.renewing <- struct{}{}
	<-x.renewing
}

// logged waits until an endpoint's log holds a text.
func logged(t *testing.T, x *end, text string) {
	t.Helper()
	eventually(t, func() bool { return strings.Contains(x.log.String(), text) })
}

// question is what a peer with a certificate asks to be.
func question(root, own *testpki.Identity, id isakmp.Identification, remote string, t *testing.T) *isakmp.Ask {
	t.Helper()
	want, err := pki.ParseName(remote)
	if err != nil {
		t.Fatal(err)
	}
	ask := &isakmp.Ask{Identity: id, Rule: &policy.Rule{Auth: []policy.AuthMethod{{Kind: policy.PSK},
		{Kind: policy.Certificate, Cert: &policy.CertAuth{CAs: []*x509.Certificate{root.Cert}, Remote: want}}}}}
	for _, c := range own.Path() {
		ask.Certificates = append(ask.Certificates, c.Raw)
	}
	return ask
}

// TestP25NobodyIsSomebodyElse: with a certificate of the right CA, nobody authenticates as anybody whom it does not name, by any type of identity.
func TestP25NobodyIsSomebodyElse(t *testing.T) {
	root := testpki.Root(t, "root", today)
	machine := func(name, ip string) *testpki.Identity {
		return root.Issue(t, name, today, testpki.DNS(name+".example"), testpki.Email(name+"@example.com"), testpki.IP(ip, "2001:db8::"+ip[len(ip)-1:]))
	}
	alice, bob := machine("alice", "192.0.2.1"), machine("bob", "192.0.2.2")
	ids := func(p *testpki.Identity, name, n string) map[string]isakmp.Identification {
		return map[string]isakmp.Identification{
			"DN":   {Type: isakmp.IDDERASN1DN, Data: p.Cert.RawSubject},
			"FQDN": {Type: isakmp.IDFQDN, Data: []byte(name + ".example")},
			"user": {Type: isakmp.IDUserFQDN, Data: []byte(name + "@example.com")},
			"IPv4": isakmp.AddrID(netip.MustParseAddr("192.0.2." + n)),
			"IPv6": isakmp.AddrID(netip.MustParseAddr("2001:db8::" + n)),
		}
	}
	wants := func(p string, n string) []string {
		return []string{"C=CH, O=Lab, CN=" + p, p + ".example", p + "@example.com", "192.0.2." + n, "2001:db8::" + n}
	}
	for kind, id := range ids(bob, "bob", "2") {
		if r := judgePeer(context.Background(), time.Now(), question(root, bob, id, "", t), pki.Rules{}, saysYes{}); r != nil {
			t.Errorf("bob as %s of himself: %v", kind, r)
		}
		if r := judgePeer(context.Background(), time.Now(), question(root, alice, id, "", t), pki.Rules{}, saysYes{}); r == nil || r.Notify != isakmp.InvalidIDInformation {
			t.Errorf("alice as bob by %s: %v", kind, r)
		} else if names := r.Failure.Identities; !slices.Contains(names, id.String()) || !slices.Contains(names, "alice.example") {
			t.Errorf("%q names %q", r.Failure.What, names) // so that a report can leave them out
		}
	}
	for kind, id := range ids(alice, "alice", "1") {
		for _, want := range wants("bob", "2") {
			if r := judgePeer(context.Background(), time.Now(), question(root, alice, id, want, t), pki.Rules{}, saysYes{}); r == nil {
				t.Errorf("alice as %s where %s is wanted", kind, want)
			}
		}
		for _, want := range wants("alice", "1") {
			if r := judgePeer(context.Background(), time.Now(), question(root, alice, id, want, t), pki.Rules{}, saysYes{}); r != nil {
				t.Errorf("alice as %s where %s is wanted: %v", kind, want, r)
			}
		}
	}
	for _, id := range []isakmp.Identification{{Type: isakmp.IDKeyID, Data: []byte("bob")}, {Type: isakmp.IDIPv4Subnet, Data: make([]byte, 8)}, {}} {
		if r := judgePeer(context.Background(), time.Now(), question(root, bob, id, "", t), pki.Rules{}, saysYes{}); r == nil {
			t.Errorf("an identity of type %d is taken", id.Type)
		}
	}
}

// saysYes finds nothing revoked.
type saysYes struct{}

func (saysYes) Check(context.Context, time.Time, []*x509.Certificate, pki.Rules) error { return nil }

// saysNo refuses every certificate whose path it is asked about.
type saysNo struct{ asked int }

func (s *saysNo) Check(context.Context, time.Time, []*x509.Certificate, pki.Rules) error {
	s.asked++
	return &pki.Error{Cause: pki.Revoked, Detail: "it was revoked"}
}

// TestP24RevocationIsAskedForTrustedPathsOnly: nothing is fetched for a certificate that leads to no configured CA, or that does not hold its identity.
func TestP24RevocationIsAskedForTrustedPathsOnly(t *testing.T) {
	root, other := testpki.Root(t, "root", today), testpki.Root(t, "other", today)
	good, strange := root.Issue(t, "alice", today), other.Issue(t, "alice", today)
	own := isakmp.Identification{Type: isakmp.IDDERASN1DN, Data: good.Cert.RawSubject}
	for name, c := range map[string]struct {
		pair  *testpki.Identity
		id    isakmp.Identification
		asked int
		cause string
	}{
		"trusted":          {good, own, 1, "it was revoked"},
		"of another CA":    {strange, own, 0, "unknown CA"},
		"another identity": {good, isakmp.Identification{Type: isakmp.IDFQDN, Data: []byte("bob.example")}, 0, "does not prove"},
	} {
		no := &saysNo{}
		r := judgePeer(context.Background(), time.Now(), question(root, c.pair, c.id, "", t), pki.Rules{}, no)
		if no.asked != c.asked || r == nil || !strings.Contains(r.Failure.What, c.cause) {
			t.Errorf("%s: asked %d times, %v", name, no.asked, r)
		}
	}
}

// TestEveryCauseIsExplained: whatever is wrong with a certificate, the administrator is told what, why and what to do.
func TestEveryCauseIsExplained(t *testing.T) {
	for cause := pki.Malformed; cause <= pki.RevocationUnknown; cause++ {
		r := refusalOf(fmt.Errorf("wrapped: %w", &pki.Error{Cause: cause, Detail: "detail"}))
		if r == nil || r.Notify == 0 || !r.Notify.IsError() || !strings.Contains(r.Failure.What, "detail") || r.Failure.Why == "" || r.Failure.Next == "" || !r.Failure.Answered {
			t.Errorf("%v: %+v", cause, r)
		}
	}
	if refusalOf(nil) != nil || refusalOf(errors.New("something else")) == nil {
		t.Error("refusalOf")
	}
}
