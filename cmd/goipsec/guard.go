package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/control"
	"github.com/goipsec/goipsec/pkg/guard"
)

func guardCommand() *cobra.Command {
	return parent("guard", "Show or open what the host's firewall refuses for an instance", guardShowCommand(), guardClearCommand())
}

func guardShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "show",
		Short: "Show the rules in force, in their order, with what they dropped",
		Long: `Reads the guard of every instance from the host's firewall: what passes in any case, then the rules,
heaviest first, each with its verdict and the packets that it dropped since it was put in force (a
reload begins anew). The first that matches decides; what none matches passes. It works whether the
instance runs or not: a guard outlives a process that was killed. With --socket it shows the guard
of one instance.`,
		Example: `  sudo goipsec guard show
  sudo goipsec guard show --json --socket /run/goipsec/goipsec.sock`,
		Args: usage(cobra.NoArgs),
	}
	socket, asJSON := socketFlag(c), jsonFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		names := []string{control.Instance(*socket)}
		if !cmd.Flags().Changed("socket") {
			var err error
			if names, err = guard.List(); err != nil {
				return err
			}
		}
		return showGuards(cmd.OutOrStdout(), names, *asJSON)
	}
	return c
}

// guards is the JSON form of several.
type guards struct {
	SchemaVersion int              `json:"schema_version"`
	Guards        []*guard.Listing `json:"guards"`
}

func showGuards(w io.Writer, names []string, asJSON bool) error {
	all := guards{SchemaVersion: guard.SchemaVersion, Guards: []*guard.Listing{}}
	for _, n := range names {
		l, err := guard.Show(n)
		if err != nil {
			return err
		}
		all.Guards = append(all.Guards, l)
	}
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(all)
	}
	if len(names) == 0 {
		_, err := fmt.Fprintln(w, "no guard is in force")
		return err
	}
	for i, l := range all.Guards {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := l.WriteText(w); err != nil {
			return err
		}
	}
	return nil
}

func guardClearCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "clear",
		Short: "Open what a guard holds closed: for guards that a killed process left",
		Long: `Removes the guard of an instance from the host's firewall, and with it what stops clear traffic that
the policy blocks or wants protected. Without --yes it only says what it would open. While the
instance runs it refuses, because the guard is a part of what that promises: goipsec down ends the
instance and takes the guard back, with everything else. --force removes it all the same; the next
reload or change of addresses puts it back.`,
		Example: `  sudo goipsec guard clear
  sudo goipsec guard clear --yes`,
		Args: usage(cobra.NoArgs),
	}
	socket := socketFlag(c)
	yes := c.Flags().Bool("yes", false, "do it, not only say what would be opened")
	force := c.Flags().Bool("force", false, "also while the instance runs")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return clearGuard(cmd.Context(), cmd.OutOrStdout(), *socket, *yes, *force)
	}
	return c
}

func clearGuard(ctx context.Context, w io.Writer, socket string, yes, force bool) error {
	instance := control.Instance(socket)
	l, err := guard.Show(instance)
	if errors.Is(err, guard.ErrNone) {
		fmt.Fprintf(w, "no guard is in force for instance %s\n", instance)
		return nil
	}
	if err != nil {
		return err
	}
	if !force {
		if err := notRunning(ctx, socket); err != nil {
			return err
		}
	}
	sayOpened(w, l, yes)
	if !yes {
		return errors.New("nothing was changed: --yes removes the guard")
	}
	_, err = guard.Clear(instance)
	return err
}

// notRunning fails if an instance answers on the socket, or if that cannot be told.
func notRunning(ctx context.Context, socket string) error {
	s, err := control.NewClient(socket).Status(ctx)
	var gone *control.NotRunningError
	switch {
	case errors.As(err, &gone):
		return nil
	case err != nil:
		return fmt.Errorf("it cannot be told whether the instance runs (--force does not ask): %w", err)
	}
	return fmt.Errorf("the instance runs (process %d) and its guard stays: goipsec down ends it and opens what it holds closed, --force opens it now, until the next reload", s.PID)
}

// mostShown is how many rules are named one by one.
const mostShown = 20

func sayOpened(w io.Writer, l *guard.Listing, yes bool) {
	drops := l.Drops()
	verb := "would open"
	if yes {
		verb = "opens"
	}
	fmt.Fprintf(w, "this %s instance %s to clear packets that %d rules refuse:\n", verb, l.Instance, len(drops))
	for i, x := range drops {
		if i == mostShown {
			fmt.Fprintf(w, "  and %d more: goipsec guard show lists them\n", len(drops)-mostShown)
			break
		}
		fmt.Fprintf(w, "  %s %s\n", x.Direction, x.What)
	}
	fmt.Fprintln(w, "routes that hold protected traffic back stay: goipsec down removes those")
}
