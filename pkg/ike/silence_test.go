package ike

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// When a filter falls back to clear, the engine's part is to tell whether the peer has given any reply. Time is virtual.

// soft is a world in which host 0's filter falls back to clear.
func soft(t *testing.T, after time.Duration, change func(a, b *settings)) *world {
	a, b := defaults(), defaults()
	a.fallback = &policy.Fallback{Timeout: after}
	if change != nil {
		change(&a, &b)
	}
	return newWorld(t, a, b)
}

// replies lets the first n datagrams of host 1 through and loses the rest.
func (w *world) replies(n int) {
	w.fate = func(_, from int, _ isakmp.Datagram) []time.Duration {
		if from == 1 {
			if n == 0 {
				return nil
			}
			n--
		}
		return []time.Duration{10 * time.Millisecond}
	}
}

// told checks the times at which host 0 was told of the peer's silence.
func (w *world) told(t *testing.T, want ...time.Duration) {
	t.Helper()
	if got := w.hosts[0].unanswered; !slices.Equal(got, want) {
		t.Errorf("told of silence at %v, want %v; failures %+v", got, want, w.hosts[0].failed)
	}
}

// TestFallBackNoReplyAtAll: silence is told of after the time that the filter gives, once, and the negotiation goes on until its own end.
func TestFallBackNoReplyAtAll(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second, 7 * time.Second, 30 * time.Second} {
		w := soft(t, after, nil)
		w.replies(0)
		w.want(0)
		want := after
		if want == 0 {
			want = 3 * time.Second
		}
		w.run(want - time.Millisecond)
		w.told(t)
		w.run(time.Minute)
		w.told(t, want)
		if f := w.hosts[0].failed; len(f) != 1 || f[0].Failure.Answered {
			t.Errorf("after %v: failures %+v", after, f)
		}
	}
}

// TestFallBackAnyReplyBlocks: whatever message of the exchange is the last that comes, if there was one the peer is not silent; the failure says so.
func TestFallBackAnyReplyBlocks(t *testing.T) {
	for n := 1; n <= 3; n++ { // messages 2, 4 and 6 of main mode; with one more quick mode succeeds
		w := soft(t, 0, nil)
		w.replies(n)
		w.want(0)
		w.run(2 * time.Minute)
		w.told(t)
		if f := w.hosts[0].failed; len(f) == 0 || !f[0].Failure.Answered {
			t.Errorf("%d replies: failures %+v", n, f)
		}
	}
	w := soft(t, 0, nil)
	w.replies(4)
	w.want(0)
	w.run(time.Minute)
	w.told(t)
	w.agree(1)
}

// TestFallBackRefusalsBlock: a peer that says no has replied, whatever it says no to.
func TestFallBackRefusalsBlock(t *testing.T) {
	for name, change := range map[string]func(a, b *settings){
		"main-mode method": func(_, b *settings) {
			b.main = []policy.MainModeMethod{{Encr: suite.AESCBC, KeyBits: 256, Hash: suite.SHA256, Group: suite.MODP2048}}
		},
		"pre-shared key":    func(_, b *settings) { b.psk = "quite another pre-shared key" },
		"identity":          func(_, b *settings) { b.remoteID = "nobody.example.com" },
		"quick-mode method": func(_, b *settings) { b.methods = []policy.Method{espMethod(suite.AESGCM16, 256, 0)} },
		"PFS":               func(_, b *settings) { b.pfs = suite.ECP256 },
		"filter":            func(_, b *settings) { b.proto = 17 },
	} {
		t.Run(name, func(t *testing.T) {
			w := soft(t, 0, change)
			for range 5 { // traffic goes on
				w.want(0)
				w.run(20 * time.Second)
			}
			w.told(t)
			if len(w.hosts[0].children) != 0 {
				t.Error("a child came up")
			}
			for _, f := range w.hosts[0].failed {
				if !f.Failure.Answered {
					t.Errorf("a failure without an answer: %+v", f)
				}
			}
			if len(w.hosts[0].failed) == 0 {
				t.Error("nothing failed")
			}
		})
	}
}

// TestFallBackWhatIsAReply injects single datagrams while the peer is silent: those with this host's cookie from the peer's address are replies, whatever
// is in them; all others are nothing.
func TestFallBackWhatIsAReply(t *testing.T) {
	header := func(i, r isakmp.Cookie, version uint8, x isakmp.ExchangeType, body ...byte) []byte {
		return append(isakmp.Header{InitiatorCookie: i, ResponderCookie: r, Version: version, Exchange: x, Length: isakmp.HeaderLen + len(body)}.Append(nil), body...)
	}
	theirs := isakmp.Cookie{9, 9, 9, 9}
	type garbage func(ours isakmp.Cookie, first []byte) []byte
	for _, c := range []struct {
		name  string
		data  garbage
		from  netip.Addr // invalid: the peer
		reply bool
	}{
		{name: "nothing", data: func(isakmp.Cookie, []byte) []byte { return nil }},
		{name: "one octet", data: func(isakmp.Cookie, []byte) []byte { return []byte{0xff} }},
		{name: "random octets", data: func(isakmp.Cookie, []byte) []byte { b := make([]byte, 200); newSeeded(7).Read(b); return b }},
		{name: "our cookie, cut off", data: func(ours isakmp.Cookie, _ []byte) []byte {
			return header(ours, theirs, isakmp.Version1, isakmp.MainMode)[:20]
		}},
		{name: "our cookie, a length that lies", data: func(ours isakmp.Cookie, _ []byte) []byte {
			return append(header(ours, theirs, isakmp.Version1, isakmp.MainMode), 1, 2, 3)
		}},
		{name: "another cookie", data: func(isakmp.Cookie, []byte) []byte {
			return header(isakmp.Cookie{1, 2, 3}, theirs, isakmp.Version1, isakmp.MainMode)
		}},
		{name: "a refusal for another cookie", data: func(isakmp.Cookie, []byte) []byte {
			return header(isakmp.Cookie{1, 2, 3}, theirs, isakmp.Version1, isakmp.Informational)
		}},
		{name: "our own message, sent back", data: func(_ isakmp.Cookie, first []byte) []byte { return first }},
		{name: "our cookie, from another address", from: netip.MustParseAddr("203.0.113.66"), data: func(ours isakmp.Cookie, _ []byte) []byte {
			return header(ours, theirs, isakmp.Version1, isakmp.MainMode)
		}},
		{name: "an empty message 2", reply: true, data: func(ours isakmp.Cookie, _ []byte) []byte {
			return header(ours, theirs, isakmp.Version1, isakmp.MainMode)
		}},
		{name: "a malformed message 2", reply: true, data: func(ours isakmp.Cookie, _ []byte) []byte {
			return header(ours, theirs, isakmp.Version1, isakmp.MainMode, 1, 2, 3, 4)
		}},
		{name: "an empty notification", reply: true, data: func(ours isakmp.Cookie, _ []byte) []byte {
			return header(ours, theirs, isakmp.Version1, isakmp.Informational)
		}},
		{name: "another exchange", reply: true, data: func(ours isakmp.Cookie, _ []byte) []byte {
			return header(ours, theirs, isakmp.Version1, isakmp.ExchangeType(4))
		}},
		{name: "IKEv2: invalid major version", reply: true, data: func(ours isakmp.Cookie, _ []byte) []byte {
			return header(ours, theirs, 0x20, isakmp.ExchangeType(34))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := soft(t, 0, nil)
			var first []byte
			w.fate = func(_, from int, d isakmp.Datagram) []time.Duration {
				if first == nil && from == 0 {
					first = slices.Clone(d.Data)
				}
				return nil
			}
			w.want(0)
			w.run(time.Second)
			h, err := isakmp.ParseHeader(first)
			if err != nil {
				t.Fatal(err)
			}
			from := addrB
			if c.from.IsValid() {
				from = c.from
			}
			w.hosts[0].e.Receive(w.now, isakmp.Datagram{Local: netip.AddrPortFrom(addrA, 500), Remote: netip.AddrPortFrom(from, 500), Data: c.data(h.InitiatorCookie, first)})
			w.run(time.Minute)
			if c.reply {
				w.told(t)
			} else {
				w.told(t, 3*time.Second)
			}
		})
	}
}

// TestFallBackALateReplyStillBringsTheSA: the negotiation is not given up when the time is over.
func TestFallBackALateReplyStillBringsTheSA(t *testing.T) {
	for delay, silent := range map[time.Duration]bool{2900 * time.Millisecond: false, 3100 * time.Millisecond: true} {
		w := soft(t, 0, nil)
		w.fate = func(n, from int, _ isakmp.Datagram) []time.Duration {
			if from == 1 && w.now.Sub(epoch) < time.Second {
				return []time.Duration{delay}
			}
			if from == 1 && w.now.Sub(epoch) < 10*time.Second && len(w.hosts[0].peersUp) == 0 && w.now.Sub(epoch) < delay {
				return nil
			}
			return []time.Duration{10 * time.Millisecond}
		}
		w.want(0)
		w.run(time.Minute)
		if got := len(w.hosts[0].unanswered) == 1; got != silent {
			t.Errorf("a reply after %v: silent %v, want %v", delay, got, silent)
		}
		w.agree(1)
	}
}

// TestFallBackAsksAgain: a wish that is still there and is repeated tells of silence again, so that the end of a soft SA does not wait for the end of an attempt.
func TestFallBackAsksAgain(t *testing.T) {
	w := soft(t, 0, nil)
	w.replies(0)
	w.want(0)
	w.run(10 * time.Second)
	w.want(0)
	w.run(time.Second)
	w.want(0) // while the time runs it changes nothing
	w.run(50 * time.Second)
	w.told(t, 3*time.Second, 13*time.Second)
}

// TestFallBackNotWithAPeerThatHasAnSA: a peer with which there is a main-mode SA has replied. Once a quick mode under it got no answer it counts no longer.
func TestFallBackNotWithAPeerThatHasAnSA(t *testing.T) {
	w := soft(t, 0, func(a, _ *settings) { a.peer.IdleTimeout = time.Minute })
	w.want(0)
	w.run(2 * time.Minute) // established, and the child is gone for want of traffic
	if len(w.hosts[0].children) != 0 || len(w.hosts[0].peersUp) != 1 {
		t.Fatalf("%d children, %d peers", len(w.hosts[0].children), len(w.hosts[0].peersUp))
	}
	w.replies(0)
	w.want(0)
	w.run(38 * time.Second)
	w.told(t)
	w.run(10 * time.Second) // the quick mode has failed
	began := w.now.Sub(epoch)
	w.want(0)
	w.run(10 * time.Second)
	w.told(t, began+3*time.Second)
}

// TestFallBackOnlyWhereTheFilterAllowsIt: without the option, in tunnel mode and for renewals silence is never told of.
func TestFallBackOnlyWhereTheFilterAllowsIt(t *testing.T) {
	for name, change := range map[string]func(a, b *settings){
		"without": func(a, _ *settings) { a.fallback = nil },
		"tunnel":  func(a, b *settings) { a.tunnel, b.tunnel = true, true },
	} {
		t.Run(name, func(t *testing.T) {
			w := soft(t, 0, change)
			w.replies(0)
			w.want(0)
			w.run(2 * time.Minute)
			w.told(t)
		})
	}
	w := soft(t, 0, func(a, b *settings) { a.methods[0].Lifetime.Seconds, a.life = 600, 5*time.Minute })
	w.want(0)
	w.run(time.Minute)
	w.agree(1)
	w.replies(0) // main mode and child come to their ends while the peer is gone
	w.run(9 * time.Minute)
	w.told(t)
}

// TestFallBackWhileThePeerCallsHere: a peer that has returned this host's cookie is about to prove itself: it speaks IKE.
func TestFallBackWhileThePeerCallsHere(t *testing.T) {
	w := soft(t, 0, nil)
	// Host 1 gets nothing that host 0 begins, and its own negotiation stops before its proof.
	w.fate = func(_, from int, d isakmp.Datagram) []time.Duration {
		h, _ := isakmp.ParseHeader(d.Data)
		if from == 0 && h.ResponderCookie == (isakmp.Cookie{}) || from == 1 && h.Flags&isakmp.FlagEncryption != 0 {
			return nil
		}
		return []time.Duration{10 * time.Millisecond}
	}
	w.want(1)
	w.run(2 * time.Second)
	w.want(0)
	w.run(4 * time.Second)
	w.told(t)
	if fmt.Sprint(w.hosts[0].e.Stats().HalfOpen) == "0" {
		t.Error("the peer's negotiation is not under way: the test is wrong")
	}
}

// TestFallBackNotWithAPeerBehindNATThatHasAnSA: its main-mode SA is on another port than the one that this host tries, but it is the same peer.
func TestFallBackNotWithAPeerBehindNATThatHasAnSA(t *testing.T) {
	a, b := defaults(), defaults()
	a.peer.IdleTimeout, b.peer.IdleTimeout, b.fallback = time.Minute, time.Minute, &policy.Fallback{}
	w := newWorld(t, a, b)
	const shift = 40000
	w.nat = func(d isakmp.Datagram) isakmp.Datagram {
		if d.Remote.Addr() == addrA {
			d.Remote = netip.AddrPortFrom(addrA, d.Remote.Port()+shift)
		} else {
			d.Local = netip.AddrPortFrom(addrA, d.Local.Port()-shift)
		}
		return d
	}
	w.want(0)
	w.run(2 * time.Minute)
	if h := w.hosts[1]; len(h.children) != 0 || len(h.peersUp) != 1 {
		t.Fatalf("%d children, %d peers", len(h.children), len(h.peersUp))
	}
	w.fate = func(int, int, isakmp.Datagram) []time.Duration { return nil }
	w.want(1)
	w.run(20 * time.Second)
	if got := w.hosts[1].unanswered; len(got) != 0 {
		t.Errorf("told of silence at %v", got)
	}
}
