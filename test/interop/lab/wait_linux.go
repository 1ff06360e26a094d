package lab

import (
	"context"
	"time"
)

// Real peers take real time. Everything that waits for one is in this file: either an event wakes the waiter (Log), or a
// condition that only the peer can report is asked for again (Until). Both end at a deadline and fail the test there.

// pollEvery is how often Until asks again: often enough for a person, seldom enough not to slow the peers on two cores.
const pollEvery = 100 * time.Millisecond

// Until asks condition again and again until it holds, and fails the test after limit. What says, in the failure, what was
// waited for; the condition's string says how things stood last.
func (l *Lab) Until(limit time.Duration, what string, condition func() (ok bool, seen string)) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), limit)
	defer cancel()
	if seen, ok := poll(ctx, condition); !ok {
		l.t.Fatalf("waited %v in vain for %s; last seen:\n%s", limit, what, seen)
	}
}

// Await asks condition again and again until it holds or limit has passed, and says which.
func (l *Lab) Await(limit time.Duration, condition func() bool) bool {
	ctx, cancel := context.WithTimeout(l.t.Context(), limit)
	defer cancel()
	_, ok := poll(ctx, func() (bool, string) { return condition(), "" })
	return ok
}

// Never asks for the whole of a time and fails the test when the condition comes to hold. It proves an absence, such as that
// no clear packet leaves while a peer is down.
func (l *Lab) Never(window time.Duration, what string, condition func() (ok bool, seen string)) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), window)
	defer cancel()
	if seen, ok := poll(ctx, condition); ok {
		l.t.Fatalf("%s: this must not happen:\n%s", what, seen)
	}
}

func poll(ctx context.Context, condition func() (bool, string)) (string, bool) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		ok, seen := condition()
		if ok {
			return seen, true
		}
		select {
		case <-ctx.Done():
			return seen, false
		case <-ticker.C:
		}
	}
}

// wait blocks until a channel is closed or limit has passed.
func wait(closed <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-closed:
		return true
	case <-timer.C:
		return false
	}
}

// A Stopwatch measures how long peers took, for reports.
type Stopwatch struct{ start time.Time }

// StartWatch starts measuring.
func StartWatch() Stopwatch { return Stopwatch{time.Now()} }

// Elapsed is the time since StartWatch.
func (w Stopwatch) Elapsed() time.Duration { return time.Since(w.start) }

// hostClock is the time of day for a guest that boots without a clock, as date -s reads it.
func hostClock() string { return time.Now().UTC().Format("2006-01-02 15:04:05") }

// ticks gives a beat every so many milliseconds, for as long as the process lives.
func ticks(milliseconds int) <-chan time.Time {
	return time.Tick(time.Duration(milliseconds) * time.Millisecond)
}
