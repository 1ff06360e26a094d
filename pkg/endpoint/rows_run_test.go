package endpoint

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// Rows of the security catalogue about starting, running and ending.

// TestO3PolicyThatNeedsABrokenAlgorithm: an algorithm that failed its self-test stops an endpoint whose policy names it anywhere, and no other.
func TestO3PolicyThatNeedsABrokenAlgorithm(t *testing.T) {
	const missing = 9999 // as good as disabled: nothing describes it
	failed := []error{errors.New("aes-xyz is disabled, because its self-test failed")}
	good := policy.Method{ESP: &policy.ESPMethod{Encr: suite.AESGCM16, KeyBits: 128}}
	rule := func(m policy.Method, pfs suite.Group) []*policy.Rule {
		return []*policy.Rule{{Name: "r", Action: policy.FilterAction{Kind: policy.Negotiate, Methods: []policy.Method{m}, PFS: pfs}}}
	}
	main := func(m policy.MainModeMethod) policy.KeyExchange {
		return policy.KeyExchange{Methods: []policy.MainModeMethod{m}}
	}
	goodMain := policy.MainModeMethod{Encr: suite.AESCBC, KeyBits: 128, Hash: suite.SHA256, Group: suite.Curve25519}
	for name, c := range map[string]struct {
		p   policy.Policy
		bad bool
	}{
		"nothing of it":  {policy.Policy{Rules: rule(good, 0), KeyExchange: main(goodMain)}, false},
		"ESP cipher":     {policy.Policy{Rules: rule(policy.Method{ESP: &policy.ESPMethod{Encr: missing}}, 0), KeyExchange: main(goodMain)}, true},
		"ESP integrity":  {policy.Policy{Rules: rule(policy.Method{ESP: &policy.ESPMethod{Encr: suite.AESCBC, Integ: missing}}, 0), KeyExchange: main(goodMain)}, true},
		"AH":             {policy.Policy{Rules: rule(policy.Method{AH: &policy.AHMethod{Integ: missing}}, 0), KeyExchange: main(goodMain)}, true},
		"PFS group":      {policy.Policy{Rules: rule(good, missing), KeyExchange: main(goodMain)}, true},
		"IKE cipher":     {policy.Policy{Rules: rule(good, 0), KeyExchange: main(policy.MainModeMethod{Encr: missing, Hash: suite.SHA256, Group: suite.Curve25519})}, true},
		"IKE hash":       {policy.Policy{Rules: rule(good, 0), KeyExchange: main(policy.MainModeMethod{Encr: suite.AESCBC, Hash: missing, Group: suite.Curve25519})}, true},
		"IKE group":      {policy.Policy{Rules: rule(good, 0), KeyExchange: main(policy.MainModeMethod{Encr: suite.AESCBC, Hash: suite.SHA256, Group: missing})}, true},
		"only permitted": {policy.Policy{Rules: []*policy.Rule{{Name: "r", Action: policy.FilterAction{Kind: policy.Permit}}}, KeyExchange: main(policy.MainModeMethod{Encr: missing})}, false},
	} {
		log := &logBuffer{}
		err := judgeSelfTest(&c.p, failed, slog.New(slog.NewTextHandler(log, nil)))
		if (err != nil) != c.bad {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(log.String(), "aes-xyz") || !strings.Contains(log.String(), "level=ERROR") {
			t.Errorf("%s: it was not loud: %s", name, log.String())
		}
		if err := judgeSelfTest(&c.p, nil, slog.New(slog.DiscardHandler)); err != nil {
			t.Errorf("%s: without a failed self-test: %v", name, err)
		}
	}
}

// TestO4LogRate: however many events others cause, the log grows at a constant rate, and the count of what was left out is exact.
func TestO4LogRate(t *testing.T) {
	b := &logBuffer{}
	l := slog.New(slog.NewTextHandler(b, nil))
	var g logGate
	now := time.Unix(1_700_000_000, 0)
	const events, seconds = 1_000_000, 20
	for i := range events {
		g.log(l, now.Add(time.Duration(i)*seconds*time.Second/events), slog.LevelWarn, "bad packet", "from", "203.0.113.9")
	}
	g.log(l, now.Add(time.Hour), slog.LevelWarn, "bad packet")
	said, left := 0, 0
	for line := range strings.Lines(b.String()) {
		n := 0
		if strings.Contains(line, "bad packet") {
			said++
		} else if _, err := fmt.Sscanf(line[strings.Index(line, "lines=")+len("lines="):], "%d", &n); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		left += n
	}
	if said > maxLines*seconds+1 || said+left != events+1 {
		t.Errorf("%d lines and %d left out of %d", said, left, events+1)
	}
}

// TestO4CountersAreExactUnderAFlood sends bad packets of many kinds at an endpoint: each is in a counter, and the log stays short.
func TestO4CountersAreExactUnderAFlood(t *testing.T) {
	e := ikePair(t)
	e.connect(t)
	carry(t, e.a, e.b, "10.1.0.5", "10.2.0.5")
	attacker := e.wire.Attach(netip.MustParseAddrPort("192.0.2.1:7777"))
	before := e.b.Status()
	lines := strings.Count(e.b.log.String(), "\n")
	const each = 3000
	ike := make([]byte, 4+60) // behind the marker: no cookie, no version
	esp := append([]byte{9, 9, 9, 9}, make([]byte, 60)...)
	for _, data := range [][]byte{{0xff}, {1, 2, 3}, esp, ike} {
		for range each {
			if _, err := attacker.WriteBatch([]netio.Message{{Buf: data, N: len(data), Remote: netip.AddrPortFrom(outerB, 4500)}}); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, func() bool {
			s := e.b.Status()
			d := func(name string) uint64 { return s.Drops[name] - before.Drops[name] }
			refused := s.IKE.Refused["malformed"] - before.IKE.Refused["malformed"]
			got := map[int]uint64{1: d("keepalive"), 3: d("runt"), 64: d("unknown-spi")}[len(data)]
			if data[0] == 0 {
				got = refused + d("control-busy")
			}
			return got == each
		})
	}
	// The log is bounded to so many lines a second, and on a slow machine the flood takes several.
	took := int(e.b.Status().Now.Sub(before.Now).Seconds()) + 1
	if n := strings.Count(e.b.log.String(), "\n") - lines; n > 4*maxLines*took {
		t.Errorf("%d lines of log in %d s", n, took)
	}
	carry(t, e.b, e.a, "10.2.0.5", "10.1.0.5")
}

// TestO1F11TimesAreMonotonic: what the endpoint measures with carries a monotonic reading, so that steps of the wall clock change nothing.
func TestO1F11TimesAreMonotonic(t *testing.T) {
	e := ikePair(t)
	e.connect(t)
	if err := e.a.do(func(now time.Time) {
		if !strings.Contains(now.String(), " m=") || !strings.Contains(e.a.started.String(), " m=") {
			t.Errorf("no monotonic reading: %v, %v", now, e.a.started)
		}
		for _, c := range e.a.children {
			if !strings.Contains(c.since.String(), " m=") {
				t.Errorf("a child since %v", c.since)
			}
		}
		if d := e.a.engine.Deadline(); !d.IsZero() && !strings.Contains(d.String(), " m=") {
			t.Errorf("the key exchange waits for a time of the wall clock: %v", d)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// TestF18CloseDuringEveryOperation stops an endpoint while commands, traffic and a reload are under way, with one, two and eight processors: all of them
// return, nothing hangs.
func TestF18CloseDuringEveryOperation(t *testing.T) {
	for round := range 6 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS([]int{1, 2, 8}[round/2]))
			e := ikePair(t)
			if round%2 == 0 {
				e.connect(t)
			}
			operations := []func(){
				func() { _ = e.a.Connect(t.Context(), "to-2") },
				func() { e.a.Status() },
				func() { _, _ = e.a.Reload() },
				func() { _ = e.a.Rekey(firstID(e.a)) },
				func() { _ = e.a.Delete(firstID(e.a)) },
				func() { _, _ = e.a.Explain(Question{Src: outerA, Dst: outerB}) },
				func() { _ = e.a.host.Send(datagram("10.1.0.5", "10.2.0.5", make([]byte, 100))) },
				func() { _ = e.b.host.Send(datagram("10.2.0.5", "10.1.0.5", make([]byte, 100))) },
			}
			begun, ended := make(chan struct{}, 1024), make(chan struct{})
			for _, op := range operations {
				go func() {
					for range 10 + 10*round {
						op()
						select {
						case begun <- struct{}{}:
						default:
						}
					}
					ended <- struct{}{}
				}()
			}
			for range 5 + 20*round {
				<-begun
			}
			e.a.Stop()
			<-e.a.done
			e.a.Stop()
			for range operations {
				<-ended
			}
		})
	}
}

func firstID(x *end) string {
	if c := x.Status().Children; len(c) > 0 {
		return fmt.Sprint(c[0].ID)
	}
	return "1"
}
