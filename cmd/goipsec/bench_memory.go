package main

import (
	"context"
	"errors"
	"os/signal"
	"syscall"

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
		ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		o.Progress = cmd.ErrOrStderr()
		r, err := memory.Run(ctx, o)
		if errors.Is(err, memory.ErrOptions) {
			return usageError{err}
		}
		if errors.Is(err, context.Canceled) {
			return errors.New("interrupted")
		}
		if err != nil {
			return err
		}
		return out.write(cmd.OutOrStdout(), r)
	}
	return c
}
