package dataplane

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// gate is a socket whose first write waits until it is let through.
type gate struct {
	netio.Conn
	reached, open chan struct{}
	numbers       []uint32 // of the ESP packets that were written, in this order
	lengths       []int
	eight         chan struct{} // closed when there are eight
}

func (g *gate) WriteBatch(msgs []netio.Message) (int, error) {
	if g.reached != nil {
		close(g.reached)
		<-g.open
		g.reached = nil
	}
	for i := range msgs {
		if g.numbers = append(g.numbers, binary.BigEndian.Uint32(msgs[i].Bytes()[24:])); len(g.numbers) == 8 {
			close(g.eight)
		}
		g.lengths = append(g.lengths, msgs[i].N)
	}
	return len(msgs), nil
}

// waitingWorld is a world in which A's packets wait for an SA, and A sends through a gate.
func waitingWorld(t *testing.T) (w *world, s setup, g *gate) {
	w, s = newWorld(t), setup{mode: suite.Tunnel, esp: true}
	f := w.defaultFilter(s)
	w.a.apply(&policy.QuickModeFilter{ID: "f", Filter: f, Action: policy.Negotiate, Rule: &policy.Rule{Tunnel: &policy.Tunnel{Local: w.a.addr[0], Remote: w.b.addr[0]}}})
	g = &gate{Conn: w.a.plane.cfg.IP, reached: make(chan struct{}), open: make(chan struct{}), eight: make(chan struct{})}
	w.a.plane.cfg.IP = g
	return w, s, g
}

// Packets that were held are sealed by another goroutine than those that follow. Until they are sent, none that follows may be sealed: it would overtake them,
// and many would leave them behind the peer's replay window.
func TestReleasedPacketsAreNotOvertaken(t *testing.T) {
	w, s, g := waitingWorld(t)
	for range 3 {
		w.a.send(s.inner(w, 100))
	}
	installed, read := make(chan struct{}), make(chan error)
	reached := g.reached
	go func() {
		w.pair(w.a, w.b, s, w.defaultFilter(s), 0x1000)
		close(installed)
	}()
	<-reached
	if w.a.plane.workers[0].sending.TryLock() {
		t.Error("another worker may seal before what was released is sent")
		w.a.plane.workers[0].sending.Unlock()
	}
	go func() { read <- w.a.plane.readTUN(w.a.plane.workers[0]) }()
	for range 5 {
		if err := w.a.host.Send(s.inner(w, 100)); err != nil {
			t.Error(err)
		}
	}
	close(g.open)
	<-installed
	<-g.eight
	w.a.plane.cfg.TUN.Close()
	<-read
	if !slices.IsSorted(g.numbers) {
		t.Errorf("the numbers left as %v", g.numbers)
	}
}

// While a batch is in hand no SA is installed: what finds none is held behind what is held already, and leaves behind it.
func TestAnSAIsInstalledBetweenBatches(t *testing.T) {
	w, s, g := waitingWorld(t)
	close(g.open)
	w.a.plane.workers[0].sending.Lock()
	w.a.send(s.inner(w, 100))
	installed := make(chan struct{})
	go func() {
		w.pair(w.a, w.b, s, w.defaultFilter(s), 0x1000)
		close(installed)
	}()
	for n := range 4 {
		w.a.send(s.inner(w, 200+100*n))
	}
	w.a.plane.workers[0].sending.Unlock()
	<-installed
	if !slices.Equal(g.numbers, []uint32{1, 2, 3, 4, 5}) || !slices.IsSorted(g.lengths) || g.lengths[0] == g.lengths[4] {
		t.Errorf("the numbers left as %v, the lengths as %v", g.numbers, g.lengths)
	}
	w.a.conserve()
}
