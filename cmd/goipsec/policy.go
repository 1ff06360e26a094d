package main

import "github.com/spf13/cobra"

func policyCommand() *cobra.Command {
	return parent("policy", "Check, show, explain, compare, assign, import and export policies", policyCheckCommand(), policyShowCommand(), policyExplainCommand(),
		policyDiffCommand(), policyAssignCommand(), policyUnassignCommand(), policyImportCommand(), policyExportCommand())
}
