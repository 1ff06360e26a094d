package main

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/config"
	"github.com/goipsec/goipsec/pkg/control"
	"github.com/goipsec/goipsec/pkg/diagnose"
	"github.com/goipsec/goipsec/pkg/endpoint"
)

func bugreportCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "bugreport",
		Short: "Gather what others need in order to help, without secrets",
		Long: `Writes an archive with the version, the status and last events of the running instance, the policy file without
its secrets, the filters it expands into, what doctor says, and the host's addresses, rules and routes. Key
files, certificates, key logs and the environment are never in it. What is in it and what was removed is
said, and stands in its MANIFEST.txt. Addresses and names stay, unless --anonymise is given.`,
		Example: `  sudo goipsec bugreport --dry-run
  sudo goipsec bugreport --anonymise -o report.tar.gz`,
		Args: usage(cobra.NoArgs),
	}
	configName, socket := configFlag(c), socketFlag(c)
	output := c.Flags().StringP("output", "o", "", "the archive's `file` (default: goipsec-report-DATE.tar.gz here)")
	dry := c.Flags().Bool("dry-run", false, "say what would be in it, and write nothing")
	force := c.Flags().Bool("force", false, "replace the file if it is there")
	anonymise := c.Flags().Bool("anonymise", false, "replace addresses and names, each by the same other one wherever it stands")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		named := ""
		if cmd.Flags().Changed("config") {
			named = *configName
		}
		o := diagnose.ReportOptions{Doctor: doctorOptions(cmd.Context(), *socket, named), Version: version(), Anonymise: *anonymise}
		if o.Doctor.PolicyPath != "" {
			if data, err := os.ReadFile(o.Doctor.PolicyPath); err == nil {
				o.File = data
				if file, err := config.Parse(o.Doctor.PolicyPath, data, config.Options{}); err == nil {
					o.Policies = file.Policies
				}
			}
		}
		if o.Doctor.Status != nil {
			if page, err := control.NewClient(*socket).List(cmd.Context(), endpoint.Query{List: endpoint.ListEvents, Limit: 1000}); err == nil {
				o.Events = page.Events
			}
		}
		r, err := diagnose.NewReport(o)
		if err != nil {
			return err
		}
		if err := r.WriteText(cmd.OutOrStdout()); err != nil || *dry {
			return err
		}
		if *output == "" {
			*output = "goipsec-report-" + time.Now().UTC().Format("20060102-150405") + ".tar.gz"
		}
		var archive bytes.Buffer
		if err := r.Write(&archive); err != nil {
			return err
		}
		if err := writeNew(*output, archive.Bytes(), 0o600, *force); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "\nwritten to %s; look through it before you give it away\n", *output)
		return err
	}
	return c
}
