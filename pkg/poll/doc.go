// Package poll lets one thread wait for several files of others in the kernel, past the runtime's poller, which each packet would wake.
//
// The life of a [Poller]: New, or errors.ErrUnsupported where there is none (all but Linux), in which case everybody waits for himself; Wait, time and
// again; Close, when nobody waits or kicks any more. Files stay their owners': they are lent for the length of a Wait.
//
// Concurrency: one goroutine waits at a time; Kick may be called by any number.
package poll

// Files are what can be waited for: the descriptors of a device's queue or of a socket.
type Files interface {
	// Lend appends to fds those that are readable when a read gives something, fails or was ended by Close. They are not closed before Return is called.
	// It reports false, and Return must not be called, if they are closed.
	Lend(fds []int) ([]int, bool)
	Return()
}

// Sleeper are Files that have to know when somebody is about to wait for them, between Lend and Return. It reports false if that is not to be: something
// has come meanwhile, or was waited for within Sleep.
type Sleeper interface{ Sleep() bool }
