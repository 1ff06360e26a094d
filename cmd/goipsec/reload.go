package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/control"
	"github.com/goipsec/goipsec/pkg/endpoint"
)

func reloadCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "reload",
		Short: "Apply a changed policy file without dropping SAs it does not touch",
		Long: `Makes a running instance read its policy file again, as SIGHUP does, and says how that ended. A bad
file is refused, and the old policy stays. Settings that only a start can bring into force (listen, tun,
guard) are named if they changed.`,
		Example: `  sudo goipsec reload`,
		Args:    usage(cobra.NoArgs),
	}
	socket := socketFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		waiting, err := control.NewClient(*socket).Reload(cmd.Context())
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), "the policy was reloaded")
		tellWaiting(cmd.OutOrStdout(), waiting)
		return nil
	}
	return c
}

// tellWaiting says which settings of a policy file that was read again are not in force, and what brings them in.
func tellWaiting(w io.Writer, list []endpoint.Waiting) {
	for _, s := range list {
		fmt.Fprintf(w, "not in force: %v\n", s)
	}
	if len(list) > 0 {
		fmt.Fprintf(w, "what is not in force: %s\n", endpoint.RestartAdvice)
	}
}
