package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/control"
	"github.com/goipsec/goipsec/pkg/endpoint"
)

func downCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "down",
		Short: "End a running instance, and clean up after one that was killed",
		Long: `Ends the instance on the socket and waits until it has taken everything back. Whether or not one
runs, leftovers of an instance of that name are removed: routes, rules, black holes, addresses,
devices and guard rules. It is no error if there is nothing to do.`,
		Example: `  sudo goipsec down`,
		Args:    usage(cobra.NoArgs),
	}
	socket := socketFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error { return down(cmd.Context(), cmd.OutOrStdout(), *socket) }
	return c
}

func down(ctx context.Context, w io.Writer, socket string) error {
	err := control.NewClient(socket).Stop(ctx)
	var gone *control.NotRunningError
	switch {
	case err == nil:
		fmt.Fprintf(w, "the instance on %s has ended\n", socket)
	case errors.As(err, &gone):
		fmt.Fprintf(w, "no instance is running on %s\n", socket)
	default:
		return err
	}
	stale, socketErr := control.RemoveStale(socket)
	if stale {
		fmt.Fprintln(w, "removed the socket "+socket)
	}
	removed, err := endpoint.Clean(control.Instance(socket))
	for _, s := range removed {
		fmt.Fprintln(w, "removed "+s)
	}
	return errors.Join(err, socketErr)
}
