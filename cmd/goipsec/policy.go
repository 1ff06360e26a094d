package main

import "github.com/spf13/cobra"

func policyCommand() *cobra.Command {
	return parent("policy", "Check, show and explain a policy file", policyCheckCommand(), policyShowCommand(), policyExplainCommand())
}
