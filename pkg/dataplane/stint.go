package dataplane

import (
	"runtime"
	"time"
)

// Stint is the time that a goroutine has worked and waited in the kernel without the Go scheduler noticing: a system call that returns goes on at once.
// After ten milliseconds the scheduler takes all of it for work, sends the thread a signal and lets another go on, which a single packet pays for
// with more than its whole way: with packets a few milliseconds apart that comes to pass for nearly each of them.
type Stint struct{ since time.Time }

// stint is well below the scheduler's ten milliseconds, and long enough for what a break costs.
const stint = 4 * time.Millisecond

// Break lets the scheduler see, now and then, that the goroutine gives its turn up. It is for the end of a batch, when nobody waits for it.
func (s *Stint) Break(now time.Time) {
	if s.due(now) {
		s.since = now
		runtime.Gosched()
	}
}

// due reports whether it is time for a break, and overdue whether it must not be put off any longer.
func (s *Stint) due(now time.Time) bool     { return now.Sub(s.since) >= stint }
func (s *Stint) overdue(now time.Time) bool { return now.Sub(s.since) >= 2*stint }
