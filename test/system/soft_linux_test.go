package system

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/test/interop/lab"
)

// pairOf is a rule of transport mode between a (10.1.0.1) and b (10.1.0.2), seen from host 1 or 2.
func pairOf(local int, more ...string) string {
	return rule("hosts", fmt.Sprintf("me <-> 10.1.0.%d", 3-local), "", more...)
}

const fallBack = "negotiate: {fallback_to_clear: true}"

// clearEchoes counts the echo requests and replies that are on the wire in clear.
func clearEchoes(frames []lab.Frame) (n int) {
	for i := range frames {
		if f := &frames[i]; f.Protocol == 1 && len(f.Payload) > 0 && (f.Payload[0] == 8 || f.Payload[0] == 0) {
			n++
		}
	}
	return n
}

// fallsBack pings b from a, whose IKE gets no reply, until it falls back to clear, and checks that nothing was in clear before its time.
func (w *world) fallsBack(ga *lab.Goipsec, capture *lab.Capture) endpoint.SoftSA {
	w.t.Helper()
	from := len(capture.Frames())
	watch := lab.StartWatch()
	ping := w.a.Start("ping", "ping", "-n", "-i", "0.2", "-w", "60", "10.1.0.2")
	defer ping.Kill()
	ping.Expect("bytes from 10.1.0.2", 30*time.Second)
	if waited := watch.Elapsed(); waited < 2900*time.Millisecond {
		w.t.Errorf("clear traffic flowed after %v", waited)
	}
	if _, ok := capture.Await(20*time.Second, from, func(f *lab.Frame) bool { return clearEchoes([]lab.Frame{*f}) == 1 }); !ok {
		w.t.Error("nothing is on the wire in clear: the test is wrong")
	}
	s := ga.Status()
	if len(s.Soft) != 1 || s.Counts.Soft != 1 || s.Traffic.Soft == 0 || s.Traffic.Permitted != 0 || s.Statistics.MainMode.SoftAssociations == 0 {
		w.t.Fatalf("soft SAs %+v, %s", s.Soft, traffic(s))
	}
	soft := s.Soft[0]
	if soft.Rule != "hosts" || soft.Selector.RemoteFrom.String() != "10.1.0.2" || soft.SecondsLeft == 0 || soft.SecondsLeft > 300 || soft.PacketsOut == 0 {
		w.t.Errorf("%+v", soft)
	}
	return soft
}

// TestFallBackToClearAndBack: a peer that does not speak IKE gets clear traffic after three seconds, not before, and in both directions; once it speaks, everything is
// protected, whoever begins. With nothing at its port the peer's system answers by ICMP, which is no reply; or something drops what comes to the port.
func TestFallBackToClearAndBack(t *testing.T) {
	for _, drops := range []bool{false, true} {
		for _, peerBegins := range []bool{false, true} {
			t.Run(fmt.Sprintf("UDP 500 dropped %v, the peer begins %v", drops, peerBegins), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				release := func() {}
				if drops {
					release = w.swallow()
				}
				ga := w.Goipsec(w.a, file(pairOf(1, fallBack)))
				capture := w.b.Capture("eth0")
				if n := w.b.Ping("10.1.0.1", 2, "-W", "1"); n != 0 {
					t.Errorf("%d clear pings were accepted before there was a soft SA", n)
				}
				w.fallsBack(ga, capture)
				if n := w.b.Ping("10.1.0.1", 3, lab.Patient...); n != 3 {
					t.Errorf("%d of 3 pings of the peer were answered under the soft SA", n)
				}
				if n := answersTCP(w); n != 1 {
					t.Error("no TCP connection under the soft SA")
				}
				release()
				gb := w.Goipsec(w.b, file(pairOf(2)))
				if peerBegins {
					w.Until(20*time.Second, "an answer to the peer", func() (bool, string) { return w.b.Ping("10.1.0.1", 1) == 1, traffic(gb.Status()) })
				} else {
					w.Until(80*time.Second, "the next attempt to protect the traffic", func() (bool, string) {
						w.a.Ping("10.1.0.2", 1, "-W", "1")
						return len(ga.Status().Children) > 0, traffic(ga.Status())
					})
				}
				w.Until(10*time.Second, "the soft SA to be replaced", func() (bool, string) { s := ga.Status(); return len(s.Soft) == 0, fmt.Sprintf("%+v", s.Soft) })
				from := len(capture.Frames())
				if n := w.a.Ping("10.1.0.2", 5, lab.Patient...); n != 5 {
					t.Errorf("%d of 5 pings were answered by the real SA; %s", n, traffic(ga.Status()))
				}
				if n := clearEchoes(capture.Frames()[from:]); n != 0 {
					t.Errorf("%d echoes were in clear although there is a real SA", n)
				}
				gb.Stop()
				raw := w.b.RawSender()
				from = len(capture.Frames())
				raw.Send(echo("10.1.0.2", "10.1.0.1", 77, 0))
				w.Never(time.Second, "an answer to a clear packet", func() (bool, string) { return answers(capture.Frames()[from:], 77) > 0, "" })
			})
		}
	}
}

// TestFallBackEndsWithItsLifetime: after the soft SA's time packets wait again until the peer's silence is proved anew.
func TestFallBackEndsWithItsLifetime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.swallow()
	ga := w.Goipsec(w.a, file(pairOf(1, "negotiate: {fallback_to_clear: {timeout: 1s, lifetime: 10s}}")))
	capture := w.b.Capture("eth0")
	ping := w.a.Start("ping", "ping", "-n", "-i", "0.2", "-w", "90", "10.1.0.2")
	defer ping.Kill()
	w.Until(60*time.Second, "two fall-backs", func() (bool, string) {
		s := ga.Status()
		return s.Statistics.MainMode.SoftAssociations >= 2, traffic(s)
	})
	if clearEchoes(capture.Frames()) == 0 || ga.Log.Count("soft SA is gone") < 1 {
		t.Errorf("%d lines say that the soft SA is gone", ga.Log.Count("soft SA is gone"))
	}
}

// TestFallBackNotWithAPeerThatReplies: another pre-shared key, or no common method, blocks: nothing is ever in clear.
func TestFallBackNotWithAPeerThatReplies(t *testing.T) {
	for name, peer := range map[string]string{
		"another key": "policy: test\nrules:\n  - {name: hosts, filters: [me <-> 10.1.0.1], negotiate: {}, auth: [{psk: \"another key of the tests, 0123456789\"}]}\n",
		"no method":   file(pairOf(2, "negotiate: {methods: [ah hmac-sha512-256]}")),
		"no filter":   file(rule("hosts", "me <-> 10.1.0.1 tcp 4242", "")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Goipsec(w.b, peer)
			ga := w.Goipsec(w.a, file(pairOf(1, fallBack)))
			capture := w.b.Capture("eth0")
			if n := w.a.Ping("10.1.0.2", 40, "-i", "0.25", "-w", "10"); n != 0 {
				t.Errorf("%d pings were answered", n)
			}
			s := ga.Status()
			if s.Statistics.MainMode.SoftAssociations != 0 || len(s.Soft) != 0 || len(s.Failures) == 0 {
				t.Errorf("soft SAs %+v, %d since the start; failures %+v", s.Soft, s.Statistics.MainMode.SoftAssociations, s.Failures)
			}
			if n := clearEchoes(capture.Stop()); n != 0 {
				t.Errorf("%d echoes were in clear", n)
			}
		})
	}
}

// swallow makes b drop what comes to the port of IKE, as a firewall on the way would, until it is released.
func (w *world) swallow() (release func()) {
	w.t.Helper()
	w.b.Inside(func() error {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{Port: 500})
		if err == nil {
			release = func() { c.Close() }
			w.t.Cleanup(release)
		}
		return err
	})
	return release
}

// answersTCP opens a connection from a to b and counts what came of it.
func answersTCP(w *world) int {
	var l net.Listener
	w.b.Inside(func() (err error) { l, err = net.Listen("tcp4", "10.1.0.2:4242"); return err })
	defer l.Close()
	opened := 0
	w.a.Inside(func() error {
		c, err := net.DialTimeout("tcp4", "10.1.0.2:4242", 5*time.Second)
		if err == nil {
			opened++
			c.Close()
		}
		return nil
	})
	return opened
}
