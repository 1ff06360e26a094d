package testnet

import (
	"testing"

	"golang.org/x/sys/unix"
)

// Lender is a device or a socket whose files somebody else may wait for.
type Lender interface {
	Lend(fds []int) ([]int, bool)
	Return()
}

// Lend borrows so many files of l.
func Lend(tb testing.TB, l Lender, files int) (fds []int) {
	tb.Helper()
	fds, ok := l.Lend(nil)
	if !ok || len(fds) != files {
		tb.Fatalf("%d files were lent and not %d: %v", len(fds), files, ok)
	}
	return fds
}

// Readable waits until the file fd can be read, and reports false if it cannot for ten seconds.
func Readable(fd int) bool {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000)
		if err != unix.EINTR {
			return n > 0
		}
	}
}

// Await waits until l, which lends so many files, has something to read, and reports false if nothing came for long. The kernel may put off handing over what was sent.
func Await(tb testing.TB, l Lender, files int) bool {
	tb.Helper()
	fds := Lend(tb, l, files)
	defer l.Return()
	return Readable(fds[0])
}

// ClosedWhileLent is told the result of closing what l belongs to, begun while l lends fds, the last of which has to tell who waits for them: they stay open until they
// are returned, and are not lent again.
func ClosedWhileLent(tb testing.TB, l Lender, fds []int, closed <-chan error) {
	tb.Helper()
	if !Readable(fds[len(fds)-1]) {
		tb.Error("who waits for the files is not told that they are being closed")
	}
	select {
	case <-closed:
		tb.Error("it was closed while its files were lent")
	default:
	}
	l.Return()
	if err := <-closed; err != nil {
		tb.Error(err)
	}
	if _, ok := l.Lend(nil); ok {
		tb.Error("what is closed was lent")
	}
}
