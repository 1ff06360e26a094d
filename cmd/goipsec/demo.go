package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/demo"
	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/inspect"
)

func demoCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run two endpoints in this process and move traffic between them",
		Long: `Runs two complete endpoints in one process: real policies, real IKE, real ESP over UDP on loopback, a network stack
of their own in place of the TUN device. It needs no root and no set-up. It pings, moves data over TCP
while the keys are replaced, and looks at every datagram on the wire. The exit code is 0 only if every
byte arrived and the wire was clean.`,
		Example: `  goipsec demo
  goipsec demo --json`,
		Args: usage(cobra.NoArgs),
	}
	asJSON := jsonFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		o := demo.Options{}
		if !*asJSON {
			o.Progress = func(step string) { fmt.Fprintln(os.Stderr, "… "+step) }
		}
		r, err := demo.Run(cmd.Context(), o)
		return errors.Join(err, inspect.Write(cmd.OutOrStdout(), demoView{r}, *asJSON))
	}
	return c
}

// demoView writes a report for a person; as JSON it is the report itself.
type demoView struct{ demo.Report }

func (v demoView) WriteText(w io.Writer) error {
	for i, s := range []endpoint.Status{v.A, v.B} {
		fmt.Fprintf(w, "=== status of endpoint %c\n", 'a'+i)
		if err := s.WriteText(w); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	verdict := "everything arrived and the wire was clean"
	if !v.OK {
		verdict = "FAILED"
	}
	_, err := fmt.Fprintf(w, "=== result\npings: %d answered; TCP: %d bytes in %.2f s; rekeys under load: %d quick mode, %d main mode\nwire: %v\nself-check with ESP-NULL: %v\n%s\n",
		len(v.Pings), v.Moved, v.Seconds, v.QuickModeRekeys, v.MainModeRekeys, v.Wire, v.NullWire, verdict)
	return err
}
