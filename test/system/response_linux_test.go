package system

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/test/interop/lab"
)

// respondOnly is a policy that has nothing but the default response rule.
const respondOnly = "policy: client\ndefault_response: {auth: [{psk: \"" + psk + "\"}]}\n"

// everybody is a server that wants everything protected, and accepts a first packet in clear.
const everybody = "policy: server\nrules:\n  - {name: everybody, filters: [me <-> any], negotiate: {inbound_passthrough: true}, auth: [{psk: \"" + psk + "\"}]}\n"

// TestDefaultResponseAndPassthrough: a client with the default response rule only calls a server that asks for protection but accepts clear packets. The client's packet
// arrives in clear, the server's answer begins a negotiation, the client answers it and makes a dynamic filter; from then on everything is protected in both directions.
func TestDefaultResponseAndPassthrough(t *testing.T) {
	for _, family := range []struct{ name, client, server string }{{"IPv4", "10.1.0.2", "10.1.0.1"}, {"IPv6", "fd01::2", "fd01::1"}} {
		t.Run(family.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			server := w.Goipsec(w.a, everybody)
			client := w.Goipsec(w.b, respondOnly)
			capture := w.b.Capture("eth0")
			w.Until(20*time.Second, "an answer", func() (bool, string) {
				return w.b.Ping(family.server, 1) == 1, traffic(client.Status()) + traffic(server.Status())
			})
			from := len(capture.Frames())
			if n := w.b.Ping(family.server, 5, lab.Patient...) + w.a.Ping(family.client, 5, lab.Patient...); n != 10 {
				t.Errorf("%d of 10 pings were answered", n)
			}
			w.onlyProtected(capture.Frames()[from:], family.client, family.server)
			s := client.Status()
			if len(s.Dynamic) != 1 || s.Dynamic[0].SAs < 1 || s.Dynamic[0].Selector.RemoteFrom.String() != family.server || s.Dynamic[0].Selector.LocalFrom.String() != family.client {
				t.Fatalf("dynamic filters %+v", s.Dynamic)
			}
			if text := client.Must("status"); !strings.Contains(text, "dynamic filters of the default response rule: 1") {
				t.Error(text)
			}
			if text := client.Must(fmt.Sprintf("policy explain %s %s tcp 80", family.client, family.server)); !strings.Contains(text, "dynamic filter") || !strings.Contains(text, "SA ") {
				t.Error(text)
			}
			// The guard refuses clear packets of the peer now.
			raw, back := w.a.RawSender(), w.a.Capture("eth0")
			at := len(back.Frames())
			raw.Send(echo(family.server, family.client, 77, 0))
			w.Never(time.Second, "an answer to a clear packet", func() (bool, string) { return answers(back.Frames()[at:], 77) > 0, "" })
			// A reload that keeps the default response rule keeps filter and SAs.
			spi := newest(t, client).Protocols[0].SPIIn
			client.Must("reload")
			from = len(capture.Frames())
			if n := w.b.Ping(family.server, 3, lab.Patient...); n != 3 || newest(t, client).Protocols[0].SPIIn != spi {
				t.Errorf("after the reload %d of 3 pings were answered", n)
			}
			w.onlyProtected(capture.Frames()[from:], family.client, family.server)
			// One without it ends them: the client's packets are in clear again.
			client.Write("policy: client\nrules: []\n")
			client.Must("reload")
			if s := client.Status(); len(s.Dynamic)+len(s.Children) != 0 {
				t.Errorf("%+v %+v", s.Dynamic, s.Children)
			}
		})
	}
}

// onlyProtected checks that what two hosts exchanged is ESP and IKE, and that there is something.
func (w *world) onlyProtected(frames []lab.Frame, a, b string) {
	w.t.Helper()
	esp := 0
	for i := range frames {
		f := &frames[i]
		if src, dst := f.Src.String(), f.Dst.String(); src != a && src != b || dst != a && dst != b {
			continue
		}
		switch {
		case f.Protocol == 50:
			esp++
		case f.Protocol == 17 && (f.SrcPort == 500 || f.DstPort == 500 || f.SrcPort == 4500 || f.DstPort == 4500):
		case f.Protocol == 58 && len(f.Payload) > 0 && f.Payload[0] >= 133 && f.Payload[0] <= 137:
		default:
			w.t.Errorf("in clear: %v", f)
		}
	}
	if esp == 0 {
		w.t.Error("there is no ESP: the test is wrong")
	}
}

// TestP19NobodyIsAnsweredWithoutADefaultResponseRule: the same without the rule on the client: it gives no answer, and no dynamic filter is made.
func TestP19NobodyIsAnsweredWithoutADefaultResponseRule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Goipsec(w.a, everybody)
	client := w.Goipsec(w.b, "policy: client\nrules: []\n")
	capture := w.b.Capture("eth0")
	if n := w.b.Ping("10.1.0.1", 5); n != 0 {
		t.Errorf("%d pings were answered", n)
	}
	for _, f := range capture.Stop() {
		if f.Protocol == 17 && f.Src.String() == "10.1.0.2" {
			t.Errorf("an answer: %v", f)
		}
	}
	if s := client.Status(); s.IKE.Refused["uncovered"] == 0 || len(s.Dynamic) != 0 {
		t.Errorf("%+v %+v", s.IKE, s.Dynamic)
	}
}

// TestExplicitFiltersGoBeforeDynamicOnes: the client permits one port in clear; that stays so under a dynamic filter for everything.
func TestExplicitFiltersGoBeforeDynamicOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := w.Goipsec(w.a, everybody)
	client := w.Goipsec(w.b, respondOnly+"rules: [{name: log, filters: [me <-> any udp 514], action: permit}]\n")
	w.Until(20*time.Second, "an answer", func() (bool, string) {
		return w.b.Ping("10.1.0.1", 1) == 1, traffic(client.Status()) + traffic(server.Status())
	})
	capture := w.a.Capture("eth0")
	w.b.Run("echo hello | timeout 20 bash -c 'cat > /dev/udp/10.1.0.1/514'")
	if f, ok := capture.Await(20*time.Second, 0, func(f *lab.Frame) bool { return f.Protocol == 17 && f.DstPort == 514 }); !ok {
		t.Error("the permitted packet is not in clear")
	} else if f.Src.String() != "10.1.0.2" {
		t.Error(f)
	}
	if s := client.Status(); s.Traffic.Permitted != 1 || len(s.Dynamic) != 1 {
		t.Errorf("%s; %+v", traffic(s), s.Dynamic)
	}
}
