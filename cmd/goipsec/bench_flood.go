package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/bench/flood"
	"github.com/goipsec/goipsec/pkg/inspect"
)

// benchFloodCommand is what bench e2e starts in its hosts. It is hidden: there is nothing in it for people.
func benchFloodCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "flood send|sink OPTIONS",
		Hidden: true,
		Short:  "Send datagrams as fast as they are taken, or count those that arrive",
		Long: `The generator and the sink of bench e2e. OPTIONS is a JSON object, the same for both: from, to (addresses), port,
flows, size (of the whole IP datagram), run, window (0: flat out), warm and length (nanoseconds).
The sink prints "ready" on standard error when its sockets are open. Both print what they counted as JSON.`,
		Example: `  sudo goipsec bench flood sink '{"to":"127.0.0.1","port":5300,"flows":1,"size":64,"length":1000000000}'`,
		Args:    usage(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			var o flood.Options
			if err := json.Unmarshal([]byte(args[1]), &o); err != nil {
				return usageError{err}
			}
			o.Ready = func() { fmt.Fprintln(cmd.ErrOrStderr(), "ready") }
			var done any
			var err error
			switch args[0] {
			case "send":
				done, err = flood.Send(ctx, o)
			case "sink":
				done, err = flood.Sink(ctx, o)
			default:
				return usageError{errors.New("flood sends or is a sink: say send or sink")}
			}
			if errors.Is(err, flood.ErrOptions) {
				return usageError{err}
			}
			if err != nil {
				return err
			}
			return inspect.WriteJSON(cmd.OutOrStdout(), done)
		},
	}
}
