package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/goipsec/goipsec/pkg/control"
	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/inspect"
)

func statusCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "Show policy, peers, SAs, traffic and drops of a running instance",
		Long: `Shows what a running instance does: its policy, main-mode and quick-mode SAs with SPIs, algorithms, age,
lifetimes left, bytes and packets, the drops by reason, and the last failed negotiations with the
likely cause and the next step.`,
		Example: `  sudo goipsec status
  sudo goipsec status --json
  sudo goipsec status --statistics
  sudo goipsec status --watch`,
		Args: usage(cobra.NoArgs),
	}
	socket, asJSON := socketFlag(c), jsonFlag(c)
	figures := c.Flags().Bool("statistics", false, "show the statistics of both modes, by their names in the IP Security Monitor")
	watch := c.Flags().Bool("watch", false, "show it again every second; with --json one line each")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		client := control.NewClient(*socket)
		if *watch {
			return watchStatus(cmd.Context(), cmd.OutOrStdout(), client, *asJSON)
		}
		s, err := client.Status(cmd.Context())
		if err != nil {
			return err
		}
		if *figures {
			return inspect.Write(cmd.OutOrStdout(), s.Statistics, *asJSON)
		}
		return inspect.Write(cmd.OutOrStdout(), s, *asJSON)
	}
	c.MarkFlagsMutuallyExclusive("watch", "statistics")
	return c
}

// watchStatus shows the status every second until the context ends or the instance does.
func watchStatus(ctx context.Context, w io.Writer, client *control.Client, asJSON bool) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		s, err := client.Status(ctx)
		if err != nil {
			return err
		}
		if err := showOnce(w, s, asJSON); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// showOnce writes one status of a series: on a terminal in the place of the last.
func showOnce(w io.Writer, s endpoint.Status, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(s)
	}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(w, "\x1b[H\x1b[2J")
	}
	return s.WriteText(w)
}
