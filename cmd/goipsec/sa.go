package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/control"
	"github.com/goipsec/goipsec/pkg/inspect"
)

func saCommand() *cobra.Command {
	return parent("sa", "List, rekey or delete SAs of a running instance", saListCommand(),
		saChange("rekey", "Replace an SA by a new one now", "rekeyed", (*control.Client).Rekey),
		saChange("delete", "Delete an SA here and at the peer", "deleted", (*control.Client).Delete))
}

func saListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "list",
		Short:   "List main-mode and quick-mode SAs",
		Example: `  sudo goipsec sa list`,
		Args:    usage(cobra.NoArgs),
	}
	socket, asJSON := socketFlag(c), jsonFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := control.NewClient(*socket).Status(cmd.Context())
		if err != nil {
			return err
		}
		return inspect.Write(cmd.OutOrStdout(), s.SAs(), *asJSON)
	}
	return c
}

// saChange makes a command that does something to one SA, named by the ID that list shows.
func saChange(verb, short, done string, do func(*control.Client, context.Context, string) error) *cobra.Command {
	c := &cobra.Command{
		Use:     verb + " ID",
		Short:   short,
		Long:    short + ". The ID is that of a main-mode or quick-mode SA, as `goipsec sa list` shows it.",
		Example: "  sudo goipsec sa " + verb + " 1",
		Args:    usage(cobra.ExactArgs(1)),
	}
	socket := socketFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if err := do(control.NewClient(*socket), cmd.Context(), args[0]); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "SA %s: %s\n", args[0], done)
		return nil
	}
	return c
}
