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
