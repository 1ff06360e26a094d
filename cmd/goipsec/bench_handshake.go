package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/bench/handshake"
)

func benchHandshakeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "handshake",
		Short: "Measure IKE negotiations a second",
		Long: `Lets two engines negotiate main mode and quick mode with a new peer each time, in memory and over UDP on the
loopback, both ends on this machine, and prints negotiations a second and the processor time of each beside that
of the Diffie-Hellman group alone. The keys of both ends are compared for every one. Needs no root.`,
		Example: `  goipsec bench handshake --exchanges curve25519 --negotiations 50 --rounds 3`,
		Args:    usage(cobra.NoArgs),
	}
	var o handshake.Options
	c.Flags().StringSliceVar(&o.Exchanges, "exchanges", handshake.Exchanges(), "what is `negotiated`")
	c.Flags().IntVar(&o.Negotiations, "negotiations", 1000, "negotiations of each measurement")
	c.Flags().IntVar(&o.Rounds, "rounds", 7, "how often each is measured")
	out := reportFlags(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		o.Progress = cmd.ErrOrStderr()
		return measured(cmd, out, handshake.ErrOptions, interrupted, func(ctx context.Context) (handshake.Result, error) { return handshake.Run(ctx, o) })
	}
	return c
}
