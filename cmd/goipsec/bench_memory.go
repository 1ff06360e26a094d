package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/bench/memory"
)

func benchMemoryCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "memory",
		Short: "Measure what SAs cost in memory",
		Long: `Makes many SA pairs as an endpoint does, sends a packet through each, and many IKE SAs between two engines, and prints
the bytes of live heap for each, beside what the bare ciphers of the standard library take. Needs no root, and with
the default number about a gigabyte.`,
		Example: `  goipsec bench memory --sas 1000 --rounds 2`,
		Args:    usage(cobra.NoArgs),
	}
	var o memory.Options
	c.Flags().StringSliceVar(&o.Suites, "suites", memory.Suites(), "the `suites` to measure")
	c.Flags().IntVar(&o.SAs, "sas", 100_000, "`number` of SA pairs, and of IKE SAs")
	c.Flags().IntVar(&o.Rounds, "rounds", 3, "how often each is measured")
	c.Flags().BoolVar(&o.NoIKE, "no-ike", false, "leave out the IKE SAs, which take most of the time")
	out := reportFlags(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		o.Progress = cmd.ErrOrStderr()
		return measured(cmd, out, memory.ErrOptions, interrupted, func(ctx context.Context) (memory.Result, error) { return memory.Run(ctx, o) })
	}
	return c
}
