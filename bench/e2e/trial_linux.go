package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/goipsec/goipsec/bench/measure"
)

// trial is one turn of one peer.
type trial struct {
	o      Options
	name   string
	driver peer
	tools  string // the program with the generator
	iperf  string // its version
	lab    *lab
	tunnel tunnel
	idle   bool // only the idle round trip is measured
	// programs are the peer's in both hosts.
	programs []*process
}

// run takes the measures one after the other, each in a phase of its own, so that none disturbs another.
func (t *trial) run(ctx context.Context) (s sample, err error) {
	if t.lab, err = newLab(ctx); err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, t.lab.close()) }()
	if t.tunnel, err = t.driver.start(ctx, t.lab); err != nil {
		return s, err
	}
	t.programs = append(append(t.programs, t.lab.a.running...), t.lab.b.running...)
	from, to := t.tunnel.ends()
	if s.rtt, err = t.roundTrip(ctx, from, to); err != nil || t.idle {
		return s, err
	}
	server, err := t.lab.b.start("iperf3 -s", []string{"iperf3", "-s", "-B", to.String(), "--forceflush"})
	if err != nil {
		return s, err
	}
	if err := server.expect(ctx, "Server listening", 10*time.Second); err != nil {
		return s, err
	}
	for _, m := range []struct {
		name string
		take func(ctx context.Context, s *sample) error
	}{{MeasureTCP, t.tcp}, {MeasureLoad, t.load}, {MeasureUDP, t.udp}, {MeasureCalls, t.calls}} {
		if !t.o.measures(m.name) || m.name != MeasureTCP && slices.Contains(t.o.Streams, t.name) {
			continue
		}
		if err := m.take(ctx, &s); err != nil {
			return s, fmt.Errorf("%s: %w", m.name, err)
		}
	}
	d, err := t.lab.a.device(t.tunnel.device())
	s.mtu = d.mtu
	return s, err
}

func (t *trial) tcp(ctx context.Context, s *sample) error {
	for _, flows := range t.o.Flows {
		x, err := t.transfer(ctx, flows, t.o.Seconds)
		if err != nil {
			return err
		}
		s.gbps, s.resent, s.cpu = append(s.gbps, x.gbps), append(s.resent, float64(x.resent)), append(s.cpu, x.cpu)
	}
	return nil
}

// roundTrip waits for the tunnel and returns the median of idle echoes in microseconds.
func (t *trial) roundTrip(ctx context.Context, from, to netip.Addr) (float64, error) {
	p, err := t.lab.a.ping(from, to)
	if err != nil {
		return 0, err
	}
	defer p.close()
	if err := p.reach(ctx, 20*time.Second); err != nil {
		return 0, err
	}
	times, err := p.echoes(ctx, t.o.Echoes)
	return measure.Of(times).Median, err
}

// transfer runs iperf3 once.
func (t *trial) transfer(ctx context.Context, flows, seconds int) (x transfer, err error) {
	from, to := t.tunnel.ends()
	limit, cancel := context.WithTimeout(ctx, time.Duration(seconds+30)*time.Second)
	defer cancel()
	used, err := t.watch(ctx, func() (uint64, error) {
		text, err := t.lab.a.output(limit, "iperf3", "iperf3", "-c", to.String(), "-B", from.String(), "-t", strconv.Itoa(seconds), "-O", "1",
			"-P", strconv.Itoa(flows), "-J")
		var parse error
		x, parse = parseIPerf(text)
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case parse != nil:
			return 0, errors.Join(parse, err)
		case err == nil && x.flows != flows:
			err = fmt.Errorf("iperf3 used %d flows and not %d", x.flows, flows)
		}
		return x.bytes, err
	})
	t.iperf = x.version
	x.cpu = float64(used.cpu.Nanoseconds()) / float64(used.bytes)
	x.entered = used.bytes
	return x, err
}

// use is what a measurement took of the tunnel.
type use struct {
	cpu     time.Duration // of the peer's programs
	bytes   uint64        // that went into the tunnel device of host a
	packets uint64        // that went into and came out of it there
}

// watch runs f, which tells how many bytes arrived, and proves that they all went into the tunnel and were protected there.
func (t *trial) watch(ctx context.Context, f func() (bytes uint64, err error)) (u use, err error) {
	link := t.tunnel.device()
	before, err := t.lab.a.device(link)
	if err != nil {
		return u, err
	}
	protected, err := t.tunnel.protected(ctx)
	if err != nil {
		return u, err
	}
	idle, err := t.cpu()
	if err != nil {
		return u, err
	}
	bytes, err := f()
	if err != nil {
		return u, err
	}
	busy, err := t.cpu()
	if err != nil {
		return u, err
	}
	after, err := t.lab.a.device(link)
	if err != nil {
		return u, err
	}
	u = use{busy - idle, after.sentBytes - before.sentBytes, after.sent - before.sent + after.delivered - before.delivered}
	if u.bytes < bytes {
		return u, fmt.Errorf("only %d bytes went into %s, but %d arrived: the tunnel was passed by", u.bytes, link, bytes)
	}
	now, err := t.tunnel.protected(ctx)
	if err == nil && now-protected < bytes {
		err = fmt.Errorf("%d bytes were protected, but %d arrived: not all went through the tunnel", now-protected, bytes)
	}
	return u, err
}

// cpu is the processor time that the peer's programs have used so far.
func (t *trial) cpu() (sum time.Duration, err error) {
	for _, p := range t.programs {
		used, err := p.cpu()
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}
