package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/goipsec/goipsec/pkg/control"
	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/inspect"
	"github.com/goipsec/goipsec/pkg/metrics"
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
  sudo goipsec status --metrics
  sudo goipsec status --watch`,
		Args: usage(cobra.NoArgs),
	}
	socket, asJSON := socketFlag(c), jsonFlag(c)
	figures := c.Flags().Bool("statistics", false, "show the statistics of both modes, by their names in the IP Security Monitor")
	text := c.Flags().Bool("metrics", false, "write metrics in the text format of Prometheus, for a file that a collector reads; goipsec_up is 0 if no instance runs")
	watch := c.Flags().Bool("watch", false, "show it again every second; with --json one line each")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		client := control.NewClient(*socket)
		if *watch {
			return watchStatus(cmd.Context(), cmd.OutOrStdout(), client, *asJSON)
		}
		if *text {
			return writeMetrics(cmd.Context(), cmd.OutOrStdout(), client)
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
	c.MarkFlagsMutuallyExclusive("watch", "statistics", "metrics")
	c.MarkFlagsMutuallyExclusive("json", "metrics")
	return c
}

// writeMetrics writes metrics of the instance, or that there is none; the error tells the same.
func writeMetrics(ctx context.Context, w io.Writer, client *control.Client) error {
	p, err := client.List(ctx, endpoint.Query{List: endpoint.ListOverview})
	if err != nil || p.Status == nil {
		return errors.Join(err, metrics.Unreachable(w))
	}
	return metrics.Write(w, p.Status)
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
