package ike

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// TestExplanations provokes each kind of failure and looks for the words that help.
func TestExplanations(t *testing.T) {
	with := func(change func(*settings)) settings { s := defaults(); change(&s); return s }
	cases := []struct {
		name                 string
		a, b                 settings
		refused, refusing    string // in what the initiator, the responder is told
		detailA, detailB     string
		answered, noResponse bool
		stage                isakmp.Stage
	}{
		{name: "main-mode methods differ", stage: isakmp.StageMainMode, a: defaults(), b: with(func(s *settings) { s.main[0].Hash = suite.SHA256 }),
			refused: "the peer refused all main-mode proposals (NO-PROPOSAL-CHOSEN)", refusing: "no main-mode proposal of the peer is allowed here",
			detailA: "aes-cbc-128 sha1 curve25519 psk", detailB: "hash: sha1, here sha256", answered: true},
		{name: "wrong pre-shared key", stage: isakmp.StageAuthentication, a: defaults(), b: with(func(s *settings) { s.psk = "not the same key at all, sorry" }),
			refused: "most likely the pre-shared key is not the same", refusing: "most likely the pre-shared key is not the same", answered: true},
		{name: "quick-mode methods differ", stage: isakmp.StageQuickMode, a: defaults(), b: with(func(s *settings) {
			s.methods = []policy.Method{espMethod(suite.AESGCM16, 256, suite.IntegNone)}
		}),
			refused: "the peer refused quick mode with NO-PROPOSAL-CHOSEN", refusing: "no quick-mode proposal of the peer is allowed",
			detailA: "esp aes-cbc-128", detailB: "ESP encryption: esp aes-cbc-128, here esp aes-gcm-16-256", answered: true},
		{name: "PFS on one side", stage: isakmp.StageQuickMode, a: defaults(), b: with(func(s *settings) { s.pfs = suite.MODP2048 }),
			refused: "NO-PROPOSAL-CHOSEN", refusing: "no quick-mode proposal", detailB: "PFS group: pfs none, here pfs modp2048", answered: true},
		{name: "filters differ", stage: isakmp.StageQuickMode, a: with(func(s *settings) { s.proto = 6 }), b: with(func(s *settings) { s.proto = 17 }),
			refused: "INVALID-ID-INFORMATION", refusing: "which no rule here names", answered: true},
		{name: "tunnel and transport", stage: isakmp.StageQuickMode, a: with(func(s *settings) { s.tunnel = true }), b: defaults(),
			refused: "INVALID-ID-INFORMATION", refusing: "which no rule here names", answered: true},
		{name: "identity", stage: isakmp.StageAuthentication, a: with(func(s *settings) { s.localID = "a.example" }), b: with(func(s *settings) { s.remoteID = "c.example" }),
			refused: "", refusing: "the peer proved to be a.example, but c.example is expected", answered: true},
		{name: "forced encapsulation meets a peer without NAT-T", stage: isakmp.StageMainMode, a: defaults(), b: defaults(), noResponse: true,
			refused: "no answer from 192.0.2.2:500"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.a, c.b)
			if c.noResponse {
				w.fate = func(int, int, isakmp.Datagram) []time.Duration { return nil }
			}
			w.want(0)
			w.run(60 * time.Second)
			for n, want := range []string{c.refused, c.refusing} {
				f := w.hosts[n].failed
				if want == "" && n == 1 {
					continue
				}
				// A responder keeps nothing of what it refused, and says it again when message 1 comes again.
				if c.name == "identity" && n == 1 && (len(f) == 0 || !slices.Equal(f[0].Failure.Identities, []string{"a.example", "c.example"})) {
					t.Errorf("the identities named: %+v", f)
				}
				if len(f) == 0 || n == 0 && len(f) != 1 || len(f) > 5 {
					t.Fatalf("host %d: %d failures, want one: %+v", n, len(f), f)
				}
				text := f[0].Failure.What + "; " + f[0].Failure.Why + "; " + f[0].Failure.Next
				if !strings.Contains(text, want) || f[0].Failure.Next == "" {
					t.Errorf("host %d says: %s", n, text)
				}
				if detail := []string{c.detailA, c.detailB}[n]; !strings.Contains(f[0].Failure.Detail, detail) {
					t.Errorf("host %d shows:\n%s\nwithout %q", n, f[0].Failure.Detail, detail)
				}
				if f[0].Failure.Stage != c.stage {
					t.Errorf("host %d: stage %q, want %q", n, f[0].Failure.Stage, c.stage)
				}
				if n == 0 && (f[0].Failure.Answered != c.answered || f[0].Filter == "") {
					t.Errorf("%+v", f[0])
				}
			}
			if c.noResponse {
				return
			}
			// status knows it too, and the secret is nowhere.
			found := false
			for _, p := range w.hosts[0].e.Peers(w.now) {
				found = found || p.LastFailure != nil
			}
			if !found {
				t.Error("the failure is not in the list of peers")
			}
			w.agree(0)
		})
	}
}

func TestP20PeerStringsAreEscaped(t *testing.T) {
	a, b := defaults(), defaults()
	a.localID = "keyid:\x1b[2Jowned\n" + strings.Repeat("x", 500)
	w := newWorld(t, a, b)
	w.want(0)
	w.run(60 * time.Second)
	if len(w.hosts[1].failed) != 1 {
		t.Fatalf("%+v", w.hosts[1].failed)
	}
	what := w.hosts[1].failed[0].Failure.What
	if strings.ContainsAny(what, "\x1b\n") || len(what) > 300 {
		t.Errorf("%q", what)
	}
}

// TestIdentities negotiates with each kind of identity.
func TestIdentities(t *testing.T) {
	for _, id := range []string{"a.example", "user@a.example", "keyid:0x00ff10", "keyid:road warriors", "@bare", "10.9.8.7", "2001:db8::1"} {
		a, b := defaults(), defaults()
		a.localID, b.remoteID = id, id
		w := newWorld(t, a, b)
		w.want(0)
		w.run(5 * time.Second)
		w.agree(1)
	}
}

// TestMethods negotiates every combination of algorithms that IKEv1 can name.
func TestMethods(t *testing.T) {
	var methods []policy.Method
	integs := []suite.Integ{suite.HMACMD5_96, suite.HMACSHA1_96, suite.AESXCBC96, suite.HMACSHA256_128, suite.HMACSHA384_192, suite.HMACSHA512_256}
	for _, e := range []suite.Encr{suite.DES, suite.TripleDES, suite.Null, suite.AESCBC, suite.AESCTR} {
		for _, i := range integs {
			methods = append(methods, espMethod(e, 0, i))
		}
	}
	for _, e := range []suite.Encr{suite.AESCCM8, suite.AESCCM12, suite.AESCCM16, suite.AESGCM8, suite.AESGCM12, suite.AESGCM16, suite.NullGMAC} {
		for _, bits := range []int{128, 192, 256} {
			methods = append(methods, espMethod(e, bits, suite.IntegNone))
		}
	}
	for _, i := range append(integs, suite.AES128GMAC, suite.AES192GMAC, suite.AES256GMAC) {
		methods = append(methods, policy.Method{AH: &policy.AHMethod{Integ: i}},
			policy.Method{AH: &policy.AHMethod{Integ: i}, ESP: &policy.ESPMethod{Encr: suite.AESCBC, KeyBits: 192}},
			policy.Method{AH: &policy.AHMethod{Integ: i}, ESP: &policy.ESPMethod{Encr: suite.Null, Integ: suite.HMACSHA1_96}, ESN: true})
	}
	for _, m := range methods {
		s := defaults()
		s.methods = []policy.Method{m}
		w := newWorld(t, s, s)
		w.want(0)
		w.run(3 * time.Second)
		w.agree(1)
		c := w.only(0)
		want := 0
		if m.ESP != nil {
			want++
		}
		if m.AH != nil {
			want++
		}
		if len(c.Protocols) != want || c.ESN != m.ESN || want == 2 && (c.Protocols[0].Protocol != suite.ESP || c.Protocols[1].Protocol != suite.AH) {
			t.Errorf("%v: %+v", m, c)
		}
		for _, k := range c.Protocols {
			if len(k.EncrIn) != k.Encr.KeyMatLen(k.KeyBits) || string(k.EncrIn) == string(k.EncrOut) && len(k.EncrIn) > 0 || len(k.IntegIn) != k.Integ.KeyMatLen() {
				t.Errorf("%v: keys of %d and %d bytes", m, len(k.EncrIn), len(k.IntegIn))
			}
		}
	}
}

// TestMainModeMethods negotiates every cipher, hash and group of phase 1.
func TestMainModeMethods(t *testing.T) {
	try := func(m policy.MainModeMethod) {
		s := defaults()
		s.main = []policy.MainModeMethod{m}
		w := newWorld(t, s, s)
		w.want(0)
		w.run(3 * time.Second)
		w.agree(1)
		if p := w.hosts[1].e.Peers(w.now)[0]; p.Encr != m.Encr || p.Hash != m.Hash || p.Group != m.Group {
			t.Errorf("%+v became %v %v %v", m, p.Encr, p.Hash, p.Group)
		}
	}
	for _, h := range suite.Hashes() {
		for _, e := range []suite.Encr{suite.DES, suite.TripleDES, suite.AESCBC} {
			for _, bits := range []int{128, 192, 256} {
				if e == suite.AESCBC || bits == 128 {
					m := policy.MainModeMethod{Encr: e, Hash: h, Group: suite.Curve25519}
					if e == suite.AESCBC {
						m.KeyBits = bits
					}
					try(m)
				}
			}
		}
	}
	for _, g := range suite.Groups() {
		if g == suite.MODP4096 && testing.Short() {
			continue
		}
		try(policy.MainModeMethod{Encr: suite.AESCBC, KeyBits: 256, Hash: suite.SHA256, Group: g})
	}
}

// TestResponderTakesTheInitiatorsFirst: order is the initiator's.
func TestResponderTakesTheInitiatorsFirst(t *testing.T) {
	a, b := defaults(), defaults()
	x := policy.MainModeMethod{Encr: suite.AESCBC, KeyBits: 256, Hash: suite.SHA256, Group: suite.Curve25519}
	a.main = []policy.MainModeMethod{{Encr: suite.DES, Hash: suite.MD5, Group: suite.MODP768}, x, a.main[0]}
	b.main = []policy.MainModeMethod{b.main[0], x}
	weak, strong := espMethod(suite.AESCBC, 128, suite.HMACSHA1_96), espMethod(suite.AESGCM16, 256, suite.IntegNone)
	a.methods, b.methods = []policy.Method{strong, weak}, []policy.Method{weak, strong}
	w := newWorld(t, a, b)
	w.want(0)
	w.run(3 * time.Second)
	w.agree(1)
	if p := w.hosts[1].e.Peers(w.now)[0]; p.Hash != suite.SHA256 || w.only(1).Protocols[0].Encr != suite.AESGCM16 {
		t.Errorf("chosen: %v, %v", p.Hash, w.only(1).Protocols[0].Encr)
	}
}
