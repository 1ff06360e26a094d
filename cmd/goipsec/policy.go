package main

import "github.com/spf13/cobra"

func policyCommand() *cobra.Command {
	return parent("policy", "Check, show, explain, assign, import and export policies", policyCheckCommand(), policyShowCommand(), policyExplainCommand(),
		policyAssignCommand(), policyUnassignCommand(), policyImportCommand(), policyExportCommand())
}
