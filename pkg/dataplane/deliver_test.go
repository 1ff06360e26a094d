package dataplane

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/tun"
)

// writes is a device that remembers the first byte of each packet of each write.
type writes struct {
	tun.Device
	size int
	got  [][]byte
	fail bool
}

func (w *writes) BatchSize() int { return w.size }

func (w *writes) Write(bufs [][]byte, offset int) (int, error) {
	if w.fail {
		return 0, errors.New("refused")
	}
	var firsts []byte
	for _, b := range bufs {
		firsts = append(firsts, b[offset])
	}
	w.got = append(w.got, firsts)
	return len(bufs), nil
}

// deliverRuns gives an inbound worker runs of packets, which carry the number of their run, and flushes.
func deliverRuns(in *inbound, buf []byte, runs []int) {
	in.run = 0
	for r, n := range runs {
		in.first = true
		for range n {
			buf[tun.Headroom] = byte(r)
			in.deliver(slices.Clone(buf), tun.Headroom, len(buf)-tun.Headroom)
		}
	}
	in.flush()
}

func newDeliverer(w *writes) *inbound {
	return newInbound(&Plane{cfg: Config{TUN: w}}, nil)
}

// Every packet is written once and in order, no write is longer than the device takes, and a run is cut only if it does not fit a write.
func TestRunsAreWrittenWhole(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := &writes{size: rapid.IntRange(1, 20).Draw(r, "size")}
		runs := rapid.SliceOfN(rapid.IntRange(0, 25), 0, readBatch).Draw(r, "runs")
		in := newDeliverer(w)
		for range 2 { // the state of one batch must not reach the next
			w.got = nil
			deliverRuns(in, make([]byte, tun.Headroom+20), runs)
			var want []byte
			for i, n := range runs {
				want = append(want, slices.Repeat([]byte{byte(i)}, n)...)
			}
			if got := slices.Concat(w.got...); !slices.Equal(got, want) {
				r.Fatalf("%v became %v", want, got)
			}
			for i, batch := range w.got {
				if len(batch) > w.size || len(batch) == 0 {
					r.Fatalf("a write of %d packets", len(batch))
				}
				if i > 0 && w.got[i-1][len(w.got[i-1])-1] == batch[0] && runs[batch[0]] <= w.size {
					r.Fatalf("run %d of %d packets was cut: %v", batch[0], runs[batch[0]], w.got)
				}
			}
		}
		if n := in.p.count.Delivered.Load(); int(n) != 2*len(slices.Concat(w.got...)) {
			r.Fatalf("%d packets are counted", n)
		}
	})
}

// What the device refuses is in the drop counter, and nowhere else.
func TestRefusedWritesAreCounted(t *testing.T) {
	w := &writes{size: 8, fail: true}
	in := newDeliverer(w)
	deliverRuns(in, make([]byte, tun.Headroom+20), []int{5, 6})
	if c := &in.p.count; c.Count(TUNWrite) != 11 || c.Delivered.Load() != 0 || c.Opened.Load() != 11 {
		t.Errorf("%d refused, %d delivered", c.Count(TUNWrite), c.Delivered.Load())
	}
}

// A batch leaves its slices for the next one.
func TestDeliveryAllocatesNothing(t *testing.T) {
	in := newDeliverer(&writes{size: 128})
	in.p.cfg.TUN = swallow{}
	buf := make([]byte, tun.Headroom+20)
	batch := func() {
		in.run = 0
		for range 4 {
			in.first = true
			for range 45 {
				in.deliver(buf, tun.Headroom, 20)
			}
		}
		in.flush()
	}
	batch()
	if n := testing.AllocsPerRun(100, batch); n != 0 {
		t.Errorf("%v allocations a batch", n)
	}
}

type swallow struct{ tun.Device }

func (swallow) BatchSize() int                          { return 128 }
func (swallow) Write(bufs [][]byte, _ int) (int, error) { return len(bufs), nil }

// RFC 4301 §5.2: that the last packet fitted its SA says nothing about another packet, or another SA (D9).
func TestTheLastFitIsNoPassport(t *testing.T) {
	in := newDeliverer(&writes{size: 8})
	mine := sa.NewInbound(sa.InboundConfig{SPI: 300, Selector: classifier.Filter{Src: subnet("10.2.0.0/24"), Dst: subnet("10.1.0.0/24")}}, time.Unix(0, 0))
	other := sa.NewInbound(sa.InboundConfig{SPI: 301, Selector: classifier.Filter{Src: subnet("10.3.0.0/24"), Dst: subnet("10.1.0.0/24")}}, time.Unix(0, 0))
	for i, step := range []struct {
		sa   *sa.Inbound
		src  string
		fits bool
	}{{mine, "10.2.0.5", true}, {mine, "10.2.0.5", true}, {other, "10.2.0.5", false}, {mine, "10.3.0.5", false}, {other, "10.3.0.5", true}, {mine, "10.3.0.5", false},
		{mine, "10.2.0.5", true}} {
		if err := in.header.Parse(udp(step.src, "10.1.0.5", 8)); err != nil {
			t.Fatal(err)
		}
		if got := in.fits(step.sa); got != step.fits {
			t.Errorf("step %d: a packet from %s fits %v: %v", i, step.src, step.sa, got)
		}
	}
	if n := in.p.count.Count(SelectorMismatch); n != 3 {
		t.Errorf("%d mismatches are counted, not 3", n)
	}
}
