package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/control"
)

func connectCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "connect PEER|RULE",
		Short: "Negotiate SAs now, without waiting for traffic",
		Long: `Negotiates the SAs of a rule, by its name, or those with a peer, by its address, and returns when
they are up or have failed. Traffic that needs an SA starts the same by itself.`,
		Example: `  sudo goipsec connect 192.0.2.2`,
		Args:    usage(cobra.ExactArgs(1)),
	}
	socket := socketFlag(c)
	limit := c.Flags().Duration("timeout", time.Minute, "how long to wait")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), *limit)
		defer cancel()
		if err := control.NewClient(*socket).Connect(ctx, args[0]); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s is connected\n", args[0])
		return nil
	}
	return c
}
