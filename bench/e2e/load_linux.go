package e2e

import (
	"context"
	"time"

	"github.com/goipsec/goipsec/bench/measure"
)

// load measures round trips while one TCP flow fills the tunnel in the same direction as the requests.
func (t *trial) load(ctx context.Context, s *sample) error {
	from, to := t.tunnel.ends()
	p, err := t.lab.a.ping(from, to)
	if err != nil {
		return err
	}
	defer p.close()
	done := make(chan error, 1)
	go func() {
		_, err := t.transfer(ctx, 1, t.o.Seconds)
		done <- err
	}()
	pause(ctx, time.Second) // what iperf3 does not count either
	var times []float64
	for until := time.Now().Add(time.Duration(t.o.Seconds)*time.Second - 100*time.Millisecond); time.Now().Before(until) && ctx.Err() == nil; {
		took, err := p.once(loadLimit)
		if err == errNoEcho { // queues may be full; then it took at least that long
			took, s.loadLost = loadLimit, s.loadLost+1
		} else if err != nil {
			<-done
			return err
		}
		times = append(times, float64(took.Nanoseconds())/1000)
		pause(ctx, 5*time.Millisecond)
	}
	s.loadMedian, s.loadP99 = measure.Of(times).Median, measure.Quantile(times, 0.99)
	return <-done
}

// loadLimit is when an echo under load counts as lost.
const loadLimit = time.Second
