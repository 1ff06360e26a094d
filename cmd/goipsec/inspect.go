package main

import (
	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/inspect"
)

func inspectCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Print the IKE, ESP and AH packets of a capture",
		Long: `Prints the IKE, ESP and AH packets of a pcap or pcapng file as a person reads them. With --keys, the directory that
goipsec up --keylog wrote (or one of Wireshark's with the tables ikev1_decryption_table and esp_sa),
IKEv1 messages and ESP packets are decrypted, and ICVs are checked.`,
		Example: `  goipsec inspect examples/capture/ikev1.pcap --keys examples/capture/keys`,
		Args:    usage(cobra.ExactArgs(1)),
	}
	asJSON := c.Flags().Bool("json", false, "write one JSON object a packet, with a schema version")
	keys := c.Flags().String("keys", "", "the `directory` of the key tables")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return inspect.Capture(cmd.OutOrStdout(), args[0], inspect.CaptureOptions{KeysDir: *keys, JSON: *asJSON})
	}
	return c
}
