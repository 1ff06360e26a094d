package ikev1

import (
	"bytes"
	"testing"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Rows about a man in the middle.

// TestP30StrippedOffers: a man in the middle who takes the better methods out of message 1, or rewrites the choice, gets no SA.
func TestP30StrippedOffers(t *testing.T) {
	const notOffered = "message 2 names a transform that was not offered"
	build := func() *couple {
		c := newCouple(t, suite.GroupNone)
		for _, m := range c.m {
			k := &m.policy.Policy.KeyExchange
			k.Methods = append([]policy.MainModeMethod{{Encr: suite.AESCBC, KeyBits: 256, Hash: suite.SHA256, Group: suite.Curve25519}}, k.Methods...)
		}
		c.want(0)
		return c
	}
	c := build()
	c.relay(start, nil)
	if s := c.sa(0); s.suite.hash != suite.SHA256 {
		t.Fatalf("undisturbed, %v is chosen", s.suite)
	}
	offers := phase1Offers(c.m[0].policy.Policy.KeyExchange, c.sa(0).rule.Auth)
	edit := func(o opened, f func(sa *isakmp.SA)) []byte {
		sa, err := isakmp.ParseSA(o.ps[0].Body)
		if err != nil {
			t.Fatal(err)
		}
		f(&sa)
		ps := append([]isakmp.Payload{{Type: isakmp.PayloadSA, Body: sa.Append(nil)}}, o.ps[1:]...)
		return o.write(t, ps)
	}
	for name, attack := range map[string]func(n int, o opened) []byte{
		"the first transform is taken out of message 1": func(n int, o opened) []byte {
			if n != 0 {
				return nil
			}
			return edit(o, func(sa *isakmp.SA) { sa.Proposals[0].Transforms = sa.Proposals[0].Transforms[1:] })
		},
		"message 2 names the other transform": func(n int, o opened) []byte {
			if n != 1 {
				return nil
			}
			return edit(o, func(sa *isakmp.SA) { sa.Proposals[0].Transforms[0] = offers[1].transform(2) })
		},
		notOffered: func(n int, o opened) []byte {
			if n != 1 {
				return nil
			}
			weak := phase1Suite{encr: suite.DES, hash: suite.MD5, group: suite.MODP768, auth: authPSK}
			return edit(o, func(sa *isakmp.SA) { sa.Proposals[0].Transforms[0] = weak.transform(1) })
		},
	} {
		v := build()
		v.relay(start, func(n, to int, d isakmp.Datagram) bool {
			if h, _ := isakmp.ParseHeader(d.Data); h.Flags&isakmp.FlagEncryption != 0 {
				return false
			}
			data := attack(n, v.open(to, d))
			if data == nil {
				return false
			}
			v.m[to].Receive(start, isakmp.Datagram{Local: d.Local, Remote: d.Remote, Data: data})
			return true
		})
		if name == notOffered && len(v.m[0].established) != 0 {
			t.Errorf("%s: the initiator goes on with it", name)
		}
		for n, m := range v.m {
			for _, s := range m.established {
				if s.state != Negotiating {
					t.Errorf("%s: host %d is %v with %v", name, n, s.state, s.suite)
				}
			}
		}
	}
}

// TestP33BadAnswersEndNothing puts forged answers before each right one: the right one still counts.
func TestP33BadAnswersEndNothing(t *testing.T) {
	c := newCouple(t, suite.GroupNone)
	c.want(0)
	forged := 0
	c.relay(start, func(n, to int, d isakmp.Datagram) bool {
		h, _ := isakmp.ParseHeader(d.Data)
		if to != 0 || h.Exchange != isakmp.MainMode {
			return false
		}
		for i := isakmp.HeaderLen; i < len(d.Data); i += 3 {
			bad := bytes.Clone(d.Data)
			bad[i] ^= 0x41
			if n == 1 { // a change to a responder's cookie or vendor ID alone is no proof of anything: leave the SA payload wrong
				if i > isakmp.HeaderLen+40 {
					break
				}
			} else if n == 3 {
				break // a changed public value is as good as any other until message 6: see below
			}
			c.m[0].Receive(start, isakmp.Datagram{Local: d.Local, Remote: d.Remote, Data: bad})
			forged++
		}
		if n == 3 {
			for _, cut := range []int{1, 20, 40} {
				bad := bytes.Clone(d.Data[:len(d.Data)-cut])
				copy(bad[24:], be32(uint32(len(bad))))
				c.m[0].Receive(start, isakmp.Datagram{Local: d.Local, Remote: d.Remote, Data: bad})
				forged++
			}
		}
		return false
	})
	if forged < 30 || len(c.m[0].children) != 1 || c.sa(0).state != Established {
		t.Errorf("%d forged answers, then %+v", forged, c.m[0].Stats())
	}
}
