// Package interchange reads policies that were written for others and writes ours for them: scripts of netsh ipsec static commands,
// strongSwan's swanctl.conf, and ipsec.conf.
//
// # Life of an import
//
// A reader turns text into a draft: the model of package policy with what the model has no room for, namely comments, the names of shared
// lists, and the names of key files. The draft is written as a policy file ([Result.Policy]) that package config reads back to the
// same model. What a reader cannot carry over becomes a [Note] with its line and the reason; nothing is dropped silently. Where a rule
// protects traffic and what it needs is missing here, the rule is written so that it blocks: an import never sends in clear what was protected.
//
// Pre-shared keys leave the reader as [KeyFile]s, which the caller writes beside the policy file. They are part of no note and of no text.
//
// No file is touched and no name resolved: what a configuration includes is asked of [Options].ReadFile.
//
// # Concurrency
//
// The functions keep nothing between calls and may run any number of times at once.
package interchange
