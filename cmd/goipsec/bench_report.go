package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/bench/plot"
	"github.com/goipsec/goipsec/pkg/inspect"
)

// report is how a measurement is written.
type report struct {
	json     string
	markdown bool
	plot     string
}

// reportFlags adds --json and --markdown.
func reportFlags(c *cobra.Command) *report {
	r := new(report)
	c.Flags().StringVar(&r.json, "json", "", "write the result as JSON to this `file`, with every sample, machine and version; - is standard output")
	c.Flags().BoolVar(&r.markdown, "markdown", false, "print the tables as Markdown, as bench/README.md holds them")
	return r
}

// plotFlag adds --plot, for results that have charts.
func (r *report) plotFlag(c *cobra.Command) {
	c.Flags().StringVar(&r.plot, "plot", "", "draw the result as SVG files in this `directory`")
}

// table is a result that people can read.
type table interface {
	Markdown(w io.Writer) error
	Text(w io.Writer) error
}

// measured runs a measurement until it ends or is interrupted, and writes its result. Errors that wrap wrong are the user's; interrupted is what an
// interruption is told by.
func measured[T table](cmd *cobra.Command, r *report, wrong error, interrupted string, run func(context.Context) (T, error)) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	result, err := run(ctx)
	switch {
	case errors.Is(err, wrong):
		return usageError{err}
	case errors.Is(err, context.Canceled):
		return errors.New(interrupted)
	case err != nil:
		return err
	}
	return r.write(cmd.OutOrStdout(), result)
}

// What an interrupted measurement says: one in this process, and one that had made namespaces and started programs.
const (
	interrupted    = "interrupted"
	interruptedAll = "interrupted; everything that was started is stopped and removed"
)

func (r *report) write(stdout io.Writer, t table) error {
	var drawn error
	if charts, ok := t.(interface{ Charts() []plot.Chart }); ok && r.plot != "" {
		drawn = plot.Write(r.plot, charts.Charts())
	}
	return errors.Join(r.print(stdout, t), drawn)
}

func (r *report) print(stdout io.Writer, t table) error {
	if r.json == "-" {
		return inspect.WriteJSON(stdout, t)
	}
	as := t.Text
	if r.markdown {
		as = t.Markdown
	}
	err := as(stdout)
	if r.json == "" {
		return err
	}
	f, create := os.Create(r.json)
	if create != nil {
		return errors.Join(err, create)
	}
	return errors.Join(err, inspect.WriteJSON(f, t), f.Close())
}
