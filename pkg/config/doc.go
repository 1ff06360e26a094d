// Package config reads the policy file: strictly, all errors at once, each with its place, the offending line and a hint.
//
// # Life of a file
//
// [Load] or [Parse] turns text into a [File]: validated policies of package policy, and what the endpoint needs beside them. Strings stop here:
// what leaves the package is addresses, numbers and algorithms. Then the policy as a whole is checked ([policy.Check]). Names are not resolved and no address of the
// host is asked for; [policy.Compile] does what needs them. Key files are read at once and their bytes kept as [policy.Secret].
//
// The YAML parser stands behind one file of this package, yaml.go. What is left of YAML is plain: no anchors, aliases, merge keys or tags.
//
// Key material is never part of an error or a warning, also not in the lines that errors show: see lines.go.
//
// # Concurrency
//
// A File is immutable. Parse keeps nothing between calls and may run any number of times at once.
package config
