package ikev1

import (
	"container/heap"
	"time"
)

// alarm is one thing to do at a time. The zero value is unset; ring must be given before it is set.
type alarm struct {
	at   time.Time
	pos  int // 1 + index in the heap, 0: not set
	seq  uint64
	ring func(now time.Time)
}

// alarms is the heap of all set alarms, the earliest first; those of one time ring in the order they were set.
type alarms struct {
	heap []*alarm
	seq  uint64
}

func (q *alarms) Len() int { return len(q.heap) }
func (q *alarms) Less(i, j int) bool {
	if a, b := q.heap[i], q.heap[j]; !a.at.Equal(b.at) {
		return a.at.Before(b.at)
	} else {
		return a.seq < b.seq
	}
}
func (q *alarms) Swap(i, j int) {
	q.heap[i], q.heap[j] = q.heap[j], q.heap[i]
	q.heap[i].pos, q.heap[j].pos = i+1, j+1
}
func (q *alarms) Push(x any) {
	a := x.(*alarm)
	q.heap = append(q.heap, a)
	a.pos = len(q.heap)
}
func (q *alarms) Pop() any {
	a := q.heap[len(q.heap)-1]
	q.heap[len(q.heap)-1] = nil
	q.heap = q.heap[:len(q.heap)-1]
	a.pos = 0
	return a
}

// set sets or moves an alarm; the zero time clears it.
func (q *alarms) set(a *alarm, at time.Time) {
	if at.IsZero() {
		q.clear(a)
		return
	}
	q.seq++
	a.at, a.seq = at, q.seq
	if a.pos > 0 {
		heap.Fix(q, a.pos-1)
		return
	}
	heap.Push(q, a)
}

func (q *alarms) clear(a *alarm) {
	if a.pos > 0 {
		heap.Remove(q, a.pos-1)
	}
}

// deadline is the time of the earliest alarm, the zero time if there is none.
func (q *alarms) deadline() time.Time {
	if len(q.heap) == 0 {
		return time.Time{}
	}
	return q.heap[0].at
}

// due takes the earliest alarm that is due, or returns nil.
func (q *alarms) due(now time.Time) *alarm {
	if len(q.heap) == 0 || q.heap[0].at.After(now) {
		return nil
	}
	return heap.Pop(q).(*alarm)
}
