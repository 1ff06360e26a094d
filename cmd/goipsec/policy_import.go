package main

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/interchange"
)

// importer is one of the readers of package interchange.
type importer func(name string, data []byte, opts interchange.Options) (*interchange.Result, error)

// form is one form of policy that can be imported.
type form struct {
	use, short, long, example string
	read                      importer
	secrets, certificates     bool // it takes the flags for these
}

func policyImportCommand() *cobra.Command {
	return parent("import", "Write a policy file from a policy of another program",
		importCommand(form{use: "netsh FILE", short: "Import a script of netsh ipsec static commands", read: interchange.ImportNetsh, certificates: true,
			long: `Reads a script of netsh ipsec static commands, for netsh -f or as a batch file, and writes a policy file.
netsh names certification authorities by their subjects and takes this host's certificate from the store of
Windows: --ca, --certificate and --key-file name the files for both.`,
			example: `  goipsec policy import netsh examples/netsh/block-ports.cmd -o policy.yaml`}),
		importCommand(form{use: "swanctl FILE", short: "Import a swanctl.conf of strongSwan", read: interchange.ImportSwanctl,
			long: `Reads a swanctl.conf with what it includes from its own directory, and writes a policy file with the
connections that IKEv1 can carry.`,
			example: `  goipsec policy import swanctl examples/strongswan/swanctl.conf -o swanctl.yaml`}),
		importCommand(form{use: "ipsec.conf FILE", short: "Import an ipsec.conf of strongSwan and its kin", read: interchange.ImportIPsecConf, secrets: true,
			long: `Reads an ipsec.conf with what it includes from its own directory, and writes a policy file with the conns
that are added and that IKEv1 can carry. Left is this host. Secrets are read from the files of --secrets.`,
			example: `  goipsec policy import ipsec.conf examples/strongswan/ipsec.conf --secrets examples/strongswan/ipsec.secrets -o ipsec.yaml`}),
	)
}

const importHelp = `

What cannot be carried over is listed on standard error, with its line and the reason, and as comments at
the top of the policy file. A rule that protects traffic by means that are not here is written as one that
blocks: nothing that was protected goes in clear. What lets traffic pass and is not understood in full is left
out. Pre-shared keys go into files of their own beside the
policy file, which only their owner may read; they are never printed.`

// importFiles are the files that flags name beside the source.
type importFiles struct {
	secrets, certificates, authorities []string
	key                                string
}

// importCommand makes the command for one form.
func importCommand(f form) *cobra.Command {
	c := &cobra.Command{Use: f.use, Short: f.short, Long: f.long + importHelp, Example: f.example, Args: usage(cobra.ExactArgs(1))}
	out := c.Flags().StringP("output", "o", "", "write the policy to this `file` and its keys beside it (default: standard output, if there are no keys)")
	strict := c.Flags().Bool("strict", false, "write nothing and fail if anything is not carried over")
	force := c.Flags().Bool("force", false, "replace files that are there")
	var files importFiles
	if f.secrets {
		c.Flags().StringArrayVar(&files.secrets, "secrets", nil, "a `file` with the secrets (ipsec.secrets); may be given several times")
	}
	if f.certificates {
		c.Flags().StringArrayVar(&files.certificates, "certificate", nil, "a `file` with a certificate of this host; may be given several times")
		c.Flags().StringVar(&files.key, "key-file", "", "the `file` with its private key, if that does not stand with it")
		c.Flags().StringArrayVar(&files.authorities, "ca", nil, "a `file` with root certificates that the source may name; may be given several times")
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		opts, err := importOptions(args[0], files, *out)
		if err != nil {
			return err
		}
		data, err := readSource(args[0])
		if err != nil {
			return err
		}
		result, err := f.read(args[0], data, opts)
		if err != nil {
			return err
		}
		if err := listNotes(cmd.ErrOrStderr(), result.Notes); err != nil {
			return err
		}
		if n := result.LostCount(); *strict && n > 0 {
			return fmt.Errorf("%d things of %s are not carried over, and --strict is given: nothing is written", n, args[0])
		}
		if err := writeImport(cmd.OutOrStdout(), result, *out, *force); err != nil {
			return err
		}
		if _, err := result.Check(*out, readWithMode); err != nil {
			return fmt.Errorf("the policy needs your hand before it can be used:\n%w", err)
		}
		return nil
	}
	return c
}

// listNotes lists what is not carried over, then the remarks.
func listNotes(w io.Writer, notes []interchange.Note) error {
	for _, kind := range []struct {
		kind  interchange.NoteKind
		title string
	}{{interchange.Lost, "not carried over"}, {interchange.Remark, "remark"}} {
		for _, n := range notes {
			if n.Kind != kind.kind {
				continue
			}
			if _, err := fmt.Fprintf(w, "%s: %v\n", kind.title, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeImport writes the policy file and its keys. A key that is there and is the same stays.
func writeImport(stdout io.Writer, result *interchange.Result, out string, force bool) error {
	if out == "" || out == "-" {
		if len(result.Keys) > 0 {
			return usageError{fmt.Errorf("the policy has %d pre-shared keys, which go into files beside it: name its file with -o FILE", len(result.Keys))}
		}
		_, err := stdout.Write(result.Policy)
		return err
	}
	dir := filepath.Dir(out)
	for _, k := range result.Keys {
		if err := writeNew(filepath.Join(dir, k.Name), k.Content(), 0o600, force); err != nil {
			return err
		}
	}
	return writeNew(out, result.Policy, 0o644, force)
}
