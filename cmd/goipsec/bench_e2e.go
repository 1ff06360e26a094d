package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/bench/e2e"
)

func benchE2ECommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "e2e",
		Short: "Measure whole tunnels, goipsec's and others', side by side",
		Long: `Makes two network namespaces joined by a veth and measures, round after round in turn, the bare veth and
the tunnels of each peer: TCP by iperf3, UDP by a generator of its own, the round-trip time that the tunnel
adds and that it has under load, and system calls. Prints medians with the least and the greatest of all
rounds. Linux, as root; other projects' programs are built from the Go module proxy once. Nothing is left
behind, and the host's own network is not touched.`,
		Example: `  sudo goipsec bench e2e --seconds 2 --rounds 3
  sudo goipsec bench e2e --json e2e.json --markdown
  sudo goipsec bench e2e --peers goipsec,goipsec=./goipsec-of-yesterday --flows 1`,
		Args: usage(cobra.NoArgs),
	}
	var o e2e.Options
	c.Flags().StringSliceVar(&o.Peers, "peers", e2e.DefaultPeers(), "the `tunnels` to measure, of "+strings.Join(e2e.Peers(), ", ")+", and goipsec=FILE for another build; ratios are of the first to each other")
	c.Flags().StringSliceVar(&o.Measures, "measures", e2e.Measures(), "`what` to measure beside the idle round trip: TCP, single UDP datagrams, round trips under TCP load, system calls")
	c.Flags().IntSliceVar(&o.Flows, "flows", []int{1, 4}, "`numbers` of parallel TCP connections, a measurement each")
	c.Flags().IntVar(&o.Seconds, "seconds", 10, "length of each measurement of throughput, after a second (UDP: half of one) that is not counted")
	c.Flags().IntVar(&o.Rounds, "rounds", 5, "how often each is measured")
	c.Flags().IntVar(&o.IdleRounds, "idle-rounds", 0, "`number` of further rounds in which each tunnel is only started and sent idle echoes, three seconds each")
	c.Flags().IntVar(&o.Window, "window", e2e.DefaultWindow, "UDP `datagrams` under way at most; -1: the sender is flat out")
	c.Flags().StringVar(&o.Cache, "cache", "", "`directory` for programs of other projects (default: goipsec in the user's cache directory)")
	out := reportFlags(c)
	out.plotFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		o.Progress = cmd.ErrOrStderr()
		return measured(cmd, out, e2e.ErrOptions, interruptedAll, func(ctx context.Context) (e2e.Result, error) { return e2e.Run(ctx, o) })
	}
	return c
}
