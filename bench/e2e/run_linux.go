package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/goipsec/goipsec/bench/measure"
)

// Run measures. It needs root: without, the error is fs.ErrPermission. When ctx ends it stops what it started and returns.
func Run(ctx context.Context, opts Options) (Result, error) {
	o, err := opts.complete()
	if err != nil {
		return Result{}, err
	}
	if err := possible(); err != nil {
		return Result{}, err
	}
	names := append([]string{Bare}, o.Peers...)
	peers, drivers := make([]Peer, len(names)), make([]peer, len(names))
	for i, name := range names {
		peers[i].Name = name
		if drivers[i], err = newPeer(name, o); err != nil {
			return Result{}, err
		}
		if err := drivers[i].about(ctx, &peers[i]); err != nil {
			return Result{}, err
		}
	}
	r := Result{Schema: 1, Machine: measure.Here(), Seconds: o.Seconds, Rounds: o.Rounds, Echoes: o.Echoes}
	samples := make([][]sample, len(names))
	for _, turn := range measure.Interleave(len(names), o.Rounds) {
		t := trial{o: o, driver: drivers[turn.What]}
		s, err := t.run(ctx)
		if err != nil {
			return Result{}, fmt.Errorf("round %d, %s: %w", turn.Round+1, names[turn.What], err)
		}
		samples[turn.What] = append(samples[turn.What], s)
		r.IPerf = t.iperf
		fmt.Fprintf(o.Progress, "round %d of %d, %-12s  TCP %s Gb/s with %v flows, round trip %.0f µs\n", turn.Round+1, o.Rounds, names[turn.What], figures(s.gbps), o.Flows, s.rtt)
	}
	r.LoadAfter = measure.Load()
	return summarise(r, o.Flows, peers, samples), nil
}

func figures(list []float64) (text string) {
	for i, v := range list {
		if i > 0 {
			text += ", "
		}
		text += strconv.FormatFloat(v, 'f', 2, 64)
	}
	return text
}

// possible says what is missing before anything is started.
func possible() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("bench e2e makes network namespaces and TUN devices: run it as root: %w", fs.ErrPermission)
	}
	if _, err := exec.LookPath("iperf3"); err != nil {
		return fmt.Errorf("bench e2e measures with iperf3, which is not in the path: on Debian, apt-get install iperf3 (and answer no when asked to start it as a daemon): %w", err)
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		return fmt.Errorf("there is no TUN device: load the module with modprobe tun: %w", err)
	}
	return nil
}

// trial is one turn of one peer.
type trial struct {
	o      Options
	driver peer
	iperf  string // its version
	lab    *lab
	tunnel tunnel
	// programs are the peer's in both hosts.
	programs []*process
}

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
	if s.rtt, err = t.roundTrip(ctx, from, to); err != nil {
		return s, err
	}
	server, err := t.lab.b.start("iperf3 -s", []string{"iperf3", "-s", "-B", to.String(), "--forceflush"})
	if err != nil {
		return s, err
	}
	if err := server.expect(ctx, "Server listening", 10*time.Second); err != nil {
		return s, err
	}
	for _, flows := range t.o.Flows {
		x, err := t.transfer(ctx, from, to, flows)
		if err != nil {
			return s, err
		}
		s.gbps, s.resent, s.cpu = append(s.gbps, x.gbps), append(s.resent, float64(x.resent)), append(s.cpu, x.cpu)
		t.iperf = x.version
	}
	s.mtu, _, err = t.lab.a.device(t.tunnel.device())
	return s, err
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

// transfer runs iperf3 once and proves that its bytes went into the tunnel and were protected there.
func (t *trial) transfer(ctx context.Context, from, to netip.Addr, flows int) (transfer, error) {
	link := t.tunnel.device()
	_, before, err := t.lab.a.device(link)
	if err != nil {
		return transfer{}, err
	}
	idle, err := t.cpu()
	if err != nil {
		return transfer{}, err
	}
	limit, cancel := context.WithTimeout(ctx, time.Duration(t.o.Seconds+30)*time.Second)
	defer cancel()
	text, err := t.lab.a.output(limit, "iperf3", "iperf3", "-c", to.String(), "-B", from.String(), "-t", strconv.Itoa(t.o.Seconds), "-O", "1",
		"-P", strconv.Itoa(flows), "-J")
	x, parse := parseIPerf(text)
	switch {
	case ctx.Err() != nil:
		return x, ctx.Err()
	case parse != nil:
		return x, errors.Join(parse, err)
	case err != nil:
		return x, err
	case x.flows != flows:
		return x, fmt.Errorf("iperf3 used %d flows and not %d", x.flows, flows)
	}
	_, after, err := t.lab.a.device(link) // with the second that iperf3 does not count
	if err != nil {
		return x, err
	}
	if after-before < x.bytes {
		return x, fmt.Errorf("only %d bytes went into %s, but %d arrived: the tunnel was passed by", after-before, link, x.bytes)
	}
	busy, err := t.cpu()
	if err != nil {
		return x, err
	}
	x.cpu = float64((busy - idle).Nanoseconds()) / float64(after-before)
	return x, t.tunnel.protected(ctx, x.bytes)
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
