package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/control"
)

func policyAssignCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "assign NAME",
		Short: "Put another policy of the file in force in a running instance",
		Long: `Makes a running instance read its policy file again and put the policy of that name in force, at once and
as a whole, as goipsec reload does: SAs that both policies want the same stay. The choice holds over
reloads until the file's own assign: names another policy than now, or the instance ends.`,
		Example: `  sudo goipsec policy assign office`,
		Args:    usage(cobra.ExactArgs(1)),
	}
	socket := socketFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		waiting, err := control.NewClient(*socket).Assign(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "the policy %q is in force\n", args[0])
		tellWaiting(cmd.OutOrStdout(), waiting)
		return nil
	}
	return c
}

func policyUnassignCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "unassign",
		Short: "Take the policy of a running instance out of force",
		Long: `Takes the policy of a running instance out of force and leaves none: its SAs are deleted, at the peers too,
nothing is protected or blocked any more, and the key exchange answers nobody. It holds over reloads as a
choice of goipsec policy assign does.`,
		Example: `  sudo goipsec policy unassign`,
		Args:    usage(cobra.NoArgs),
	}
	socket := socketFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := control.NewClient(*socket).Unassign(cmd.Context()); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), "no policy is in force: nothing is protected or blocked")
		return nil
	}
	return c
}
