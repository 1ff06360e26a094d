package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/config"
	"github.com/goipsec/goipsec/pkg/inspect"
	"github.com/goipsec/goipsec/pkg/policy"
)

func policyCheckCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a policy file: every error with its place, and what is weak",
		Long: `Reads a policy file strictly and expands its policies for this host. Every error is shown with file,
line, column, the line itself and a hint; then come warnings, such as weak algorithms and key files that others
may read; then findings, each with what to write instead: filters that can never match, permitted traffic
whose answers are stopped, negotiation with everybody, two keys for one gateway. DNS names are not
looked up.`,
		Example: `  goipsec policy check examples/reject-all.yaml`,
		Args:    usage(cobra.ExactArgs(1)),
	}
	asJSON, local := jsonFlag(c), localFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		view, err := check(args[0], *local)
		if view == nil {
			return err
		}
		return errors.Join(inspect.Write(cmd.OutOrStdout(), *view, *asJSON), quiet(err))
	}
	return c
}

// check reads and expands a file. There is a view unless the file could not be read at all; its faults are in the view and in the error.
func check(path string, local []string) (*inspect.CheckView, error) {
	file, err := read(path)
	var faults config.Errors
	if errors.As(err, &faults) {
		v := inspect.ViewCheck(path, nil, nil, nil, nil, lines(faults.Unwrap()))
		return &v, err
	}
	if err != nil {
		return nil, err
	}
	host, err := localHost(file.Assigned, local)
	if err != nil {
		return nil, err
	}
	host.LookOnly = true
	c, err := policy.CompileOn(file.Assigned, host)
	var expansion policy.Errors
	if err != nil && !errors.As(err, &expansion) {
		return nil, err
	}
	warnings := make([]string, len(file.Warnings))
	for i, w := range file.Warnings {
		warnings[i] = w.String()
	}
	v := inspect.ViewCheck(path, file.Policies, file.Assigned, c, warnings, lines(expansion.Unwrap()))
	v.Findings = findings(file, c, host)
	return &v, err
}

// findings reviews the assigned policy, which was expanded into c unless it has faults, and the others, as far as they can be expanded.
func findings(file *config.File, c *policy.Compiled, host policy.LocalHost) []inspect.FindingView {
	var list []inspect.FindingView
	for _, p := range file.Policies {
		compiled := c
		if p != file.Assigned {
			compiled, _ = policy.CompileOn(p, host) // its faults are told when it is assigned
		}
		if compiled != nil {
			list = append(list, inspect.ViewFindings(p.Name, policy.Review(compiled))...)
		}
		list = append(list, inspect.ViewFindings(p.Name, policy.ReviewCertificates(p, time.Now()))...)
	}
	return list
}

func lines(errs []error) []string {
	out := make([]string, len(errs))
	for i, e := range errs {
		out[i] = e.Error()
	}
	return out
}

// quietError has the exit code of an error that was already shown.
type quietError struct{ error }

func (quietError) Error() string   { return "" }
func (e quietError) Unwrap() error { return e.error }

// quiet keeps an error from being printed twice.
func quiet(err error) error {
	if err == nil {
		return nil
	}
	return quietError{err}
}
