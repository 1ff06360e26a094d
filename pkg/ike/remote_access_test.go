package ike

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
)

// remote is a client and its gateway; with a login the client has to log in.
func remote(login string) settings {
	s := defaults()
	s.access, s.login, s.users = true, login, map[string]string{"carol": "open sesame"}
	return s
}

// TestModeConfigAssignsAnAddress (draft-ietf-ipsec-isakmp-mode-cfg-05): the client gets an address and the name server, and the one child is for it alone.
func TestModeConfigAssignsAnAddress(t *testing.T) {
	for _, login := range []string{"", "carol:open sesame"} {
		w := newWorld(t, remote(login), remote(login))
		w.want(0)
		w.run(5 * time.Second)
		w.agree(1)
		h := w.hosts[0]
		if len(h.assigned) != 1 || h.assigned[0].Address != netip.MustParseAddr("10.9.0.1") || len(h.assigned[0].DNS) != 1 || h.assigned[0].DNS[0] != accessDNS {
			t.Fatalf("assigned: %+v", h.assigned)
		}
		if sel := w.only(0).Selector; sel.Src.From != h.assigned[0].Address || sel.Src.To != sel.Src.From || sel.Dst.From != tunnelNets[1].Addr() {
			t.Errorf("the child is for %v", sel)
		}
		if len(h.failed)+len(w.hosts[1].failed) != 0 || w.hosts[1].logins != map[bool]int{true: 1}[login != ""] {
			t.Errorf("%v %v, %d logins", h.failed, w.hosts[1].failed, w.hosts[1].logins)
		}
		// A new main-mode SA, as at the end of its lifetime: the same address, and the child stays.
		child := w.only(0).ID
		if err := h.e.Rekey(w.now, h.e.Peers(w.now)[0].ID); err != nil {
			t.Fatal(err)
		}
		w.busy(90 * time.Second)
		w.agree(1)
		if last := h.assigned[len(h.assigned)-1]; len(h.assigned) != 2 || last.Address != h.assigned[0].Address || w.only(0).ID != child {
			t.Errorf("after a new main mode: %+v, child %d", h.assigned, w.only(0).ID)
		}
	}
}

// TestXAuthWrongPassword (draft-beaulieu-ike-xauth-02): nobody is let in, both ends say why, and nothing is left.
func TestXAuthWrongPassword(t *testing.T) {
	for _, login := range []string{"carol:open barley", "dave:open sesame"} {
		w := newWorld(t, remote(login), remote(login))
		w.want(0)
		w.run(5 * time.Second)
		for i, h := range w.hosts {
			st := h.e.Stats()
			if len(h.children)+len(h.peersUp)+len(h.assigned) != 0 || st.MainModes != 0 || st.HalfOpen != 0 {
				t.Errorf("host %d: %+v", i, st)
			}
			if len(h.failed) != 1 || !strings.Contains(h.failed[0].Failure.What, "XAUTH") {
				t.Errorf("host %d: %+v", i, h.failed)
			}
			for _, f := range h.failed {
				if text := f.Failure.What + f.Failure.Why + f.Failure.Next; strings.Contains(text, "barley") || strings.Contains(text, "sesame") {
					t.Errorf("the password is shown: %s", text)
				}
			}
		}
	}
}

// TestXAuthGuessesAreBounded: after five wrong passwords no more are looked at for half a minute, from that network and for that user; the right one counts later.
func TestXAuthGuessesAreBounded(t *testing.T) {
	w := newWorld(t, remote("carol:wrong"), remote("carol:wrong"))
	for range 20 {
		w.want(0)
		w.run(500 * time.Millisecond)
	}
	if n := w.hosts[1].logins; n != 5 {
		t.Errorf("%d of 20 guesses were looked at in ten seconds", n)
	}
	if n := w.hosts[1].e.Stats().GuessesRefused; n != 15 {
		t.Errorf("%d were refused", n)
	}
	w.run(40 * time.Second)
	w.hosts[1].users["carol"] = "wrong" // somebody corrects it at the gateway
	w.want(0)
	w.run(5 * time.Second)
	w.agree(1)
}

// TestXAuthSilence: a gateway that is never answered, and a client that is never asked, end the attempt in a minute and say so.
func TestXAuthSilence(t *testing.T) {
	for mute := range 2 {
		w := newWorld(t, remote("carol:open sesame"), remote("carol:open sesame"))
		w.fate = func(_ int, from int, d isakmp.Datagram) []time.Duration {
			if isakmp.ExchangeType(d.Data[18]) == isakmp.Transaction && from == mute {
				return nil
			}
			return []time.Duration{10 * time.Millisecond}
		}
		w.want(0)
		w.run(70 * time.Second)
		for i, h := range w.hosts {
			if st := h.e.Stats(); len(h.failed) != 1 || len(h.peersUp) != 0 || st.MainModes+st.HalfOpen != 0 {
				t.Errorf("mute %d, host %d: %+v %+v", mute, i, h.failed, st)
			}
		}
	}
}

// TestXAuthUserIsDismissed: a reload of a policy without a user ends what he has; with others beside him nothing ends.
func TestXAuthUserIsDismissed(t *testing.T) {
	w := newWorld(t, remote("carol:open sesame"), remote("carol:open sesame"))
	w.want(0)
	w.run(5 * time.Second)
	w.agree(1)
	reload := func(users ...string) {
		s := remote("carol:open sesame")
		s.users = map[string]string{}
		for _, u := range users {
			s.users[u] = "x"
		}
		w.hosts[1].e.SetPolicy(w.now, compile(t, s, addrB, addrA, 1))
		w.run(2 * time.Second)
	}
	if reload("carol", "dave"); len(w.hosts[1].children) != 1 || len(w.hosts[1].peersUp) != 1 {
		t.Error("a new user has ended what another had")
	}
	if reload("dave"); len(w.hosts[1].children) != 0 || len(w.hosts[1].peersUp) != 0 || len(w.hosts[0].children) != 0 {
		t.Errorf("the user is none any more: %d children, %d peers", len(w.hosts[1].children), len(w.hosts[1].peersUp))
	}
}

// TestXAuthUserIsDismissedWithoutMainMode: a user who has deleted his main-mode SA does not keep his children when he is none any more; with others beside him he does.
func TestXAuthUserIsDismissedWithoutMainMode(t *testing.T) {
	for _, stays := range []bool{true, false} {
		w := newWorld(t, remote("carol:open sesame"), remote("carol:open sesame"))
		w.want(0)
		w.run(5 * time.Second)
		w.agree(1)
		for id := range w.hosts[0].peersUp {
			if err := w.hosts[0].e.Delete(w.now, id); err != nil {
				t.Fatal(err)
			}
		}
		w.run(time.Second)
		if h := w.hosts[1]; len(h.peersUp) != 0 || len(h.children) != 1 {
			t.Fatalf("%d peers, %d children", len(h.peersUp), len(h.children))
		}
		s := remote("carol:open sesame")
		s.users = map[string]string{"dave": "x"}
		if stays {
			s.users["carol"] = "x"
		}
		w.hosts[1].e.SetPolicy(w.now, compile(t, s, addrB, addrA, 1))
		w.run(2 * time.Second)
		if n := len(w.hosts[1].children); (n == 1) != stays {
			t.Errorf("stays a user %v: %d children", stays, n)
		}
	}
}

// TestXAuthWithRSACertificates (method 65005): both ends prove themselves by certificates, and the client logs in as well.
func TestXAuthWithRSACertificates(t *testing.T) {
	p := pairsOf(t, "rsa-signature")
	s := withAuth(func(n int) []policy.AuthMethod { return []policy.AuthMethod{p.method(t, n)} })
	s.access, s.login, s.users = true, "carol:open sesame", map[string]string{"carol": "open sesame"}
	w := newWorld(t, s, s)
	w.want(0)
	w.run(5 * time.Second)
	w.agree(1)
	for i, h := range w.hosts {
		peers := h.e.Peers(w.now)
		if len(peers) != 1 || peers[0].Auth != "xauth-rsa-signature" || peers[0].User != "carol" || peers[0].Inner != netip.MustParseAddr("10.9.0.1") {
			t.Errorf("host %d: %+v", i, peers)
		}
	}
	w = newWorld(t, s, s)
	w.hosts[1].users = map[string]string{"carol": "open barley"}
	w.want(0)
	w.run(5 * time.Second)
	if len(w.hosts[0].children)+len(w.hosts[1].children)+len(w.hosts[0].peersUp)+len(w.hosts[1].peersUp) != 0 {
		t.Error("a client with a wrong password was let in")
	}
}
