package e2e

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

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
	tools, err := toolsOf(o.Program)
	if err != nil {
		return Result{}, err
	}
	r := Result{Schema: Schema, Machine: measure.Here(), Seconds: o.Seconds, Rounds: o.Rounds, Echoes: o.Echoes, Window: max(o.Window, 0)}
	r.IdleRounds, r.IdlePeers = o.IdleRounds, o.IdlePeers
	samples, idle := make([][]sample, len(names)), make([][]float64, len(names))
	for _, turn := range o.turns(names) {
		turned := fmt.Sprintf("round %d, %s", turn.Round+1, names[turn.What])
		t := trial{o: o, name: names[turn.What], driver: drivers[turn.What], tools: tools, idle: turn.Round >= o.Rounds}
		again := t
		s, err := t.run(ctx)
		if err != nil && ctx.Err() == nil {
			// One failure in half an hour is told of; it does not cost all that was measured. The second of one turn is the end.
			r.Again = append(r.Again, fmt.Sprintf("%s: %v", turned, err))
			fmt.Fprintf(o.Progress, "%s: %v: once more\n", turned, err)
			t = again
			s, err = t.run(ctx)
		}
		if err != nil {
			return Result{}, fmt.Errorf("%s: %w", turned, err)
		}
		if t.idle {
			idle[turn.What] = append(idle[turn.What], s.rtt)
		} else {
			samples[turn.What] = append(samples[turn.What], s)
			r.IPerf = t.iperf
		}
		fmt.Fprintf(o.Progress, "round %d of %d, %-14s %s\n", turn.Round+1, o.Rounds+o.IdleRounds, names[turn.What], s)
	}
	r.LoadAfter = measure.Load()
	return summarise(r, o.Flows, peers, samples, idle), nil
}

// toolsOf is the whole path of a goipsec, that of the running program if none is named.
func toolsOf(program string) (string, error) {
	if program == "" {
		return os.Executable()
	}
	return filepath.Abs(program)
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
