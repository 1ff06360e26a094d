package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/goipsec/goipsec/pkg/control"
	"github.com/goipsec/goipsec/pkg/monitor/terminal"
)

func monitorCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "monitor",
		Short: "Watch a running instance on the terminal, as with the IP Security Monitor",
		Long: `Shows, live, the active policy; of main mode and quick mode the generic and specific filters, policies, statistics and SAs;
what happened lately; and what failed, with the likely cause and the next step. Keys stand at the bottom of the screen.
Nothing is told by colour alone, and NO_COLOR is heeded.`,
		Example: `  sudo goipsec monitor`,
		Args:    usage(cobra.NoArgs),
	}
	socket := socketFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if !term.IsTerminal(int(os.Stdin.Fd())) || !term.IsTerminal(int(os.Stdout.Fd())) {
			return usageError{errors.New("the monitor needs a terminal; use goipsec status --watch, or --json for programs")}
		}
		client := control.NewClient(*socket)
		if _, err := client.Status(cmd.Context()); err != nil {
			return err
		}
		return terminal.Run(cmd.Context(), client, os.Stdin, os.Stdout)
	}
	return c
}
