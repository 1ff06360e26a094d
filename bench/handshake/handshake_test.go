package handshake

import (
	"encoding/json"
	"errors"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// Every exchange comes about in every place, and the two ends agree (each place verifies).
func TestPlaces(t *testing.T) {
	for _, x := range exchanges() {
		x.filters = min(x.filters, 4*underWay)
		for _, pairs := range []int{1, 3} {
			used, err := inMemory(pairs)(t.Context(), x, 10)
			if err != nil || used.rate <= 0 || used.allocs <= 0 || used.bytes <= 0 {
				t.Errorf("%v, %d pairs: %+v, %v", x, pairs, used, err)
			}
		}
		if runtime.GOOS != "linux" {
			continue
		}
		for _, pairs := range []int{1, 3} {
			if used, err := overLoopback(pairs)(t.Context(), x, 3*underWay+1); err != nil || used.rate <= 0 || used.cpu <= 0 {
				t.Errorf("%v, %d pairs: %+v, %v", x, pairs, used, err)
			}
		}
		if used, err := overLoopback(3)(t.Context(), x, 2); err != nil || used.rate <= 0 { // fewer than there are pairs
			t.Errorf("%v: %+v, %v", x, used, err)
		}
	}
}

// What was negotiated is what the case says.
func TestExchangeIsWhatItSays(t *testing.T) {
	for _, x := range exchanges() {
		p, err := newPair(x)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		if err := p.negotiate(now, 1); err != nil {
			t.Fatal(err)
		}
		k := p[0].children[0].Protocols[0]
		if k.Encr != x.esp.Encr || k.KeyBits != 128 || k.Integ != x.esp.Integ {
			t.Errorf("%v: %v %d %v", x, k.Encr, k.KeyBits, k.Integ)
		}
		if list := p[1].engine.Peers(now); len(list) != 1 || list[0].Group != x.group || list[0].State != "established" {
			t.Errorf("%v: %+v", x, list)
		}
	}
}

// Ends that do not agree, or are fewer than were counted, are errors and no figure.
func TestVerifySeesWhatIsWrong(t *testing.T) {
	for name, damage := range map[string]func(p pair){
		"a key":             func(p pair) { p[1].children[1].Protocols[0].EncrIn[3] ^= 1 },
		"an SPI":            func(p pair) { p[0].children[0].Protocols[0].SPIIn++ },
		"no key":            func(p pair) { p[0].children[0].Protocols[0].EncrIn = nil },
		"a missing child":   func(p pair) { p[1].children = p[1].children[1:] },
		"the same twice":    func(p pair) { p[0].children[1] = p[0].children[0] },
		"a missing peer":    func(p pair) { p[0].peersUp-- },
		"another algorithm": func(p pair) { p[1].children[0].Protocols[0].KeyBits = 256 },
	} {
		p, err := newPair(exchanges()[0])
		if err != nil {
			t.Fatal(err)
		}
		for n := range 2 {
			if err := p.negotiate(time.Now(), n); err != nil {
				t.Fatal(err)
			}
		}
		if err := verify(p[0], p[1], 2); err != nil {
			t.Fatal(err)
		}
		damage(p)
		if verify(p[0], p[1], 2) == nil {
			t.Errorf("%s: verified", name)
		}
	}
}

// A failed negotiation is an error.
func TestFailureIsSeen(t *testing.T) {
	p, err := newPair(exchanges()[0])
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	p[0].begin(now, 0)
	lost := func(isakmp.Datagram) {}
	for range 60 { // nobody answers
		if err = p[0].drain(lost); err != nil {
			break
		}
		now = now.Add(time.Second)
		p[0].engine.Advance(now)
	}
	if err == nil || !strings.Contains(err.Error(), "no answer") {
		t.Error(err)
	}
}

// The peers are as many as can be asked for, all different, all within their network.
func TestPeers(t *testing.T) {
	seen := map[netip.Addr]bool{}
	for n := range capacity {
		a := peer(n)
		if seen[a] || !peers.Contains(a) {
			t.Fatalf("peer %d is %v", n, a)
		}
		seen[a] = true
	}
}

func TestRun(t *testing.T) {
	r, err := Run(t.Context(), Options{Exchanges: []string{"curve25519"}, Negotiations: 20, Rounds: 2})
	if err != nil {
		t.Fatal(err)
	}
	places := 2
	if runtime.GOOS == "linux" {
		places = 4
	}
	if len(r.Cases) != places || r.Schema != 1 || r.Machine.CPUs < 1 {
		t.Fatalf("%+v", r)
	}
	for _, c := range r.Cases {
		if len(c.Rate.Samples) != 2 || c.Rate.Min <= 0 || c.Group.Min <= 0 || len(c.CPU.Samples) != 2 {
			t.Errorf("%+v", c)
		}
	}
	var markdown, text strings.Builder
	if err := errors.Join(r.Markdown(&markdown), r.Text(&text)); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(markdown.String(), "\n|"); got != places+1 {
		t.Errorf("%d lines of a table:\n%s", got, &markdown)
	}
	if !strings.Contains(text.String(), "2 interleaved rounds of 20 negotiations") {
		t.Error(text.String())
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"unknown exchange": {Exchanges: []string{"rot13"}},
		"none":             {Negotiations: -1},
		"too many":         {Negotiations: capacity},
		"too few filters":  {Negotiations: 10_001},
		"no rounds":        {Rounds: -1},
	} {
		if _, err := Run(t.Context(), o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// go test -bench Negotiation -cpuprofile cpu.out ./bench/handshake shows where the time of both ends goes.
func BenchmarkNegotiation(b *testing.B) {
	for _, x := range exchanges() {
		b.Run(x.name, func(b *testing.B) {
			var p pair
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if n %= 2000; n == 0 {
					b.StopTimer()
					var err error
					if p, err = newPair(x); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
				if err := p.negotiate(time.Now(), n); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkArithmetic(b *testing.B) {
	for _, x := range exchanges() {
		b.Run(x.name, func(b *testing.B) {
			for b.Loop() {
				if err := x.arithmetic(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
