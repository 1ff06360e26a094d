package main

import (
	"encoding/json"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/bench/null"
)

// benchNullCommand is the peer "null" of bench e2e. It is hidden: it protects nothing.
func benchNullCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "null OPTIONS",
		Hidden: true,
		Short:  "Forward between a TUN device and UDP without protecting anything",
		Long: `The ceiling of bench e2e: a tunnel without cryptography. Nothing that goes through it is protected.
OPTIONS is a JSON object: device (a name), mtu, local and remote (ADDRESS:PORT). It prints "up" on
standard error when device and socket are there, and runs until it is interrupted.`,
		Example: `  sudo goipsec bench null '{"device":"null0","mtu":1435,"local":"10.99.0.1:4500","remote":"10.99.0.2:4500"}'`,
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			var o null.Options
			if err := json.Unmarshal([]byte(args[0]), &o); err != nil {
				return usageError{err}
			}
			o.Ready = func(ways string) { fmt.Fprintln(cmd.ErrOrStderr(), "up: "+ways) }
			return null.Run(ctx, o)
		},
	}
}
