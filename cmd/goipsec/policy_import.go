package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/interchange"
)

// importer is one of the readers of package interchange.
type importer func(name string, data []byte, opts interchange.Options) (*interchange.Result, error)

func policyImportCommand() *cobra.Command {
	return parent("import", "Write a policy file from a policy of another program",
		importCommand("netsh FILE", "Import a script of netsh ipsec static commands", `Reads a script of netsh ipsec static commands, for netsh -f or as a batch file, and writes a policy file.`,
			`  goipsec policy import netsh examples/netsh/block-ports.cmd -o policy.yaml`, interchange.ImportNetsh, false),
		importCommand("swanctl FILE", "Import a swanctl.conf of strongSwan", `Reads a swanctl.conf with what it includes from its own directory, and writes a policy file with the
connections that IKEv1 can carry.`,
			`  goipsec policy import swanctl examples/strongswan/swanctl.conf -o swanctl.yaml`, interchange.ImportSwanctl, false),
		importCommand("ipsec.conf FILE", "Import an ipsec.conf of strongSwan and its kin", `Reads an ipsec.conf with what it includes from its own directory, and writes a policy file with the conns
that are added and that IKEv1 can carry. Left is this host. Secrets are read from the files of --secrets.`,
			`  goipsec policy import ipsec.conf examples/strongswan/ipsec.conf --secrets examples/strongswan/ipsec.secrets -o ipsec.yaml`, interchange.ImportIPsecConf, true),
	)
}

const importHelp = `

What cannot be carried over is listed on standard error, with its line and the reason, and as comments at
the top of the policy file. A rule that protects traffic by means that are not here is written as one that
blocks: nothing that was protected goes in clear. Pre-shared keys go into files of their own beside the
policy file, which only their owner may read; they are never printed.`

// importCommand makes the command for one form.
func importCommand(use, short, long, example string, read importer, secrets bool) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Long: long + importHelp, Example: example, Args: usage(cobra.ExactArgs(1))}
	out := c.Flags().StringP("output", "o", "", "write the policy to this `file` and its keys beside it (default: standard output, if there are no keys)")
	strict := c.Flags().Bool("strict", false, "write nothing and fail if anything is not carried over")
	force := c.Flags().Bool("force", false, "replace files that are there")
	var files []string
	if secrets {
		c.Flags().StringArrayVar(&files, "secrets", nil, "a `file` with the secrets (ipsec.secrets); may be given several times")
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		opts, err := importOptions(args[0], files)
		if err != nil {
			return err
		}
		data, err := readSource(args[0])
		if err != nil {
			return err
		}
		result, err := read(args[0], data, opts)
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

// readSource reads the file to be imported, no more of it than an import takes.
func readSource(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, interchange.MaxSource+1))
}

// readWithMode reads a file that a policy names.
func readWithMode(name string) ([]byte, os.FileMode, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, 0, err
	}
	data, err := readSource(name)
	return data, info.Mode(), err
}

// importOptions gives an import the files of the source's own directory, and no others.
func importOptions(source string, secrets []string) (interchange.Options, error) {
	dir := filepath.Dir(source)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return interchange.Options{}, err
	}
	inside := func(name string) (string, error) {
		if filepath.IsAbs(name) {
			abs, err := filepath.Abs(dir)
			if err != nil {
				return "", err
			}
			if name, err = filepath.Rel(abs, name); err != nil {
				return "", err
			}
		}
		if !filepath.IsLocal(name) {
			return "", errors.New("it lies outside of the directory of the file that is imported")
		}
		return name, nil
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return interchange.Options{}, err
	}
	opts := interchange.Options{
		Dir: abs,
		ReadFile: func(name string) ([]byte, error) {
			name, err := inside(name)
			if err != nil {
				return nil, err
			}
			f, err := root.Open(name)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			return io.ReadAll(io.LimitReader(f, interchange.MaxSource+1))
		},
		Glob: func(pattern string) ([]string, error) {
			pattern, err := inside(pattern)
			if err != nil {
				return nil, err
			}
			names, err := filepath.Glob(filepath.Join(dir, pattern))
			for i := range names {
				names[i], _ = filepath.Rel(dir, names[i])
			}
			return names, err
		},
	}
	for _, name := range secrets {
		data, err := readSource(name)
		if err != nil {
			return opts, err
		}
		opts.Secrets = append(opts.Secrets, interchange.File{Name: name, Data: data})
	}
	return opts, nil
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
