package ikev1

import (
	"bytes"
	"crypto/x509"
	"testing"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/testpki"
)

// signers is a couple that proves itself by certificates.
func signers(tb testing.TB, root *testpki.Identity, own [2]*testpki.Identity) *couple {
	tb.Helper()
	return newCouple(tb, suite.GroupNone, func(n int) policy.AuthMethod {
		c, err := pki.NewCredential(own[n].Path(), own[n].Key)
		if err != nil {
			tb.Fatal(err)
		}
		return policy.AuthMethod{Kind: policy.Certificate, Cert: &policy.CertAuth{Credentials: pki.NewStore(c), CAs: []*x509.Certificate{root.Cert}}}
	})
}

// FuzzKeyedSignature puts whatever the fuzzer likes into message 5 or 6, encrypted with the live keys: what a peer can send that has a key exchange of its own and no certificate that
// counts. Nothing of it may establish anything, and the right message after it still leads to the question about the peer's certificate.
func FuzzKeyedSignature(f *testing.F) {
	root := testpki.Root(f, "root", testpki.Around(start))
	between := root.Issue(f, "between", testpki.Authority, testpki.Around(start))
	own := [2]*testpki.Identity{between.Issue(f, "alice", testpki.Around(start)), between.Issue(f, "bob", testpki.Around(start))}
	for message := range 2 {
		genuine := signers(f, root, own)
		genuine.vouch[1] = true
		genuine.want(0)
		genuine.relay(start, func(n, to int, d isakmp.Datagram) bool {
			if n == 4+message {
				body, err := isakmp.AppendPayloads(nil, genuine.open(to, d).ps)
				if err != nil {
					f.Fatal(err)
				}
				f.Add(byte(message), byte(isakmp.PayloadID), body)
			}
			return false
		})
	}
	f.Add(byte(0), byte(isakmp.PayloadCert), []byte{0, 0, 0, 8, 4, 0x30, 0x82, 0xff})
	f.Fuzz(func(t *testing.T, message, first byte, chain []byte) {
		if len(chain) == 0 {
			return // an encrypted message has a block at least
		}
		c := signers(t, root, own)
		c.vouch[1] = message&1 == 1 // who has sent message 6 is content with message 5
		c.want(0)
		target := 4 + int(message&1)
		var right isakmp.Datagram
		c.relay(start, func(n, to int, d isakmp.Datagram) bool {
			if n != target {
				return n > target
			}
			o := c.open(to, d)
			right = isakmp.Datagram{Local: d.Local, Remote: d.Remote, Data: bytes.Clone(d.Data)}
			body, _ := o.s.cipher.seal(bytes.Clone(chain), o.iv)
			h := o.h
			h.NextPayload = isakmp.PayloadType(first)
			c.m[to].Receive(start, isakmp.Datagram{Local: d.Local, Remote: d.Remote, Data: withHeader(h, body)})
			return true
		})
		to := 1 - target%2
		m := c.m[to]
		asked := len(m.asked)
		m.Receive(start, right)
		if len(m.asked) == 0 {
			t.Errorf("the right message is not looked at any more (asked before: %d)", asked)
		}
		if s := c.sa(to); s.state == Established {
			t.Error("established without a verdict")
		}
	})
}
