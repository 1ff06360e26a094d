package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/bench/classify"
	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/inspect"
	"github.com/goipsec/goipsec/pkg/policy"
)

func benchCommand() *cobra.Command {
	return parent("bench", "Measure on this machine", benchClassifyCommand(), benchE2ECommand(), benchFloodCommand(), benchGoalsCommand(), benchNullCommand(), benchPipelineCommand(), benchHandshakeCommand(), benchMemoryCommand())
}

func benchClassifyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "classify",
		Short: "Measure packet classification with a rule set or a policy",
		Long: `Builds an index of a ClassBench rule file, of a policy's outbound filters, of generated host pairs or of
filters grown in the likeness of rule files, looks up every packet of a trace, and prints nanoseconds
per look-up, build time and memory as JSON. With --changes it also inserts and deletes filters while
others look up. With --verify every answer is held to the linear truth; a wrong one makes it fail.`,
		Example: `  goipsec bench classify --pairs 1000 --packets 4096 --rounds 3 --changes 1000 --verify
  goipsec bench classify --policy examples/host-to-host.yaml --local 192.0.2.1 --packets 4096 --rounds 3`,
		Args: usage(cobra.NoArgs),
	}
	var o classify.Options
	c.Flags().StringVar(&o.Rules, "rules", "", "a ClassBench filter `file`")
	file := c.Flags().String("policy", "", "a policy `file`; its outbound filters are measured")
	local := localFlag(c)
	c.Flags().IntVar(&o.Pairs, "pairs", 0, "this `number` of generated host-pair filters")
	c.Flags().IntVar(&o.Grown, "grow", 0, "this `number` of filters grown from those of --from")
	c.Flags().StringSliceVar(&o.Seeds, "from", nil, "ClassBench filter `files` to grow from")
	c.Flags().IntVar(&o.Changes, "changes", 0, "in each round, also insert and delete this `number` of filters while readers look up")
	c.Flags().StringVar(&o.Trace, "trace", "", "a ClassBench trace `file` (default: a made trace)")
	c.Flags().IntVar(&o.Packets, "packets", 0, "length of a made trace (default 65536)")
	c.Flags().IntVar(&o.Rounds, "rounds", 0, "how often the trace is looked up (default 9)")
	c.Flags().Uint64Var(&o.Seed, "seed", 0, "of the made trace and filters")
	c.Flags().BoolVar(&o.Verify, "verify", false, "hold every answer to the linear truth")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if !exactlyOne(o.Rules != "", *file != "", o.Pairs != 0, o.Grown != 0) {
			return usageError{errors.New("say what to measure: one of --rules, --policy, --pairs and --grow")}
		}
		if *file != "" {
			compiled, _, err := expand(cmd.Context(), *file, *local)
			if err != nil {
				return err
			}
			o.Name, o.Entries = *file, entries(compiled.Outbound)
		}
		r, err := classify.Run(o)
		if err != nil && !errors.Is(err, classify.ErrWrong) {
			return err
		}
		return errors.Join(err, inspect.WriteJSON(cmd.OutOrStdout(), r))
	}
	return c
}

// exactlyOne reports whether one of its arguments, and no other, is true.
func exactlyOne(given ...bool) bool {
	n := 0
	for _, g := range given {
		if g {
			n++
		}
	}
	return n == 1
}

// entries numbers a policy's filters, heaviest first.
func entries(filters []*policy.QuickModeFilter) []classifier.Entry[int] {
	list := make([]classifier.Entry[int], len(filters))
	for i, f := range filters {
		list[i] = classifier.Entry[int]{Filter: f.Filter, Value: i}
	}
	return list
}
