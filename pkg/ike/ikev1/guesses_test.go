package ikev1

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"testing"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/password"
	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/testpki"
)

// doorstep is a gateway that has asked, once, for a name and a password.
func doorstep(t *testing.T) (*Machine, *mainMode) {
	t.Helper()
	c := newAccess(t, netip.MustParsePrefix("10.9.0.0/24"))
	c.want(0)
	c.relay(start, func(_, _ int, d isakmp.Datagram) bool { return d.Data[18] == byte(isakmp.Transaction) })
	return c.m[1], c.sa(1)
}

// comer is one more peer that stands where s does, and answers the question.
func comer(m *Machine, s *mainMode, user string, remote netip.AddrPort) *mainMode {
	x := *s
	x.id, x.remote, x.transactions = m.newID(), remote, nil
	m.takeLogin(start, &x, isakmp.Configuration{Type: isakmp.ConfigReply, Attributes: []isakmp.Attribute{
		{Type: isakmp.XAuthUser, Value: []byte(user)}, {Type: isakmp.XAuthPassword, Value: []byte("guess")}}})
	return &x
}

// TestP26GuessesAtOnce: many logins at once are no more guesses than one after the other, whatever address a client behind a NAT sends them from, and one that was right
// was none.
func TestP26GuessesAtOnce(t *testing.T) {
	m, s := doorstep(t)
	for i := range maxLogins {
		comer(m, s, "carol", netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, byte(i), 113, 1}), 4500))
	}
	if len(m.logins) != freeGuesses {
		t.Fatalf("%d passwords are looked at, at once", len(m.logins))
	}
	for id := range m.logins {
		m.AnswerLogin(start, id, true)
		break
	}
	if comer(m, s, "carol", s.remote); len(m.logins) != freeGuesses {
		t.Errorf("after a right one %d are looked at", len(m.logins))
	}
	for id := range m.logins {
		m.AnswerLogin(start, id, false)
	}
	if comer(m, s, "carol", s.remote); len(m.logins) != 0 {
		t.Error("another after as many wrong ones")
	}
}

// TestP26GuessesTellNoNames: the bound is the same for users and for names that are nobody's, so that it does not tell them apart; and made-up names fill no memory.
func TestP26GuessesTellNoNames(t *testing.T) {
	const known, unknown = "carol", "mallory"
	allowed := func(after, then string) (n int) {
		m, s := doorstep(t)
		for range 2 * freeGuesses {
			m.AnswerLogin(start, comer(m, s, after, s.remote).id, false)
		}
		for range 2 * freeGuesses {
			x := comer(m, s, then, s.remote)
			if m.logins[x.id] != nil {
				n++
			}
			m.AnswerLogin(start, x.id, false)
		}
		return n
	}
	if a, b := allowed("eve", known), allowed("eve", unknown); a != b || a != freeGuesses {
		t.Errorf("after the guesses for another name %d for a user, %d for nobody", a, b)
	}
	if a, b := allowed(known, known), allowed(unknown, unknown); a != 0 || b != 0 {
		t.Errorf("after the guesses for the same name %d for a user, %d for nobody", a, b)
	}
	m, s := doorstep(t)
	for i := range 300 {
		m.AnswerLogin(start, comer(m, s, fmt.Sprint("nobody", i), s.remote).id, false)
	}
	if n := len(m.guesses.failures); n > namesApart {
		t.Errorf("one network has %d counts", n)
	}
}

// TestP26UserTakenOutWhileLoggingIn: the right password does not let in who is no user any more when it is found right.
func TestP26UserTakenOutWhileLoggingIn(t *testing.T) {
	for _, stays := range []bool{true, false} {
		m, s := doorstep(t)
		m.takeLogin(start, s, isakmp.Configuration{Type: isakmp.ConfigReply, Attributes: []isakmp.Attribute{
			{Type: isakmp.XAuthUser, Value: []byte("carol")}, {Type: isakmp.XAuthPassword, Value: []byte("open sesame")}}})
		p := *m.policy.Policy
		r := *p.Rules[0]
		r.Auth = append([]policy.AuthMethod(nil), r.Auth...)
		r.Auth[0].XAuth = &policy.XAuth{Users: map[string]password.Hash{"dave": password.Nobody()}}
		if stays {
			r.Auth[0].XAuth.Users["carol"] = password.Nobody()
		}
		p.Rules = []*policy.Rule{&r}
		c, err := policy.Compile(&p, []netip.Addr{hostB})
		if err != nil {
			t.Fatal(err)
		}
		m.SetPolicy(start, c)
		if m.AnswerLogin(start, s.id, true); (s.state == Established) != stays {
			t.Errorf("stays a user %v: %v", stays, s.state)
		}
	}
}

// TestP26XAuthByMethod: each method is offered and accepted as its own entry says; one that stands there with XAUTH and without is not, and none in the other's role.
func TestP26XAuthByMethod(t *testing.T) {
	root := testpki.Root(t, "root", testpki.Around(start))
	id := root.Issue(t, "gateway", testpki.Around(start))
	credential, err := pki.NewCredential(id.Path(), id.Key)
	if err != nil {
		t.Fatal(err)
	}
	certificate := policy.AuthMethod{Kind: policy.Certificate, Cert: &policy.CertAuth{Credentials: pki.NewStore(credential), CAs: []*x509.Certificate{root.Cert}}}
	plain := policy.AuthMethod{Kind: policy.PSK, PSK: policy.NewSecret([]byte("a throw-away key for tests"))}
	server, client := plain, plain
	server.XAuth = &policy.XAuth{Users: map[string]password.Hash{"carol": password.Nobody()}}
	client.XAuth = &policy.XAuth{User: "carol"}
	number := authMethods(&certificate)[0]
	for name, x := range map[string]struct {
		auth []policy.AuthMethod
		role isakmp.Role
		want []phase1Suite
	}{
		"none":                           {[]policy.AuthMethod{plain}, isakmp.Responder, []phase1Suite{{auth: authPSK}}},
		"gateway":                        {[]policy.AuthMethod{server}, isakmp.Responder, []phase1Suite{{auth: authPSK, xauth: true}}},
		"gateway that begins":            {[]policy.AuthMethod{server}, isakmp.Initiator, nil},
		"client":                         {[]policy.AuthMethod{client}, isakmp.Initiator, []phase1Suite{{auth: authPSK, xauth: true}}},
		"client that is called":          {[]policy.AuthMethod{client}, isakmp.Responder, nil},
		"behind a certificate without":   {[]policy.AuthMethod{certificate, server}, isakmp.Responder, []phase1Suite{{auth: number}, {auth: authPSK, xauth: true}}},
		"before a certificate without":   {[]policy.AuthMethod{client, certificate}, isakmp.Initiator, []phase1Suite{{auth: authPSK, xauth: true}, {auth: number}}},
		"one method, with and without":   {[]policy.AuthMethod{server, plain}, isakmp.Responder, nil},
		"one method, without and with":   {[]policy.AuthMethod{plain, server}, isakmp.Responder, nil},
		"one method, in different roles": {[]policy.AuthMethod{server, client}, isakmp.Responder, nil},
	} {
		var offers []phase1Suite
		for _, n := range []uint16{number, authPSK} {
			for i := range x.auth {
				if authMethods(&x.auth[i])[0] == n {
					offers = append(offers, phase1Suite{auth: n})
					break
				}
			}
		}
		got := map[phase1Suite]bool{}
		for _, s := range withXAuth(offers, &policy.Rule{Auth: x.auth}, x.role) {
			got[s] = true
		}
		ok := len(got) == len(x.want)
		for _, s := range x.want {
			ok = ok && got[s]
		}
		if !ok {
			t.Errorf("%s: %+v, want %+v", name, got, x.want)
		}
	}
}
