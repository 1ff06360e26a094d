package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/bench/measure"
)

// Every packet that a rig sends is sealed and delivered, byte for byte (newRig verifies), whatever the suite, the size and the number.
func TestRigMovesEveryPacket(t *testing.T) {
	for _, p := range protections() {
		for _, size := range []int{64, 65, 700, mtu} {
			r, err := newRig(p, size)
			if err != nil {
				t.Fatalf("%s, %d bytes: %v", p.name, size, err)
			}
			for _, n := range []int{1, batch, batch + 1, 1000} {
				if took, err := r.out(n); err != nil || took <= 0 {
					t.Errorf("%s, %d bytes, %d packets out: %v, %v", p.name, size, n, took, err)
				}
				if took, err := r.in(n); err != nil || took <= 0 {
					t.Errorf("%s, %d bytes, %d packets in: %v, %v", p.name, size, n, took, err)
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
	r, err := newRig(protections()[0], 100)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	good := r.device.packet
	bad := append([]byte(nil), good...)
	bad[16] = 99 // a destination that no filter is about: permitted, and there is no way
	r.device.packet = bad
	if _, err := r.out(10); err == nil || !strings.Contains(err.Error(), "0 were sealed") {
		t.Error(err)
	}
	r.device.packet = good
	seal := r.socket.seal
	r.socket.seal = func(b []byte) int {
		n := seal(b)
		b[n-1] ^= 1
		return n
	}
	if _, err := r.in(10); err == nil || !strings.Contains(err.Error(), "0 were delivered") {
		t.Error(err)
	}
	r.socket.seal = seal
	other := random(len(good))
	copy(other, good[:20])
	opened := r.socket.seal
	r.socket.seal = func(b []byte) int { opened(b); return copy(b, other) } // ESP of an unknown SA
	if err := r.verify(); err == nil {
		t.Error("a rig that delivers nothing was verified")
	}
}

// The meter counts the time between reads and not that within them.
func TestMeter(t *testing.T) {
	m := newMeter()
	took := make(chan time.Duration)
	go func() { took <- m.run(batch + 5) }()
	total := 0
	for _, want := range []int{batch, 5} {
		n, ok := m.next()
		if !ok || n != want {
			t.Fatalf("%d, %v", n, ok)
		}
		total += n
		m.start()
		m.since = m.since.Add(-time.Second) // as if a second went by
	}
	close(m.ended)
	if _, ok := m.next(); ok {
		t.Error("packets after the end")
	}
	if d := <-took; d < 2*time.Second || d > 2*time.Second+500*time.Millisecond {
		t.Errorf("%d packets took %v", total, d)
	}
}

func TestRun(t *testing.T) {
	r, err := Run(t.Context(), Options{Packets: 300, Rounds: 3})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Cases) != 6 || r.Schema != 1 || r.Machine.CPUs < 1 {
		t.Fatalf("%+v", r)
	}
	for _, c := range r.Cases {
		for _, w := range []Way{c.Out, c.In} {
			for _, s := range []measure.Spread{w.Path, w.Raw, w.Ratio} {
				if len(s.Samples) != 3 || s.Min <= 0 || s.Median < s.Min || s.Max < s.Median {
					t.Errorf("%s, %d bytes: %+v", c.Suite, c.Size, w)
				}
			}
		}
	}
	var markdown, text strings.Builder
	if err := errors.Join(r.Markdown(&markdown), r.Text(&text)); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(markdown.String(), "\n|"); got != 7 { // a head before them, a rule, six rows
		t.Errorf("%d lines of a table:\n%s", got, &markdown)
	}
	if !strings.Contains(text.String(), "3 interleaved rounds of 300 packets") {
		t.Error(text.String())
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"unknown suite": {Suites: []string{"rot13"}},
		"too small":     {Sizes: []int{63}},
		"too large":     {Sizes: []int{mtu + 1}},
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
		for _, size := range []int{64, mtu} {
			r, err := newRig(p, size)
			if err != nil {
				b.Fatal(err)
			}
			for name, run := range map[string]func(int) (time.Duration, error){"out": r.out, "in": r.in} {
				b.Run(strings.ReplaceAll(p.name, " ", "+")+"/"+name+"/"+map[bool]string{true: "small", false: "large"}[size == 64], func(b *testing.B) {
					took, err := run(b.N)
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(took.Nanoseconds())/float64(b.N), "ns/packet")
				})
			}
			if err := r.close(); err != nil {
				b.Error(err)
			}
		}
	}
}
