package system

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/goipsec/goipsec/bench/flood"
	"github.com/goipsec/goipsec/test/interop/lab"
)

// kinds are what an overload consists of, in each direction and all at once.
var kinds = []struct {
	name                  string
	flows, size, segments int
}{
	{"64 bytes", 4, 64, 0},
	{"1400 bytes", 4, 1400, 0},
	{"superpackets", 2, 1300, 32},
	{"fragments", 2, 3000, 0},
}

// A flow is what was sent and received of one kind in one direction.
type flow struct {
	from, kind string
	options    flood.Options
	sent       flood.Sent
	got        flood.Counts
	sendErr    error
	sinkErr    error
}

func (f *flow) String() string {
	return fmt.Sprintf("%s sent %d (%.0f a second) of %s, %d refused; %d received, %d twice, %d out of order, %d corrupt, %d foreign", f.from, f.sent.Packets,
		float64(f.sent.Packets)/f.sent.Seconds, f.kind, f.sent.Refused, f.got.Received, f.got.Duplicates, f.got.Reordered, f.got.Corrupt, f.got.Foreign)
}

// judge allows loss and nothing else.
func (f *flow) judge(t *testing.T) {
	t.Helper()
	if err := errors.Join(f.sendErr, f.sinkErr); err != nil {
		t.Errorf("%s, %s: %v", f.from, f.kind, err)
	}
	if f.got.Received == 0 || f.got.Received > f.sent.Packets || f.got.Duplicates+f.got.Reordered+f.got.Corrupt+f.got.Foreign > 0 {
		t.Error(f)
	}
}

// overload floods in both directions with every kind at once, and meanwhile asks both ends how they are.
func (w *world) overload(ends [2]*lab.Goipsec, length time.Duration) []*flow {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), length+90*time.Second)
	defer cancel()
	hosts := [2]*lab.Host{w.a, w.b}
	var flows []*flow
	var sinks, senders sync.WaitGroup
	for i, h := range hosts {
		for n, k := range kinds {
			f := &flow{from: h.Name, kind: k.name, options: flood.Options{From: netip.AddrFrom4([4]byte{192, 168, byte(i + 1), 1}), To: netip.AddrFrom4([4]byte{192, 168, byte(2 - i), 1}),
				Port: uint16(6000 + 1000*i + 100*n), Flows: k.flows, Size: k.size, Segments: k.segments, Run: rand.Uint32(), Length: length}}
			flows = append(flows, f)
			ready := make(chan struct{})
			options := f.options
			options.Ready = sync.OnceFunc(func() { close(ready) })
			sinks.Go(func() {
				hosts[1-i].Inside(func() error { f.got, f.sinkErr = flood.Sink(ctx, options); return nil })
				options.Ready() // if it has failed
			})
			<-ready
		}
	}
	for i, f := range flows {
		senders.Go(func() {
			hosts[i/len(kinds)].Inside(func() error { f.sent, f.sendErr = flood.Send(ctx, f.options); return nil })
		})
	}
	done := make(chan struct{})
	go func() {
		senders.Wait()
		sinks.Wait()
		close(done)
	}()
	answers, slowest := 0, time.Duration(0)
	w.Until(length+90*time.Second, "the flood to end", func() (bool, string) {
		for _, g := range ends {
			watch := lab.StartWatch()
			g.Status() // it fails the test if there is no answer
			answers++
			slowest = max(slowest, watch.Elapsed())
		}
		select {
		case <-done:
			return true, ""
		default:
			return false, "the generators or the sinks still run"
		}
	})
	w.t.Logf("%v of overload: %d times goipsec status answered, the slowest after %v", length, answers, slowest.Round(time.Millisecond))
	return flows
}
