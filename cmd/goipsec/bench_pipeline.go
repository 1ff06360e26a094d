package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/bench/pipeline"
)

func benchPipelineCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "pipeline",
		Short: "Measure the data plane in memory against the bare cipher",
		Long: `Sends packets through the whole outbound and inbound path in memory, with no system calls, and prints
nanoseconds a packet beside those of the bare cipher of Go's libraries in the same run: datagrams of one SA, of many SAs
in a random order, and superpackets of TCP. Needs no root, and for 100,000 SAs half a gigabyte.
With --workers it measures how much faster several workers are, that have a flow each, than one.`,
		Example: `  goipsec bench pipeline --sizes 1420 --packets 512 --rounds 3 --sas 1,1000
  goipsec bench pipeline --workers 2 --sizes 1420 --packets 8192 --rounds 21 --suites aes-gcm-16-128`,
		Args: usage(cobra.NoArgs),
	}
	var o pipeline.Options
	c.Flags().StringSliceVar(&o.Suites, "suites", pipeline.Suites(), "the `suites` to measure")
	c.Flags().IntSliceVar(&o.Sizes, "sizes", []int{64, 512, 1420}, "`lengths` of inner packets in bytes")
	c.Flags().IntSliceVar(&o.SAs, "sas", []int{1, 100_000}, "`numbers` of SA pairs; superpackets are measured with the least only")
	workers := c.Flags().Int("workers", 0, "measure this `number` of workers at once against one, with the first of the sizes")
	kinds := c.Flags().StringSlice("kinds", []string{string(pipeline.Datagrams), string(pipeline.Superpackets)}, "how packets pass the device, the `kinds` to measure")
	c.Flags().IntVar(&o.Packets, "packets", 1024, "packets of each measurement")
	c.Flags().IntVar(&o.Rounds, "rounds", 61, "how often each is measured")
	out := reportFlags(c)
	out.plotFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		o.Kinds = nil
		for _, k := range *kinds {
			o.Kinds = append(o.Kinds, pipeline.Kind(k))
		}
		if *workers != 0 {
			return measured(cmd, out, pipeline.ErrOptions, interrupted, func(ctx context.Context) (pipeline.Scaling, error) { return pipeline.RunWorkers(ctx, o, *workers) })
		}
		return measured(cmd, out, pipeline.ErrOptions, interrupted, func(ctx context.Context) (pipeline.Result, error) { return pipeline.Run(ctx, o) })
	}
	return c
}
