package ike

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
)

// quickModes gives the number of each datagram's quick mode of host 0, from 1 on, 0 for all others.
func quickModes() func(from int, d isakmp.Datagram) int {
	seen := map[uint32]int{}
	return func(from int, d isakmp.Datagram) int {
		h, err := isakmp.ParseHeader(d.Data)
		if err != nil || from != 0 || h.Exchange != isakmp.QuickMode {
			return 0
		}
		if seen[h.MessageID] == 0 {
			seen[h.MessageID] = len(seen) + 1
		}
		return seen[h.MessageID]
	}
}

// inUse is run with traffic through all children.
func (w *world) inUse(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.run(min(time.Minute, end.Sub(w.now)))
		for _, h := range w.hosts {
			for id := range h.children {
				h.e.Traffic(w.now, id, true, true)
			}
		}
	}
}

// A peer that says that it works in queues and refuses every further child costs one quick mode for each renewal of the first, and no main mode: a day with it has as many
// as a day with a peer of one queue. What is told of it is true.
func TestAPeerThatRefusesFurtherChildrenIsAskedForOne(t *testing.T) {
	day := func(alone bool) (w *world, renewals int) {
		s := defaults()
		s.tunnel, s.queues = true, 8
		w = newWorld(t, s, s)
		w.hosts[1].alone = alone
		w.hosts[1].queues = 8
		if !alone {
			w.hosts[1].queues = 1
			w.hosts[1].boot(3)
		}
		w.want(0)
		w.inUse(24 * time.Hour)
		w.oneEach(1)
		return w, w.hosts[0].ups - 1
	}
	ordinary, _ := day(false)
	w, renewals := day(true)
	a, b := w.hosts[0].e.Stats(), w.hosts[1].e.Stats()
	if mains, want := a.MainModesInitiated+b.MainModesInitiated, ordinary.hosts[0].e.Stats().MainModesInitiated+ordinary.hosts[1].e.Stats().MainModesInitiated; mains > want+1 {
		t.Errorf("%d main modes in a day, and %d with a peer of one queue", mains, want)
	}
	if a.QuickModesFailed == 0 || a.QuickModesFailed > uint64(renewals)+1 || a.AcquiresFailed != 0 || a.Acquires != 1 {
		t.Errorf("%d quick modes and %d of %d acquires failed, in %d renewals", a.QuickModesFailed, a.AcquiresFailed, a.Acquires, renewals)
	}
	for _, f := range w.hosts[0].failed {
		if text := f.Failure.What + " " + f.Failure.Why; !strings.Contains(text, "further child, for queue 1, with NO-PROPOSAL-CHOSEN") || strings.Contains(text, "none of the security methods") {
			t.Fatalf("it is said: %+v", f.Failure)
		}
	}
	if p := w.hosts[0].e.Peers(w.now); len(p) != 1 || p[0].LastFailure == nil || !strings.Contains(p[0].LastFailure.What, "queue 1") {
		t.Errorf("the peer is listed as %+v", p)
	}
}

// One that does not answer such a quick mode at all costs no main mode either.
func TestAPeerThatIsSilentAboutFurtherChildrenKeepsItsMainMode(t *testing.T) {
	s := defaults()
	s.tunnel, s.queues = true, 4
	w := newWorld(t, s, s)
	number := quickModes()
	w.fate = func(_ int, from int, d isakmp.Datagram) []time.Duration {
		if number(from, d) > 1 {
			return nil
		}
		return []time.Duration{10 * time.Millisecond}
	}
	w.want(0)
	w.inUse(10 * time.Minute)
	a := w.hosts[0]
	if st := a.e.Stats(); st.MainModesInitiated != 1 || st.QuickModesFailed != 1 || len(a.failed) != 1 || !strings.Contains(a.failed[0].Failure.What, "a further child, for queue 1") {
		t.Errorf("%d main modes, %d quick modes failed: %+v", st.MainModesInitiated, st.QuickModesFailed, a.failed)
	}
	if p := a.e.Peers(w.now); len(p) != 1 || p[0].State != "established" {
		t.Errorf("the main-mode SA is %+v", p)
	}
	w.oneEach(1)
}

// The renewal of a further child that the peer refuses leaves the main mode as well, and is tried less and less often.
func TestARefusedRenewalOfAFurtherChildIsTriedSeldom(t *testing.T) {
	w := inQueues(t, 2, 2, nil)
	w.hosts[1].alone = true
	a := w.hosts[0]
	for id, c := range a.children {
		if c.Queue == 1 {
			if err := a.e.Rekey(w.now, id); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.inUse(10 * time.Minute)
	st := a.e.Stats()
	if st.QuickModesFailed < 3 || st.QuickModesFailed > 7 || st.MainModesInitiated != 1 {
		t.Errorf("%d quick modes failed in ten minutes, %d main modes", st.QuickModesFailed, st.MainModesInitiated)
	}
	w.oneEach(2)
	w.hosts[1].alone = false // the reason has gone: it is renewed
	w.inUse(11 * time.Minute)
	w.oneEach(2)
	if now := a.e.Stats().QuickModesInitiated; now != st.QuickModesInitiated+1 {
		t.Errorf("%d children were renewed", now-st.QuickModesInitiated)
	}
}

// ofTunnels are two hosts with so many tunnels, which work in 64 queues.
func ofTunnels(t *testing.T, tunnels int) *world {
	s := defaults()
	s.tunnel, s.queues = true, 64
	for p := range tunnels {
		s.ports = append(s.ports, uint16(1000+p))
	}
	return newWorld(t, s, s)
}

// Tunnels that wait for the children of their queues leave room for the wishes of others, even where the peer does not answer.
func TestFurtherChildrenLeaveRoomForTheWishesOfOtherTunnels(t *testing.T) {
	const first, later = 140, 60
	w := ofTunnels(t, first+later)
	number := quickModes()
	w.fate = func(_ int, from int, d isakmp.Datagram) []time.Duration {
		if n := number(from, d); n > first { // the first children come up, what is asked for then does not
			return nil
		}
		return []time.Duration{10 * time.Millisecond}
	}
	a := w.hosts[0]
	filters := a.filters()
	for _, f := range filters[:first] {
		w.wantBy(0, f)
	}
	w.run(5 * time.Second)
	if len(a.children) != first {
		t.Fatalf("%d children: %+v", len(a.children), a.failed)
	}
	w.fate = nil
	for _, f := range filters[first:] {
		w.wantBy(0, f)
	}
	if n := a.e.Stats().AcquiresDropped; n != 0 {
		t.Errorf("%d tunnels were turned away, for further children of others", n)
	}
	w.run(5 * time.Second)
	up := 0
	for _, c := range a.children {
		if c.Queue == 0 {
			up++
		}
	}
	if up != first+later {
		t.Errorf("%d of %d tunnels are up", up, first+later)
	}
}

// Nor do the children of many queues keep another tunnel from having its first.
func TestFurtherChildrenLeaveRoomForOtherTunnels(t *testing.T) {
	w := ofTunnels(t, 20)
	a, b := w.hosts[0], w.hosts[1]
	up := map[string]int{}
	for i := range 20 {
		w.wantBy(i%2, w.hosts[i%2].filters()[i]) // either end begins
		w.run(5 * time.Second)
	}
	for _, c := range a.children {
		if c.Queue == 0 {
			up[c.Filter]++
		}
	}
	if len(up) != 20 || len(a.failed)+len(b.failed) != 0 {
		t.Errorf("%d tunnels of 20 are up, with %d children in all; failed: %+v, %+v", len(up), len(a.children), a.failed, b.failed)
	}
	if n := len(a.children); n < 256 {
		t.Errorf("there are only %d children", n)
	}
	// All is renewed, and nobody is refused.
	w.inUse(2 * time.Hour)
	st := a.e.Stats()
	if len(a.failed)+len(b.failed) != 0 || st.QuickModesInitiated+st.QuickModesAnswered < 1000 {
		t.Errorf("%s", fmt.Sprint(a.failed, b.failed, st))
	}
}

// A tunnel whose only child ends while a further one is asked for without an answer is negotiated anew at once.
func TestAFurtherChildThatIsAwaitedIsNoAnswerToAWish(t *testing.T) {
	s := defaults()
	s.tunnel, s.queues = true, 2
	w := newWorld(t, s, s)
	number := quickModes()
	w.fate = func(_ int, from int, d isakmp.Datagram) []time.Duration {
		if number(from, d) == 2 {
			return nil
		}
		return []time.Duration{10 * time.Millisecond}
	}
	w.want(0)
	w.run(time.Second)
	a := w.hosts[0]
	for id := range a.children {
		if err := a.e.Delete(w.now, id); err != nil {
			t.Fatal(err)
		}
	}
	w.want(0)
	w.run(time.Second)
	if got := a.numbers(); len(got) == 0 || got[0] != 0 {
		t.Errorf("the children are for the queues %v; failed: %+v", got, a.failed)
	}
}

// A child for a queue that its peer has ceased to work in, while there was no main-mode SA, cannot be renewed then. It is once the peer does again.
func TestAChildOfAQueueIsRenewedOnceThePeerWorksInQueuesAgain(t *testing.T) {
	w := inQueues(t, 2, 2, nil)
	a := w.hosts[0]
	mainModeAnew := func() {
		for id := range a.peersUp {
			if err := a.e.Rekey(w.now, id); err != nil {
				t.Fatal(err)
			}
		}
		w.run(90 * time.Second) // until the old one is gone
		if len(a.peersUp) != 1 {
			t.Fatalf("%d main-mode SAs", len(a.peersUp))
		}
	}
	var further uint64
	for id, c := range a.children {
		if c.Queue == 1 {
			further = id
		}
	}
	renewing := func() bool {
		for _, c := range a.e.Children(w.now) {
			if c.Child.ID == further {
				return c.Renewing
			}
		}
		t.Fatal("the child of queue 1 is gone")
		return false
	}
	w.mangle = func(_ int, d []byte) []byte { // as from a peer of one queue
		return bytes.ReplaceAll(d, []byte(isakmp.VendorQueues), bytes.Repeat([]byte{7}, len(isakmp.VendorQueues)))
	}
	mainModeAnew()
	if err := a.e.Rekey(w.now, further); err != nil {
		t.Fatal(err)
	}
	w.run(time.Second)
	if renewing() {
		t.Error("the child is said to be renewed, and nothing is under way")
	}
	w.mangle = nil
	mainModeAnew()
	w.inUse(3 * time.Minute)
	w.oneEach(2)
	if a.children[further] != nil {
		t.Error("the child of queue 1 was never renewed")
	}
}
