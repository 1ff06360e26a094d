package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/control"
)

func reloadCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "reload",
		Short: "Apply a changed policy file without dropping SAs it does not touch",
		Long: `Makes a running instance read its policy file again, as SIGHUP does, and says how that ended. A bad
file is refused, and the old policy stays.`,
		Example: `  sudo goipsec reload`,
		Args:    usage(cobra.NoArgs),
	}
	socket := socketFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := control.NewClient(*socket).Reload(cmd.Context()); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), "the policy was reloaded")
		return nil
	}
	return c
}
