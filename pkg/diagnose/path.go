package diagnose

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// echoer sends echoes from one address to another, never in fragments.
type echoer interface {
	// ask sends an echo with a payload of size bytes and reports whether it was answered by the deadline. The error is errTooBig where the host
	// itself knows that the packet does not pass.
	ask(size int, deadline time.Time) (bool, error)
	close()
}

// errTooBig tells that an echo was not sent because it is too big.
var errTooBig = errors.New("too big for the path")

// path finds the largest inner packet that passes without being fragmented.
func (p *pinger) path(ctx context.Context, r echoRound) {
	header := 28
	if p.inner.Is6() {
		header = 48
	}
	most := p.status.TUN.MTU
	switch {
	case r.answered == 0:
		p.trace.skipped(LayerPath, "needs "+LayerEcho)
		return
	case most <= header+smallEcho:
		p.trace.skipped(LayerPath, "the instance's device has no MTU to compare with")
		return
	}
	e, err := openEcho(p.source, p.inner)
	if err != nil {
		p.trace.skipped(LayerPath, err.Error())
		return
	}
	defer e.close()
	wait := min(p.patience(), max(300*time.Millisecond, 4*r.slowest))
	largest, err := bisect(header+smallEcho, most, func(size int) (bool, error) { return p.passes(ctx, e, size-header, wait) })
	if err != nil {
		p.trace.skipped(LayerPath, err.Error())
		return
	}
	p.judgePath(ctx, largest, most)
}

// passes tries a size twice: a packet may be lost for another reason, and the first one that is too big is what a router answers.
func (p *pinger) passes(ctx context.Context, e echoer, size int, wait time.Duration) (bool, error) {
	for range 2 {
		ok, err := e.ask(size, p.Now().Add(wait))
		switch {
		case errors.Is(err, errTooBig):
			return false, nil
		case err != nil:
			return false, err
		case ok:
			return true, nil
		case ctx.Err() != nil:
			return false, ctx.Err()
		}
	}
	return false, nil
}

// bisect returns the largest size from low, which passes, to high that passes.
func bisect(low, high int, passes func(size int) (bool, error)) (int, error) {
	if ok, err := passes(high); ok || err != nil {
		return high, err
	}
	for low+1 < high {
		middle := (low + high) / 2
		ok, err := passes(middle)
		if err != nil {
			return low, err
		}
		if ok {
			low = middle
		} else {
			high = middle
		}
	}
	return low, nil
}

// judgePath compares what passes with what the endpoint takes: in between lies a black hole.
func (p *pinger) judgePath(ctx context.Context, largest, most int) {
	if s, err := p.Endpoint.Status(ctx); err == nil {
		p.status = s
	}
	takes := most
	if c := p.child(); c != nil {
		// With several queues the probes may have gone by any of the SAs for them, and only that one has heard of a narrower link.
		for _, o := range p.status.Children {
			if o.FilterID == c.FilterID && o.Filter == c.Filter && o.MTU > 0 {
				takes = min(takes, o.MTU)
			}
		}
	}
	text := fmt.Sprintf("packets of up to %d bytes pass", largest)
	switch {
	case largest >= most:
		p.trace.ok(LayerPath, text+", all that the device takes")
	case largest >= takes:
		p.trace.ok(LayerPath, fmt.Sprintf("%s; the device takes %d, and whoever sends more is told so by ICMP", text, most))
	default:
		p.trace.failed(LayerPath, fmt.Sprintf("%s, the SA takes up to %d: what is between vanishes", text, takes),
			"a link on the way is narrower, and its router's \"fragmentation needed\" or \"packet too big\" does not arrive here (a firewall drops ICMP)",
			fmt.Sprintf("let these ICMP messages pass, or write tun: {mtu: %d}", largest))
	}
}
