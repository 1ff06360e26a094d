// Package uring lets the kernel do many reads and writes for one system call (io_uring, Linux 5.7 and later; see io_uring(7)).
//
// The life of a Ring: New, or an error that is ErrUnavailable where the kernel has none or forbids it to us, in which case the caller does the same by
// ordinary system calls. Queue requests (Read, TryRead, TryWritev, Poll, Cancel), each with a number of the caller's choice; Enter hands them over and waits; Next
// gives results with these numbers, in any order. Close.
//
// What a request points to belongs to the kernel until its result has come. The Ring keeps a reference until then, if no more than its size of
// requests are queued in the meantime; a request that may wait longer has to be cancelled, and its result awaited, before the memory is let go.
//
// Concurrency: one goroutine at a time, on whatever thread; Close must not run beside anything else.
package uring
