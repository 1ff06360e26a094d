package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/bench/goals"
)

func benchGoalsCommand() *cobra.Command {
	var names []string
	for _, p := range goals.Parts() {
		names = append(names, string(p))
	}
	c := &cobra.Command{
		Use:   "goals",
		Short: "Measure everything and hold it against the goals",
		Long: `Runs the other measurements one after the other and prints each goal with what must be, what is aimed at, what
was measured and whether that is met. What cannot be measured here (whole tunnels need Linux and root)
says why. All of it takes about half an hour; let nothing else run meanwhile.`,
		Example: `  sudo goipsec bench goals --classbench classbench --json goals.json --markdown --plot charts
  goipsec bench goals --only pipeline --rounds 1`,
		Args: usage(cobra.NoArgs),
	}
	var o goals.Options
	only := c.Flags().StringSlice("only", names, "the `parts` to measure, of "+strings.Join(names, ", "))
	c.Flags().IntVar(&o.Seconds, "seconds", 4, "length of each measurement of throughput in whole tunnels")
	c.Flags().IntVar(&o.Rounds, "rounds", 5, "how often each is measured")
	c.Flags().StringVar(&o.ClassBench, "classbench", "", "`directory` of the ClassBench sets acl1_10k.rules, fw1_10k.rules, ipc1_10k.rules")
	c.Flags().StringVar(&o.Cache, "cache", "", "`directory` for programs of other projects (default: goipsec in the user's cache directory)")
	out := reportFlags(c)
	out.plotFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		o.Only, o.Progress = nil, cmd.ErrOrStderr()
		for _, p := range *only {
			o.Only = append(o.Only, goals.Part(p))
		}
		return measured(cmd, out, goals.ErrOptions, interruptedAll, func(ctx context.Context) (goals.Report, error) { return goals.Run(ctx, o) })
	}
	return c
}
