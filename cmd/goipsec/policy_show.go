package main

import (
	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/inspect"
)

func policyShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "show FILE",
		Short: "Show a policy: its rules, or the specific filters they expand into",
		Long: `Shows the assigned policy of a file as it was written; with --specific the main-mode and quick-mode filters
that it expands into on this host, heaviest first, with their weights. Secrets are not shown.`,
		Example: `  goipsec policy show examples/host-to-host.yaml
  goipsec policy show --specific --local 192.0.2.1 examples/host-to-host.yaml`,
		Args: usage(cobra.ExactArgs(1)),
	}
	asJSON, local := jsonFlag(c), localFlag(c)
	specific := c.Flags().Bool("specific", false, "show specific filters with their weights")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if !*specific {
			file, err := read(args[0])
			if err != nil {
				return err
			}
			return inspect.Write(cmd.OutOrStdout(), inspect.ViewPolicy(file.Assigned), *asJSON)
		}
		compiled, _, err := expand(cmd.Context(), args[0], *local)
		if err != nil {
			return err
		}
		return inspect.Write(cmd.OutOrStdout(), inspect.ViewSpecific(compiled), *asJSON)
	}
	return c
}
