package system

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/test/interop/lab"
)

// inUse lists the children that carry what an end sends, by their queue.
func inUse(g *lab.Goipsec) map[int]endpoint.Child {
	list := map[int]endpoint.Child{}
	for _, c := range g.Status().Children {
		if c.State == "installed" || c.State == "rekeying" {
			list[c.Queue] = c
		}
	}
	return list
}

// TestTwoFlowsUseBothQueues joins two ends that work in two queues each: there is an SA for each queue, and of several connections some go by one and some by
// the other, at every place on the way.
func TestTwoFlowsUseBothQueues(t *testing.T) {
	w := newWorld(t)
	ends := [2]*lab.Goipsec{}
	ends[1] = w.Goipsec(w.b, file(site(2, "encapsulation: udp")), "--queues", "2")
	ends[0] = w.Goipsec(w.a, file(site(1, "encapsulation: udp")), "--queues", "2")
	w.pingable(w.a, "192.168.1.1", "192.168.2.1", ends[0])
	w.Until(10*time.Second, "a child for each queue at both ends", func() (bool, string) {
		a, b := inUse(ends[0]), inUse(ends[1])
		return len(a) == 2 && len(b) == 2, fmt.Sprintf("a: %+v\nb: %+v", a, b)
	})
	const many = 1000 // packets
	used := func() bool {
		for _, g := range ends {
			s, sas := g.Status(), inUse(g)
			for n := range 2 {
				q, sa := s.Queues[n], sas[n]
				if q.FromTUN < many || q.FromWire < many || sa.PacketsOut < many || sa.PacketsIn < many {
					return false
				}
			}
		}
		return true
	}
	for try := 0; !used(); try++ { // by which queue a flow goes is the system's choice
		if try == 16 {
			t.Fatalf("thirty-two flows, and a queue has next to nothing to do:\n%s\n%s", ends[0].Must("status"), ends[1].Must("status"))
		}
		var flows sync.WaitGroup
		var failed [2]error
		for i := range failed {
			flows.Go(func() { failed[i] = w.Transfer(w.a, "192.168.1.1", w.b, "192.168.2.1", 32<<20) })
		}
		flows.Wait()
		if err := errors.Join(failed[:]...); err != nil {
			t.Fatal(err)
		}
	}
	for n, g := range ends {
		if text := g.Must("status"); !strings.Contains(text, "2 queues") || !strings.Contains(text, "queue 1:") {
			t.Errorf("status does not tell of queues:\n%s", text)
		}
		for queue, c := range inUse(g) {
			if spi := c.Protocols[0].SPIIn; int(spi)%2 != queue {
				t.Errorf("end %d: packets of SPI %#x do not come to queue %d", n, spi, queue)
			}
		}
	}
	// The child of one queue is renewed while a flow may use it, and deleted: then the other one serves both.
	old := inUse(ends[0])[1]
	ends[0].Must(fmt.Sprintf("sa rekey %d", old.ID))
	if err := w.Transfer(w.b, "192.168.2.1", w.a, "192.168.1.1", 32<<20); err != nil {
		t.Error(err)
	}
	w.Until(10*time.Second, "a renewed child", func() (bool, string) {
		now := inUse(ends[0])
		return len(now) == 2 && now[1].ID != old.ID, fmt.Sprintf("%+v", now)
	})
	w.conserved(ends[0], ends[1])
	ends[1].Must(fmt.Sprintf("sa delete %d", inUse(ends[1])[0].ID))
	for range 4 {
		if err := w.Transfer(w.a, "192.168.1.1", w.b, "192.168.2.1", 1<<20); err != nil {
			t.Error(err)
		}
	}
	for i, s := range w.atRest(ends) {
		lawOfConservation(t, ends[i].Host.Name, s)
	}
}

// TestKeysAreRenewedUnderAFloodOfESP floods an end with packets of an SPI that it has, which are forged: each has to be looked at whole. Meanwhile keys are renewed.
func TestKeysAreRenewedUnderAFloodOfESP(t *testing.T) {
	w := newWorld(t)
	gb := w.Goipsec(w.b, file(site(2, "encapsulation: udp", quickDPD)))
	ga := w.Goipsec(w.a, file(site(1, "encapsulation: udp", quickDPD)))
	w.pingable(w.a, "192.168.1.1", "192.168.2.1", ga)
	stop, stopped := make(chan struct{}), make(chan int)
	for range 2 {
		go func() { stopped <- w.forge(w.b, "10.1.0.1:4500", newest(t, ga).Protocols[0].SPIIn, stop) }()
	}
	peers := len(ga.Status().Peers)
	for range 5 {
		old := newest(t, ga)
		ga.Must(fmt.Sprintf("sa rekey %d", old.ID))
		w.Until(20*time.Second, "a new pair of SAs", func() (bool, string) {
			now := newest(t, ga)
			return now.ID != old.ID && now.State == "installed", fmt.Sprintf("%+v", now)
		})
	}
	close(stop)
	sent := <-stopped + <-stopped
	s := ga.Status()
	bad := s.Drops["integrity-check"] + s.Drops["unknown-spi"]
	t.Logf("%d forged packets were sent, %d of them were looked at", sent, bad)
	if bad == 0 || s.Drops["control-busy"] != 0 {
		t.Errorf("drops: %v", s.Drops)
	}
	if len(s.Peers) != peers {
		t.Errorf("%d main-mode SAs, and %d before: the peer was taken for dead", len(s.Peers), peers)
	}
	w.pingable(w.a, "192.168.1.1", "192.168.2.1", ga)
	w.pingable(w.b, "192.168.2.1", "192.168.1.1", gb)
}

// forge sends packets with an SPI and nothing right behind it, as fast as the host can, until stop, and returns how many.
func (w *world) forge(from *lab.Host, to string, spi uint32, stop chan struct{}) (sent int) {
	const size, segments = 1000, 60
	run := make([]byte, 0, size*segments)
	for n := range uint32(segments) {
		run = binary.BigEndian.AppendUint32(run, spi)
		run = binary.BigEndian.AppendUint32(run, 1<<20+n)
		run = append(run, make([]byte, size-8)...)
	}
	var conn net.Conn
	from.Inside(func() (err error) {
		if conn, err = net.Dial("udp", to); err != nil {
			return err
		}
		return setsockopt(conn.(*net.UDPConn), unix.IPPROTO_UDP, unix.UDP_SEGMENT, size)
	})
	defer conn.Close()
	for {
		select {
		case <-stop:
			return sent
		default:
			if _, err := conn.Write(run); err == nil {
				sent += segments
			}
		}
	}
}
