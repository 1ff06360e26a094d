package poll

import (
	"time"

	"golang.org/x/sys/unix"
)

// Poller waits for files.
type Poller struct {
	kick  int // an eventfd
	fds   []unix.PollFd
	lent  []int // how many descriptors each of the files lent; -1: it is closed
	list  []int
	limit unix.Timespec
}

// New makes a Poller. It fails where a process has no descriptor left.
func New() (*Poller, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	return &Poller{kick: fd}, nil
}

// Wait waits until some of files are ready, which it marks in ready, of the same length, or until Kick. Files that are closed are ready, and so are all if one is a
// [Sleeper] that does not sleep. After limit, if that is not 0, it gives up, and reports that it did.
func (p *Poller) Wait(files []Files, ready []bool, limit time.Duration) (over bool, err error) {
	p.fds, p.lent = append(p.fds[:0], unix.PollFd{Fd: int32(p.kick), Events: unix.POLLIN}), p.lent[:0]
	for _, f := range files {
		var ok bool
		if p.list, ok = f.Lend(p.list[:0]); !ok {
			p.lent = append(p.lent, -1)
			limit = 1 // the kernel has nothing to add
			continue
		}
		p.lent = append(p.lent, len(p.list))
		for _, fd := range p.list {
			p.fds = append(p.fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		}
	}
	if p.awake(files) {
		for i, f := range files {
			ready[i] = true
			if p.lent[i] >= 0 {
				f.Return()
			}
		}
		return false, nil
	}
	var timeout *unix.Timespec
	if limit > 0 {
		p.limit = unix.NsecToTimespec(int64(limit))
		timeout = &p.limit
	}
	n, err := unix.Ppoll(p.fds, timeout, nil)
	over = n == 0 && err == nil
	at := 1
	for i, f := range files {
		ready[i] = p.lent[i] < 0
		if ready[i] {
			over = false
			continue
		}
		for range p.lent[i] {
			ready[i] = ready[i] || n > 0 && p.fds[at].Revents != 0
			at++
		}
		f.Return()
	}
	if n > 0 && p.fds[0].Revents != 0 {
		var b [8]byte
		_, _ = unix.Read(p.kick, b[:])
	}
	if err == unix.EINTR {
		err = nil
	}
	return over, err
}

// awake asks those that have been lent whether they sleep.
func (p *Poller) awake(files []Files) bool {
	for i, f := range files {
		if s, ok := f.(Sleeper); ok && p.lent[i] >= 0 && !s.Sleep() {
			return true
		}
	}
	return false
}

// Kick ends a Wait, the one under way or the next.
func (p *Poller) Kick() { _, _ = unix.Write(p.kick, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// Close gives back what New took.
func (p *Poller) Close() error { return unix.Close(p.kick) }
