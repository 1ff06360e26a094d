// Package lab is a small laboratory for tests with real hosts, links and peers: network namespaces, veth links and switches,
// packet captures, goipsec itself, strongSwan and a Linux kernel in user mode.
//
// A test binary becomes a laboratory by calling Main from its TestMain. Main runs the same binary again in namespaces of its own:
// processes, mounts and network. The peers' tree (package peers) lies over /usr there, and nothing that a test does can reach
// the host: when the binary ends, even by SIGKILL, the kernel removes its processes, links, mounts and addresses. Where that is
// not possible the tests skip, and say why.
//
// Life of a Lab: New in a test, hosts and links, processes in them; t.Cleanup ends what is left, newest first. Everything fails
// the test by itself, with the output of the command that failed. A Lab belongs to its test's goroutine; Log may be read
// from any.
//
// Real peers take real time, so this package waits: only wait.go reads the clock, and always for an event with a deadline,
// never for a duration.
package lab
