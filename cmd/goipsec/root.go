package main

import (
	"github.com/spf13/cobra"

	"github.com/goipsec/goipsec/pkg/control"
)

// newRoot builds the tree of commands. Help topics are commands without a run function.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "goipsec",
		Short: "IPsec in user space: AH, ESP and IKE from a policy file",
		Long: `goipsec protects traffic between hosts with IPsec (AH, ESP, IKE) without any IPsec in the kernel.
A policy file says which traffic is permitted, blocked or protected, and how.`,
		Example: `  goipsec demo
  goipsec policy check examples/reject-all.yaml
  sudo goipsec up -c examples/host-to-host.yaml`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          usage(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(upCommand(), downCommand(), statusCommand(), connectCommand(), reloadCommand(), saCommand(), policyCommand(), pingCommand(), doctorCommand(),
		demoCommand(), inspectCommand(), pskCommand(), crlCommand(), xauthCommand(), benchCommand(), versionCommand(),
		monitorCommand(), bugreportCommand(),
		&cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: exitHelp})
	root.AddCommand(guardCommand())
	return root
}

// parent makes a command that only holds others: without one of them it shows its help.
func parent(use, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: usage(cobra.NoArgs), RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	c.AddCommand(children...)
	for _, child := range children {
		c.Example += child.Example + "\n"
	}
	c.Example = c.Example[:len(c.Example)-1]
	return c
}

// socketFlag adds --socket and returns where its value will be.
func socketFlag(c *cobra.Command) *string {
	return c.Flags().String("socket", control.DefaultPath(), "the instance's control `socket`")
}

// jsonFlag adds --json.
func jsonFlag(c *cobra.Command) *bool {
	return c.Flags().Bool("json", false, "write JSON with a schema version, for programs")
}
