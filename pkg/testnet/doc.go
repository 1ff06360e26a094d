// Package testnet gives tests a network of their own: Main runs a whole test binary in a fresh network namespace, and NewHost adds
// another host beside it, joined by Veth. Nothing that a test does there can touch the machine's own network, and nothing has to
// be cleaned up: the namespaces go when the test binary ends. It is imported by tests only.
//
// A test that needs this calls Need first, which skips it with a clear line where there is no root or no Linux.
package testnet
