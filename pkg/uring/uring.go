package uring

import "errors"

// ErrUnavailable says that there is no io_uring: another system, an old kernel, or one that does not let us (kernel.io_uring_disabled, a container's
// system call filter).
var ErrUnavailable = errors.New("io_uring is not to be had")

// Result is what became of a request.
type Result struct {
	// ID is the number that the request was given.
	ID uint64
	// N is what the system call would have returned: a count (of Poll the events), or if negative an error number.
	N int32
}
