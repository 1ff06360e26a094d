package endpoint

import "time"

// newClock returns the clock that everything is measured with. It goes on while the host is suspended, as lifetimes do: the peer has counted on. It takes
// its origin from the system's clock and then never asks that again, so that setting the system's clock moves no lifetime.
func newClock() func() time.Time {
	origin, start := time.Now(), uptime()
	return func() time.Time { return origin.Add(uptime() - start) }
}

// loaded is what running counts from.
var loaded = time.Now()

// running is for how long the process has run; the time for which the host was suspended is not part of it.
func running() time.Duration { return time.Since(loaded) }
