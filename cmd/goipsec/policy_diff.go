package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/config"
	"github.com/goipsec/goipsec/pkg/inspect"
	"github.com/goipsec/goipsec/pkg/policy"
)

// errDiffers is the result of a comparison that found something. It was shown already.
var errDiffers = quiet(errors.New("the policies differ"))

func policyDiffCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "diff A B",
		Short: "Show what changes when policy file B takes the place of A",
		Long: `Compares the assigned policies of two files as they expand on this host: which specific filters are added,
removed or mean something else, in what they differ, and which SAs a running instance would drop. A file may
be followed by # and the name of another of its policies. Keys are compared and never shown; DNS names are
not looked up.

The exit code is 0 if nothing changes and 8 if something does.`,
		Example: `  goipsec policy diff --local 192.0.2.1 examples/host-to-host.yaml examples/host-to-host.yaml`,
		Args:    usage(cobra.ExactArgs(2)),
	}
	asJSON, local := jsonFlag(c), localFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		before, from, err := side(args[0], *local)
		if err != nil {
			return err
		}
		after, to, err := side(args[1], *local)
		if err != nil {
			return err
		}
		d := policy.Diff(before, after)
		if err := inspect.Write(cmd.OutOrStdout(), inspect.ViewDiff(from, to, d), *asJSON); err != nil || d.Same() {
			return err
		}
		return errDiffers
	}
	return c
}

// side reads one side of a comparison: FILE, or FILE#NAME for another policy than the assigned one.
func side(arg string, local []string) (*policy.Compiled, inspect.DiffEnd, error) {
	path, name, _ := strings.Cut(arg, "#")
	end := inspect.DiffEnd{File: path}
	file, err := read(path)
	if err != nil {
		return nil, end, err
	}
	p, err := named(file, name)
	if err != nil {
		return nil, end, err
	}
	end.Policy = p.Name
	host, err := localHost(p, local)
	if err != nil {
		return nil, end, err
	}
	host.LookOnly = true
	c, err := policy.CompileOn(p, host)
	return c, end, err
}

// named finds a policy of a file; "" is the assigned one.
func named(file *config.File, name string) (*policy.Policy, error) {
	if name == "" {
		return file.Assigned, nil
	}
	for _, p := range file.Policies {
		if p.Name == name {
			return p, nil
		}
	}
	return nil, usageError{fmt.Errorf("%s holds no policy %.80q", file.Path, name)}
}
