package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"
)

func pskCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "psk",
		Short: "Make a new random pre-shared key",
		Long: `Prints a new pre-shared key that nobody can guess: 52 letters and digits, 260 random bits.
Put it into a file that only root may read, and name that file as psk_file in the policies of both ends.
A different key for each pair of hosts keeps the loss of one from endangering the others.`,
		Example: `  goipsec psk`,
		Args:    usage(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return newPSK(cmd, nil) },
	}
	c.AddCommand(&cobra.Command{
		Use:   "new [FILE]",
		Short: "Make a new random pre-shared key, printed or written into a new file",
		Long: `Makes a new pre-shared key that nobody can guess: 52 letters and digits, 260 random bits. Without FILE it is printed; with it, it is
written into a new file that only its owner may read. A file that is there already is left alone.`,
		Example: `  goipsec psk new`,
		Args:    usage(cobra.MaximumNArgs(1)),
		RunE:    newPSK,
	})
	return c
}

func newPSK(cmd *cobra.Command, args []string) error {
	key := rand.Text() + rand.Text() + "\n"
	if len(args) == 0 {
		_, err := fmt.Fprint(cmd.OutOrStdout(), key)
		return err
	}
	err := create(args[0], []byte(key), 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already, and its key may be in use: name another file", args[0])
	}
	return err
}
