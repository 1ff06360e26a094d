package ike

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// inQueues makes two hosts that work in so many queues, with a tunnel.
func inQueues(t *testing.T, a, b int, change func(s *settings)) *world {
	t.Helper()
	s := defaults()
	s.tunnel = true
	if change != nil {
		change(&s)
	}
	sa, sb := s, s
	sa.queues, sb.queues = a, b
	w := newWorld(t, sa, sb)
	w.want(0)
	w.run(5 * time.Second)
	return w
}

// numbers are the queues of a host's children that are up, in order.
func (h *host) numbers() (list []int) {
	for _, c := range h.children {
		list = append(list, c.Queue)
	}
	slices.Sort(list)
	return list
}

// oneEach checks that both hosts have one child for each of the queues, and that each child of one is one of the other, for the same queue.
func (w *world) oneEach(queues int) {
	w.tb.Helper()
	want := make([]int, queues)
	for i := range want {
		want[i] = i
	}
	for n, h := range w.hosts {
		if got := h.numbers(); !slices.Equal(got, want) {
			w.tb.Fatalf("host %d has children for the queues %v, not %v; failed: %+v", n, got, want, h.failed)
		}
		for _, c := range h.children {
			other := w.hosts[1-n].children[w.hosts[1-n].inbound[c.Protocols[0].SPIOut]]
			if other == nil || other.Queue != c.Queue {
				w.tb.Errorf("host %d: the peer of its child for queue %d is %+v", n, c.Queue, other)
			}
		}
	}
}

// Two ends that work in several queues have a child for each of the initiator's, an ordinary peer has one, and so has transport mode.
func TestAChildForEachQueue(t *testing.T) {
	for _, c := range []struct{ a, b, want int }{{2, 2, 2}, {4, 2, 4}, {2, 4, 2}, {1, 2, 1}, {2, 1, 1}, {3, 0, 1}} {
		t.Run(fmt.Sprint(c.a, c.b), func(t *testing.T) { inQueues(t, c.a, c.b, nil).oneEach(c.want) })
	}
	t.Run("aggressive mode", func(t *testing.T) {
		inQueues(t, 2, 2, func(s *settings) { s.aggressive = true }).oneEach(2)
	})
	t.Run("one quick mode for a main mode", func(t *testing.T) {
		inQueues(t, 3, 3, func(s *settings) { s.quick = 1 }).oneEach(3)
	})
	t.Run("transport mode", func(t *testing.T) {
		inQueues(t, 3, 3, func(s *settings) { s.tunnel = false }).oneEach(1)
	})
}

// Each is renewed, by either end, without an end of the others, and comes back after its end.
func TestChildrenOfQueuesAreRenewedSingly(t *testing.T) {
	for side := range 2 {
		w := inQueues(t, 2, 2, nil)
		h := w.hosts[side]
		first := map[int]uint64{}
		for id, c := range h.children {
			first[c.Queue] = id
		}
		if err := h.e.Rekey(w.now, first[1]); err != nil {
			t.Fatal(err)
		}
		w.run(2 * time.Minute)
		w.oneEach(2)
		for id, c := range h.children {
			if replaced := id != first[c.Queue]; replaced != (c.Queue == 1) {
				t.Errorf("side %d: the child for queue %d was replaced: %v", side, c.Queue, replaced)
			}
			if c.Queue == 1 && c.Replaces != first[1] {
				t.Errorf("side %d: the child for queue 1 replaces %d and not %d", side, c.Replaces, first[1])
			}
		}
	}
}

// A day of renewals leaves what was there at first.
func TestChildrenOfQueuesLiveOn(t *testing.T) {
	w := inQueues(t, 2, 2, nil)
	w.inUse(24 * time.Hour)
	w.run(2 * time.Minute)
	w.oneEach(2)
	if w.hosts[0].e.Stats().QuickModesInitiated+w.hosts[0].e.Stats().QuickModesAnswered < 2*20 {
		t.Error("few children were renewed in a day")
	}
}

// Both ends begin at once, and messages are lost.
func TestChildrenOfQueuesByBothEndsAndWithLoss(t *testing.T) {
	for seed := range uint64(20) {
		s := defaults()
		s.tunnel, s.queues = true, 3
		w := newWorldSeed(t, s, s, seed)
		rng := newSeeded(seed + 100)
		w.fate = func(int, int, isakmp.Datagram) []time.Duration {
			if w.now.Sub(epoch) < time.Minute && rng.Uint64()%4 == 0 {
				return nil
			}
			return []time.Duration{10 * time.Millisecond}
		}
		w.want(0)
		w.want(1)
		w.run(5 * time.Minute)
		for range 3 { // whatever was not made in the bad minute is asked for with the next renewal
			for _, h := range w.hosts {
				for id := range h.children {
					_ = h.e.Rekey(w.now, id)
				}
			}
			w.run(5 * time.Minute)
		}
		w.oneEach(3)
	}
}

// A peer whose owner cannot install a child deletes it at once. It is asked for one child a queue, not for the missing ones again and again.
func TestAPeerThatDeletesAtOnceIsNotAskedWithoutEnd(t *testing.T) {
	for side := range 2 {
		for _, queues := range []int{1, 2, 4} {
			s := defaults()
			s.tunnel, s.queues = true, queues
			w := newWorld(t, s, s)
			w.hosts[side].reject = true
			w.want(0)
			w.run(time.Minute)
			if n := w.hosts[0].e.Stats().QuickModesInitiated; n == 0 || n > uint64(queues) {
				t.Errorf("host %d deletes, %d queues: %d quick modes for one wish", side, queues, n)
			}
		}
	}
}

// A flow may move to any queue: the children of those without traffic do not end before that of the queue with traffic does.
func TestChildrenOfIdleQueuesStay(t *testing.T) {
	w := inQueues(t, 2, 2, nil)
	for range 30 {
		w.run(time.Minute)
		for _, h := range w.hosts {
			for id, c := range h.children {
				if c.Queue == 0 {
					h.e.Traffic(w.now, id, true, true)
				}
			}
		}
	}
	w.oneEach(2)
}

// The initiator deletes a child whose message 3 was lost before the peer repeats message 2: the message 3 that this fetches revives nothing.
func TestALateMessage3RevivesNoDeletedChild(t *testing.T) {
	w := inQueues(t, 1, 1, nil)
	a, b := w.hosts[0], w.hosts[1]
	first := a.inUse[slices.Collect(maps.Keys(a.inUse))[0]]
	sent := 0
	w.fate = func(_ int, from int, d isakmp.Datagram) []time.Duration {
		if h, err := isakmp.ParseHeader(d.Data); err == nil && from == 0 && h.Exchange == isakmp.QuickMode {
			if sent++; sent == 2 {
				return nil
			}
		}
		return []time.Duration{10 * time.Millisecond}
	}
	if err := a.e.Rekey(w.now, first); err != nil {
		t.Fatal(err)
	}
	w.run(500 * time.Millisecond)
	for id := range a.children {
		if id != first {
			if err := a.e.Delete(w.now, id); err != nil {
				t.Fatal(err)
			}
		}
	}
	ups := b.ups
	w.run(80 * time.Second)
	if sent < 3 || b.ups != ups {
		t.Errorf("%d messages of quick mode, the peer brought up %d children that were deleted", sent, b.ups-ups)
	}
}
