package interop

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/testpki"
	"github.com/goipsec/goipsec/test/interop/lab"
	"github.com/goipsec/goipsec/test/interop/record"
)

// TestStrongSwanPrecedence gives goipsec ordered lists, of authentication methods and of security methods, and strongSwan a choice of its own: the first of the initiator's methods that
// the responder allows is taken, whatever stands first at the responder. As a responder strongSwan takes the first authentication method that it knows, and fails afterwards if its
// connection wants another; so where goipsec begins, its first method must be the one.
func TestStrongSwanPrecedence(t *testing.T) {
	l := lab.New(t)
	a, b := site(l)
	s := l.StrongSwan(b, charon{}.String())
	now := testpki.Around(time.Now())
	root := testpki.Root(t, "root", now)
	alice, bob := root.Issue(t, "alice", now), root.Issue(t, "bob", now)
	for _, c := range []struct {
		name         string
		keyFirst     bool // goipsec's auth begins with the pre-shared key, not the certificate
		certificates bool // strongSwan wants certificates, not the key
		ike, esp     []string
		charonIKE    string
		charonESP    string
		initiators   []string
		auth, sees   string
	}{
		{name: "certificate, then key, to a peer with keys", auth: "psk", initiators: []string{"strongSwan"}},
		{name: "key, then certificate, to a peer with keys", keyFirst: true, auth: "psk", initiators: bothInitiate},
		{name: "key, then certificate, to a peer with certificates", keyFirst: true, certificates: true, auth: "ecdsa-256", initiators: []string{"strongSwan"}},
		{name: "certificate, then key, to a peer with certificates", certificates: true, auth: "ecdsa-256", initiators: bothInitiate},
		{name: "the initiator's first methods", auth: "psk", initiators: []string{"strongSwan"},
			ike: []string{"aes-cbc-128 sha256 ecp256", "aes-cbc-256 sha384 ecp384"}, charonIKE: "aes256-sha384-ecp384,aes128-sha256-ecp256",
			esp: []string{"esp aes-gcm-16-128", "esp aes-cbc-256 hmac-sha256-128"}, charonESP: "aes256-sha256,aes128gcm16", sees: "AES_CBC 256 HMAC_SHA2_384_192 ECP_384 / AES_CBC 256 HMAC_SHA2_256_128"},
		{name: "the second method where the first is not allowed", keyFirst: true, auth: "psk", initiators: bothInitiate,
			ike: []string{"aes-cbc-256 sha512 ecp521", "aes-cbc-128 sha256 ecp256"}, charonIKE: "aes128-sha256-ecp256",
			esp: []string{"esp aes-gcm-16-256", "esp aes-cbc-128 hmac-sha256-128"}, charonESP: "aes128-sha256", sees: "AES_CBC 128 HMAC_SHA2_256_128 ECP_256 / AES_CBC 128 HMAC_SHA2_256_128"},
	} {
		for _, initiator := range c.initiators {
			t.Run(c.name+"/"+initiator+" initiates", func(t *testing.T) {
				l := lab.New(t)
				s, a := s.In(l), a.In(l)
				row := record.Begin(t, userSpace(initiator, "precedence: "+c.name, or(strings.Join(c.esp, ", "), "esp aes-gcm-16-128"), "tunnel in UDP", "IPv4 in IPv4"))
				row.Exchange = strings.Replace(row.Exchange, "PSK, ", "", 1)
				its := charon{ike: or(c.charonIKE, "aes128-sha256-ecp256"), esp: c.charonESP, connection: []string{"encap = yes"}}
				text := its.String()
				if c.certificates {
					text = certified(s, its, root, bob, t, "C=CH, O=Lab, CN=alice")
				}
				s.Load(text)
				ours := toCharon{ike: or(strings.Join(c.ike, ", "), "aes-cbc-128 sha256 ecp256"), method: strings.Join(c.esp, ", "), rule: []string{inUDP}}
				policy := certifiedRule(l, t, ours, root, alice, "")
				key := fmt.Sprintf("{psk: %q}", psk)
				if c.keyFirst {
					policy = strings.Replace(policy, "auth: [{", "auth: ["+key+", {", 1)
				} else {
					policy = strings.Replace(policy, "]}]", "]}, "+key+"]", 1)
				}
				g := l.Goipsec(a, policy)
				start(l, a, g, s, initiator)
				echoes(l, a, g, s, row)
				if got := g.Status().Peers[0].Auth; got != c.auth {
					t.Errorf("authenticated by %s, want %s", got, c.auth)
				}
				if got := algorithms(s.SAs()[0]); c.sees != "" && got != c.sees {
					t.Errorf("strongSwan negotiated %q, want %q", got, c.sees)
				}
				if code := g.Stop(); code != 0 {
					t.Errorf("exit status %d", code)
				}
				s.Clear()
			})
		}
	}
}
