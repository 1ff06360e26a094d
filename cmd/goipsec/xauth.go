package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/goipsec/goipsec/pkg/password"
)

func xauthCommand() *cobra.Command {
	return parent("xauth", "Help with extended authentication (XAUTH)", xauthHashCommand())
}

func xauthHashCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "hash NAME",
		Short: "Print a line for a gateway's file of users",
		Long: `Reads a password from the terminal, or the first line of the standard input where that is none, and prints
NAME and a salted hash of it (argon2id) as a line for the file that users_file names in a policy.`,
		Example: `  goipsec xauth hash carol`,
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "" || len(args[0]) > 255 || strings.ContainsAny(args[0], ":\r\n") || strings.HasPrefix(args[0], "#") {
				return usageError{errors.New("a name has 1 to 255 characters, none of them a colon, and does not begin with #")}
			}
			secret, err := readPassword(cmd.InOrStdin(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			hash, err := password.Make(rand.Reader, secret)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s:%s\n", args[0], hash)
			return err
		},
	}
}

// readPassword reads a password, unseen and twice from a terminal, or the first line of anything else.
func readPassword(in io.Reader, ask io.Writer) ([]byte, error) {
	f, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		text, err := io.ReadAll(io.LimitReader(in, password.MaxLen+3))
		first, _, _ := bytes.Cut(text, []byte("\n"))
		return bytes.TrimSuffix(first, []byte("\r")), err
	}
	var typed [2][]byte
	for i, what := range []string{"Password: ", "Again: "} {
		fmt.Fprint(ask, what)
		text, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(ask)
		if err != nil {
			return nil, fmt.Errorf("the password could not be read from the terminal: %w", err)
		}
		typed[i] = text
	}
	if !bytes.Equal(typed[0], typed[1]) {
		return nil, errors.New("the two passwords are not the same; nothing was made")
	}
	return typed[0], nil
}
