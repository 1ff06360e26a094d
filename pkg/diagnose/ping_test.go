package diagnose

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/ike"
	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// TestBisectionFindsTheLargestSize for every size from the smallest to the largest, in few steps.
func TestBisectionFindsTheLargestSize(t *testing.T) {
	for largest := 84; largest <= 1500; largest++ {
		steps := 0
		got, err := bisect(84, 1500, func(size int) (bool, error) { steps++; return size <= largest, nil })
		if got != largest || err != nil || steps > 13 {
			t.Fatalf("%d (%v) in %d steps, want %d", got, err, steps, largest)
		}
	}
	broken := errors.New("no socket")
	if _, err := bisect(84, 1500, func(int) (bool, error) { return false, broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// hostRule is a policy for one peer.
func hostRule(t *testing.T) *policy.Compiled {
	t.Helper()
	rule := &policy.Rule{Name: "hosts", Action: policy.FilterAction{Kind: policy.Negotiate, Methods: []policy.Method{{AH: &policy.AHMethod{Integ: suite.HMACSHA256_128}}}},
		Filters: []policy.GenericFilter{{Src: policy.AddrSpec{Kind: policy.Me}, Dst: policy.AddrSpec{Kind: policy.Host, Range: isakmp.Range{From: theirs, To: theirs}}, Mirrored: true}},
		Auth:    []policy.AuthMethod{{Kind: policy.PSK, PSK: policy.NewSecret([]byte("a key that nobody else knows"))}}}
	c, err := policy.Compile(&policy.Policy{Name: "p", Rules: []*policy.Rule{rule},
		KeyExchange: policy.KeyExchange{Methods: []policy.MainModeMethod{{Encr: suite.AESCBC, KeyBits: 128, Hash: suite.SHA256, Group: suite.MODP2048}}}}, []netip.Addr{ours})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var ours, theirs = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")

// TestTheProbeIsAnsweredWithoutATrace: the engine answers the IKEv2 question although it speaks IKEv1 only, and keeps nothing; it answers the IKEv1 one too. A
// stranger gets no answer (security.md P19), and an answer to another question is none.
func TestTheProbeIsAnsweredWithoutATrace(t *testing.T) {
	var e *ike.Engine
	answers := func(from netip.Addr, m []byte) (list [][]byte) {
		now := time.Unix(1_700_000_000, 0)
		e.Receive(now, isakmp.Datagram{Local: netip.AddrPortFrom(ours, 500), Remote: netip.AddrPortFrom(from, 500), Data: m})
		for {
			ev, ok := e.Next()
			if !ok {
				return list
			}
			if out, ok := ev.(isakmp.Transmit); ok {
				list = append(list, out.Data)
			}
		}
	}
	for _, marker := range []bool{false, true} {
		var err error
		if e, err = ike.New(ike.Config{Rand: rand.Reader, Policy: hostRule(t), NewSPI: func(suite.Protocol, int) (uint32, error) { return 4711, nil }}); err != nil {
			t.Fatal(err)
		}
		q, err := newQuestion(marker)
		if err != nil {
			t.Fatal(err)
		}
		other, _ := newQuestion(marker)
		for n, m := range q.round(1) {
			bare := m
			if marker {
				if !bytes.Equal(m[:4], make([]byte, 4)) {
					t.Fatalf("no marker: %x", m[:4])
				}
				bare = m[4:]
			}
			if len(m) > 1472-20 {
				t.Errorf("%d bytes may have to be fragmented", len(m))
			}
			if list := answers(netip.MustParseAddr("203.0.113.9"), bare); len(list) != 0 {
				t.Errorf("a stranger is answered: %x", list)
			}
			list := answers(theirs, bare)
			if len(list) != 1 {
				t.Fatalf("message %d: %d answers", n, len(list))
			}
			answer := list[0]
			if marker {
				answer = append(make([]byte, 4), answer...)
			}
			if text, ok := q.answered(answer); !ok || text != "it speaks IKEv1" {
				t.Errorf("message %d: %q, %v", n, text, ok)
			}
			if _, ok := other.answered(answer); ok {
				t.Error("an answer to another question counts")
			}
			if n == 0 && e.Stats().HalfOpen != 0 {
				t.Error("the IKEv2 question left a half-open entry")
			}
		}
	}
}

// endpointOf plays a running endpoint: what Status says before and after Connect.
type endpointOf struct {
	before, after endpoint.Status
	connected     bool
	err           error
}

func (e *endpointOf) Status(context.Context) (endpoint.Status, error) {
	if e.connected {
		return e.after, nil
	}
	return e.before, nil
}

func (e *endpointOf) Connect(context.Context, string) error { e.connected = true; return e.err }

// TestAFailureIsBlamedOnItsStage by what the endpoint says, and where it says nothing by how far it has come. Failures from before do not count.
func TestAFailureIsBlamedOnItsStage(t *testing.T) {
	began := time.Unix(1000, 0)
	failure := func(stage string, at time.Time) endpoint.Status {
		return endpoint.Status{Failures: []endpoint.Failure{{Time: at, Remote: netip.AddrPortFrom(theirs, 500), Stage: stage, What: "it failed in " + stage, Next: "do this"}}}
	}
	established := endpoint.Status{Peers: []endpoint.Peer{{Remote: netip.AddrPortFrom(theirs, 500)}}}
	for _, c := range []struct {
		name  string
		after endpoint.Status
		layer string
		says  string
	}{
		{"main mode", failure("main-mode", began), LayerMainMode, "it failed in main-mode"},
		{"authentication", failure("authentication", began), LayerAuthentication, "it failed in authentication"},
		{"quick mode", failure("quick-mode", began.Add(time.Second)), LayerQuickMode, "it failed in quick-mode"},
		{"old failure", failure("quick-mode", began.Add(-time.Second)), LayerMainMode, "has not ended in time"},
		{"nothing but a main-mode SA", established, LayerQuickMode, "has not ended in time"},
		{"nothing at all", endpoint.Status{}, LayerMainMode, "has not ended in time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			compiled := hostRule(t)
			e := &endpointOf{before: endpoint.Status{Now: began}, after: c.after, err: context.DeadlineExceeded}
			p := &pinger{PingOptions: &PingOptions{Target: "hosts", Policy: compiled, Endpoint: e, Timeout: time.Minute}, local: ours}
			p.status = e.before
			if !p.resolution(t.Context()) || p.negotiation(t.Context()) {
				t.Fatalf("%+v", p.trace)
			}
			p.trace.skipRest("needs another")
			p.trace.finish()
			f := p.trace.FirstFailure()
			if f == nil || f.Name != c.layer || !strings.Contains(f.What, c.says) {
				t.Errorf("%+v, want %s: %s", f, c.layer, c.says)
			}
			for _, other := range p.trace.Layers {
				if other.Name == LayerMainMode && c.layer != LayerMainMode && other.State != OK {
					t.Errorf("%+v", other)
				}
			}
		})
	}
}

// TestASoftSAIsNoted: where the rule falls back to clear, the failure says that its traffic flows unprotected.
func TestASoftSAIsNoted(t *testing.T) {
	e := &endpointOf{after: endpoint.Status{Soft: []endpoint.SoftSA{{Rule: "hosts"}}}, err: context.DeadlineExceeded}
	p := &pinger{PingOptions: &PingOptions{Target: "hosts", Policy: hostRule(t), Endpoint: e, Timeout: time.Minute}, local: ours}
	if !p.resolution(t.Context()) || p.negotiation(t.Context()) {
		t.Fatalf("%+v", p.trace)
	}
	p.trace.finish()
	p.noteClear()
	if f := p.trace.FirstFailure(); f == nil || !strings.Contains(f.Why, "flows unprotected") {
		t.Errorf("%+v", f)
	}
}

// TestATraceIsToldInWords with causes and next steps under what failed.
func TestATraceIsToldInWords(t *testing.T) {
	var tr Trace
	tr.Target, tr.Peer = "office", "192.0.2.2"
	tr.ok(LayerResolution, "found")
	tr.failed(LayerRoute, "no way", "two\nlines", "do this")
	tr.ok(LayerRoute, "a second word on a layer does not count")
	tr.skipRest("needs route")
	tr.finish()
	var b strings.Builder
	if err := tr.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"office, peer 192.0.2.2\n", "failed   route           no way\n                         cause: two\n                                lines\n                         next:  do this\n",
		"skipped  path-mtu        needs route\n", "the first layer that fails: route\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("without %q:\n%s", want, &b)
		}
	}
	if tr.ExitCode != 11 || len(tr.Layers) != len(Layers) {
		t.Errorf("%+v", tr)
	}
}
