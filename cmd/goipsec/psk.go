package main

import (
	"crypto/rand"
	"fmt"

	"github.com/spf13/cobra"
)

func pskCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "psk",
		Short: "Print a new random pre-shared key",
		Long: `Prints a new pre-shared key that nobody can guess: 52 letters and digits, 260 random bits.
Put it into a file that only root may read, and name that file as psk_file in the policies of both ends.`,
		Example: `  goipsec psk`,
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), rand.Text()+rand.Text())
			return err
		},
	}
}
