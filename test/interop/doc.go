// Package interop holds tests of goipsec with real peers: another goipsec, strongSwan in user space, and a real Linux kernel with
// and without strongSwan. They run in the namespaces that package lab makes, so they need root on Linux and skip elsewhere.
//
// The tests keep docs/interop.md: what they prove becomes a row of it (package record). Run
//
//	go test ./test/interop -update
//
// to write it anew.
package interop
