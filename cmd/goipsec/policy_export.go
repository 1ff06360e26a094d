package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/interchange"
)

func policyExportCommand() *cobra.Command {
	return parent("export", "Write a policy file as a policy of another program", exportNetshCommand())
}

func exportNetshCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "netsh FILE",
		Short: "Export a policy file as a script of netsh ipsec static commands",
		Long: `Writes all policies of a file as a script for netsh -f, with which Windows gets the same filters.
What netsh cannot say is listed on standard error, with its line in the policy file; a rule that protects
by such means blocks in the script, and nothing is permitted that the policy does not permit.

netsh has no place for a pre-shared key but its commands: a policy that has some is exported only with
--with-keys, into a file that only its owner may read.`,
		Example: `  goipsec policy export netsh examples/reject-all.yaml -o reject-all.txt`,
		Args:    usage(cobra.ExactArgs(1)),
	}
	out := c.Flags().StringP("output", "o", "", "write the script to this `file` (default: standard output)")
	withKeys := c.Flags().Bool("with-keys", false, "write pre-shared keys into the script; needs -o")
	strict := c.Flags().Bool("strict", false, "write nothing and fail if netsh cannot say something")
	force := c.Flags().Bool("force", false, "replace a file that is there")
	local := c.Flags().StringSlice("local", nil, "this host's `addresses` in tunnels whose policy leaves them to the route")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		file, err := read(args[0])
		if err != nil {
			return err
		}
		opts := interchange.ExportOptions{WithKeys: *withKeys}
		if len(*local) > 0 {
			if opts.Local, err = localAddresses(*local); err != nil {
				return err
			}
		}
		script, err := interchange.ExportNetsh(file, opts)
		if err != nil {
			return err
		}
		lost := 0
		for _, n := range script.Notes {
			if n.Kind == interchange.Lost {
				lost++
			}
		}
		if err := listNotes(cmd.ErrOrStderr(), script.Notes); err != nil {
			return err
		}
		switch {
		case *strict && lost > 0:
			return fmt.Errorf("netsh cannot say %d things of %s, and --strict is given: nothing is written", lost, args[0])
		case script.Keys && *out == "":
			return usageError{errors.New("the script holds pre-shared keys, which are never printed: name its file with -o FILE")}
		case *out == "":
			_, err := cmd.OutOrStdout().Write(script.Text)
			return err
		}
		mode := os.FileMode(0o644)
		if script.Keys {
			mode = 0o600
		}
		return writeNew(*out, script.Text, mode, *force)
	}
	return c
}
