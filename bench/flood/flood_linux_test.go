package flood

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/testnet"
)

func TestMain(m *testing.M) { testnet.Main(m) }

// Over loopback nothing is lost with a window, and whatever is lost without one, the sums agree and nothing is wrong.
func TestOverLoopback(t *testing.T) {
	testnet.Need(t)
	lo := netip.MustParseAddr("127.0.0.1")
	for i, c := range []struct{ flows, size, window, segments int }{{1, 64, 256, 0}, {64, 64, 512, 1}, {1, 1400, 256, 0}, {3, 48, 256, 0}, {64, 1400, 0, 0},
		{1, 1400, 256, 32}, {3, 64, 256, 64}, {2, 9000, 0, 4}} {
		t.Run(fmt.Sprintf("%d flows, %d bytes, window %d, %d segments", c.flows, c.size, c.window, c.segments), func(t *testing.T) {
			o := Options{From: netip.MustParseAddr("127.0.0.2"), To: lo, Port: 5300, Flows: c.flows, Size: c.size, Window: c.window, Segments: c.segments, Run: uint32(i),
				Warm: 10 * time.Millisecond, Length: 50 * time.Millisecond}
			ready, done := make(chan struct{}), make(chan error, 1)
			var got Counts
			receiving := o
			receiving.Ready = func() { close(ready) }
			go func() {
				var err error
				got, err = Sink(t.Context(), receiving)
				done <- err
			}()
			select {
			case <-ready:
			case err := <-done:
				t.Fatal(err)
			}
			sent, err := Send(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			t.Logf("%+v\n%+v", sent, got)
			if got.Received == 0 || got.Received > sent.Packets || c.window > 0 && got.Received != sent.Packets {
				t.Errorf("%d sent, %d received", sent.Packets, got.Received)
			}
			if got.Duplicates+got.Reordered+got.Corrupt+got.Foreign > 0 || !got.Ended || sent.Calls*burst < sent.Packets {
				t.Errorf("%+v, %+v", got, sent)
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	testnet.Need(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	lo := netip.MustParseAddr("127.0.0.1")
	o := Options{From: lo, To: lo, Port: 5400, Flows: 2, Size: 64, Length: time.Hour}
	if _, err := Sink(ctx, o); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := Send(ctx, o); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	o.To = netip.MustParseAddr("192.0.2.1") // not an address of ours
	if _, err := Sink(t.Context(), o); err == nil {
		t.Error("a sink at a foreign address")
	}
	o.From = o.To
	if _, err := Send(t.Context(), o); err == nil {
		t.Error("a sender from a foreign address")
	}
}
