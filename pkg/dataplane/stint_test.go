package dataplane

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

func TestABreakLetsOthersRunAndIsNotTakenTooOften(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	now := time.Unix(1000, 0)
	s := Stint{since: now}
	s.Break(now.Add(stint - 1))
	if s.since != now {
		t.Error("a break was taken before it was due")
	}
	if s.due(now.Add(stint-1)) || !s.due(now.Add(stint)) || s.overdue(now.Add(2*stint-1)) || !s.overdue(now.Add(2*stint)) {
		t.Error("a break is not due when it should be")
	}
	var ran atomic.Bool // both goroutines have one processor, and the other is runnable
	go ran.Store(true)
	for range 3 { // one of 61 times the scheduler looks first at who has just given his turn up
		now = now.Add(stint)
		s.Break(now)
	}
	if !ran.Load() || s.since != now {
		t.Errorf("breaks that were due: the other goroutine ran: %v, the last was taken at %v and not at %v", ran.Load(), s.since, now)
	}
}
