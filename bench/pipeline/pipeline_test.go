package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/bench/measure"
)

func mustLoad(t testing.TB, k Kind, size int) *load {
	l, err := newLoad(k, size)
	if err != nil {
		t.Fatal(err)
	}
	return &l
}

// Every packet that a rig sends is sealed and delivered, byte for byte (newRig and verify see to it), whatever the suite, the SAs, the kind, the size and
// the number, and without allocations.
func TestRigMovesEveryPacket(t *testing.T) {
	for _, p := range protections() {
		for _, c := range []struct {
			kind  Kind
			sas   int
			sizes []int
		}{{Datagrams, 1, []int{64, 65, 700, mtu}}, {Datagrams, 300, []int{64, mtu}}, {Superpackets, 1, []int{superSize}}, {Superpackets, 5, []int{superSize}}} {
			r, err := newRig(p, c.kind, c.sas)
			if err != nil {
				t.Fatalf("%s, %d SAs, %s: %v", p.name, c.sas, c.kind, err)
			}
			for _, size := range c.sizes {
				l := mustLoad(t, c.kind, size)
				what := fmt.Sprintf("%s, %d SAs, %s of %d bytes", p.name, c.sas, c.kind, size)
				if err := r.verify(l, 2*c.sas+1); err != nil {
					t.Errorf("%s: %v", what, err)
				}
				for _, n := range []int{1, batch, batch + 1, 1000} {
					n = l.whole(n)
					if took, err := r.out(l, n); err != nil || took <= 0 {
						t.Errorf("%s, %d packets out: %v, %v", what, n, took, err)
					}
					if took, err := r.in(l, n); err != nil || took <= 0 {
						t.Errorf("%s, %d packets in: %v, %v", what, n, took, err)
					}
				}
				n := l.whole(1024)
				for name, run := range map[string]func(*load, int) (time.Duration, error){"out": r.out, "in": r.in} {
					// Two are the job's own; a packet costs none, nor does a batch.
					if got := testing.AllocsPerRun(4, func() { run(l, n) }); got > 4 && !raceDetector {
						t.Errorf("%s, %s: %v allocations for %d packets", what, name, got, n)
					}
				}
			}
			if drops := r.plane.Counters().Drops(); len(drops) != 0 {
				t.Errorf("%s: %v", p.name, drops)
			}
			if err := r.close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// A measurement of packets that go nowhere, or come out changed, is an error and no figure.
func TestRigSeesWhatIsWrong(t *testing.T) {
	for _, k := range Kinds() {
		r, err := newRig(protections()[0], k, 3)
		if err != nil {
			t.Fatal(err)
		}
		defer r.close()
		l := mustLoad(t, k, 100)
		before := r.device.turns
		r.device.turns = turns{order: []int32{77}} // of an SA that is not there: permitted, and there is no way
		if _, err := r.out(l, l.whole(10)); err == nil || !strings.Contains(err.Error(), " 0 were sealed") {
			t.Error(k, err)
		}
		r.device.turns = before
		seal := r.socket.seal
		r.socket.seal = func(b []byte, i int, d []byte) int {
			n := seal(b, i, d)
			b[n-1] ^= 1
			return n
		}
		if _, err := r.in(l, l.whole(10)); err == nil || !strings.Contains(err.Error(), " 0 were delivered") {
			t.Error(k, err)
		}
		r.socket.seal = func(b []byte, i int, d []byte) int {
			d = slices.Clone(d)
			d[len(d)-1] ^= 1 // which nothing on the way of a datagram looks at
			return seal(b, i, d)
		}
		if err := r.verify(l, 10); err == nil {
			t.Errorf("a rig that delivers other %s was verified", k)
		}
		r.socket.seal = seal
		if err := r.verify(l, 10); err != nil {
			t.Error(k, err)
		}
		r.outbound[0], r.outbound[1], r.outbound[2] = r.outbound[1], r.outbound[2], r.outbound[0]
		if _, err := r.in(l, l.whole(10)); err == nil || !strings.Contains(err.Error(), " 0 were delivered") {
			t.Error("packets that came by another's SA:", k, err)
		}
	}
}

// The meter counts the time between reads and not that within them.
func TestMeter(t *testing.T) {
	m := newMeter()
	took, began := make(chan time.Duration), time.Now()
	go func() { took <- m.run(&load{size: 99}, batch+5) }()
	for _, want := range []int{batch + 5, 5} {
		n, ok := m.next()
		if !ok || n != want || m.now.size != 99 {
			t.Fatalf("%d, %v", n, ok)
		}
		m.start(min(n, batch))
		m.since = m.since.Add(-time.Second) // as if a second went by
	}
	close(m.ended)
	if _, ok := m.next(); ok {
		t.Error("packets after the end")
	}
	if d := <-took; d < 2*time.Second || d > 2*time.Second+time.Since(began) { // what this test itself takes may be counted, and on a busy machine is no moment
		t.Errorf("packets took %v", d)
	}
}

// A datagram that is given the addresses of another SA keeps its checksums.
func TestAddress(t *testing.T) {
	for _, i := range []int{0, 1, 255, 256, 65_535, 65_536, 99_999, maxSAs - 1} {
		for _, out := range []bool{true, false} {
			super := superpacket()
			address(super, i, out)
			want, err := cut(super, segment)
			if err != nil {
				t.Fatal(err)
			}
			got, err := cut(superpacketLike(super), segment)
			if err != nil || len(got) != segments {
				t.Fatal(err)
			}
			for j := range got {
				address(got[j], i, out)
				if !slices.Equal(got[j], want[j]) {
					t.Fatalf("SA %d, %v, datagram %d", i, out, j)
				}
			}
		}
	}
}

// superpacketLike is a superpacket with the addresses of the first SA.
func superpacketLike(super []byte) []byte {
	super = slices.Clone(super)
	address(super, 0, true)
	return super
}

func TestRun(t *testing.T) {
	o := Options{SAs: []int{1, 30, few + 1}, Suites: Suites()[:2], Packets: 300, Rounds: 3}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range r.Cases {
		if c.Cipher != Standard && c.Cipher != Vector {
			t.Errorf("%s: cipher %q", c.Suite, c.Cipher)
		}
		got = append(got, fmt.Sprint(c.Suite, " ", c.SAs, " ", c.bytes()))
		for _, w := range []Way{c.Out, c.In} {
			for _, s := range []measure.Spread{w.Path, w.Raw, w.Ratio} {
				if len(s.Samples) != 3 || s.Min <= 0 || s.Median < s.Min || s.Max < s.Median {
					t.Errorf("%s, %d bytes: %+v", c.Suite, c.Size, w)
				}
			}
		}
	}
	var want []string
	for _, s := range Suites()[:2] {
		for _, c := range []string{"1 64", "1 512", "1 1420", "1 45 × 1400", "30 64", "30 512", "30 1420", "1001 64", "1001 512", "1001 1420"} {
			want = append(want, s+" "+c)
		}
	}
	if !slices.Equal(got, want) || r.Schema != 2 || r.Machine.CPUs < 1 {
		t.Errorf("%q\nwant %q\n%+v", got, want, r.Machine)
	}
	var markdown, text strings.Builder
	if err := errors.Join(r.Markdown(&markdown), r.Text(&text)); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(markdown.String(), "\n|"); got != 21 { // a head before them, a rule, twenty rows
		t.Errorf("%d lines of a table:\n%s", got, &markdown)
	}
	if !strings.Contains(text.String(), "3 interleaved rounds of 300 packets") {
		t.Error(text.String())
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

// What is measured without a choice: everything, and rigs of many SAs one at a time.
func TestGroups(t *testing.T) {
	o, err := Options{}.complete()
	if err != nil {
		t.Fatal(err)
	}
	groups := o.groups()
	if len(groups) != 1+len(Suites()) || len(groups[0]) != 2*len(Suites()) {
		t.Fatalf("%d groups, %d subjects in the first", len(groups), len(groups[0]))
	}
	for _, g := range groups[1:] {
		if len(g) != 1 || g[0].sas != 100_000 || g[0].kind != Datagrams {
			t.Errorf("%+v", g)
		}
	}
}

func TestOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"unknown suite": {Suites: []string{"rot13"}},
		"unknown kind":  {Kinds: []Kind{"jumbograms"}},
		"too small":     {Sizes: []int{63}},
		"too large":     {Sizes: []int{mtu + 1}},
		"no SAs":        {SAs: []int{0}},
		"too many SAs":  {SAs: []int{maxSAs + 1}},
		"no packets":    {Packets: -1},
		"no rounds":     {Rounds: -1},
	} {
		if _, err := Run(t.Context(), o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Options{Packets: 1, Rounds: 1, Sizes: []int{64}}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// go test -bench Path -cpuprofile cpu.out ./bench/pipeline shows where a packet's time goes. Making the packets of the inbound path is in the profile, too, but
// not in the figure.
func BenchmarkPath(b *testing.B) {
	for _, p := range protections() {
		for _, c := range []struct {
			name string
			kind Kind
			size int
			sas  int
		}{{"small", Datagrams, 64, 1}, {"large", Datagrams, mtu, 1}, {"super", Superpackets, superSize, 1}, {"many", Datagrams, 64, 100_000}} {
			b.Run(strings.ReplaceAll(p.name, " ", "+")+"/"+c.name, func(b *testing.B) {
				r, err := newRig(p, c.kind, c.sas)
				if err != nil {
					b.Fatal(err)
				}
				l := mustLoad(b, c.kind, c.size)
				for name, run := range map[string]func(*load, int) (time.Duration, error){"out": r.out, "in": r.in} {
					b.Run(name, func(b *testing.B) {
						n := l.whole(b.N)
						took, err := run(l, n)
						if err != nil {
							b.Fatal(err)
						}
						b.ReportMetric(float64(took.Nanoseconds())/float64(n), "ns/packet")
					})
				}
				if err := r.close(); err != nil {
					b.Error(err)
				}
			})
		}
	}
}
