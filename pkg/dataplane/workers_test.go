package dataplane

import (
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/goipsec/goipsec/pkg/netio"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/sa"
	"github.com/goipsec/goipsec/pkg/suite"
	"github.com/goipsec/goipsec/pkg/tun"
)

// manyQueues is a device with more than one queue.
type manyQueues struct {
	tun.Device
	queues []tun.PacketDevice
}

func (d manyQueues) Queues() []tun.PacketDevice { return d.queues }

// numbers is a socket that remembers the sequence numbers which leave by it, by SPI.
type numbers struct {
	netio.Conn
	mu   sync.Mutex
	seen map[uint32][]uint32
}

func (c *numbers) WriteBatch(msgs []netio.Message) (int, error) {
	runtime.Gosched() // whoever may overtake does it here
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range msgs {
		m := &msgs[i]
		segment := m.Segment
		if segment == 0 {
			segment = m.N
		}
		for b := m.Bytes(); len(b) > 0; b = b[min(segment, len(b)):] {
			spi := binary.BigEndian.Uint32(b)
			c.seen[spi] = append(c.seen[spi], binary.BigEndian.Uint32(b[4:]))
		}
	}
	return len(msgs), nil
}

// crew is a plane with workers and a tunnel filter, and a socket for each worker.
type crew struct {
	*Plane
	w       *world
	sockets []*numbers
}

func newCrew(t *testing.T, workers int) *crew {
	w := newWorld(t)
	c := &crew{w: w}
	at := netip.AddrPortFrom(w.a.addr[0], 4500)
	s := Socket{Conn: &numbers{Conn: w.a.plane.udp[at].Conn, seen: map[uint32][]uint32{}}, Marker: true}
	d := manyQueues{Device: w.a.plane.cfg.TUN}
	for range workers {
		d.queues = append(d.queues, tun.PacketsOf(w.a.plane.cfg.TUN))
		n := &numbers{Conn: s.Conn, seen: map[uint32][]uint32{}}
		c.sockets, s.Queues = append(c.sockets, n), append(s.Queues, n)
	}
	cfg := w.a.plane.cfg
	cfg.TUN, cfg.UDP = d, []Socket{s}
	p, err := New(cfg)
	check(t, err)
	c.Plane = p
	p.Apply(&policy.Compiled{Policy: &policy.Policy{}, Outbound: []*policy.QuickModeFilter{{ID: "f", Filter: w.defaultFilter(setup{mode: suite.Tunnel}), Action: policy.Negotiate,
		Rule: &policy.Rule{Tunnel: &policy.Tunnel{Local: w.a.addr[0], Remote: w.b.addr[0]}}}}})
	return c
}

// install gives the filter an SA for a worker.
func (c *crew) install(t *testing.T, queue int, spi uint32) {
	t.Helper()
	seal, _ := sealer(t, spi)
	out := sa.NewOutbound(sa.OutboundConfig{SPI: spi, Protocol: suite.ESP, Mode: suite.Tunnel, Sealer: seal, Local: netip.AddrPortFrom(c.w.a.addr[0], 4500),
		Remote: netip.AddrPortFrom(c.w.b.addr[0], 4500)}, c.w.now)
	if !c.Install("f", Pair{}, &Bundle{Mode: suite.Tunnel, MTU: 1500, Child: uint64(spi), ESP: out, Outer: out.Config(), Queue: uint8(queue)}) {
		t.Fatal("the SA was not installed")
	}
}

// work has every worker send batches of packets at once, of two flows each.
func (c *crew) work(batches int) {
	const many = 8
	var all sync.WaitGroup
	for n, o := range c.workers {
		all.Go(func() {
			packets := readPackets()[:many]
			for i := range batches {
				for j := range packets {
					p := &packets[j]
					p.N = copy(p.Buf[p.Off:], udpPorts("10.1.0.1", "10.2.0.1", uint16(4000+n), uint16(4000+(i+j)%2), 100))
				}
				o.batch(packets)
			}
		})
	}
	all.Wait()
}

// left says which sequence numbers left under an SPI, by each worker's socket.
func (c *crew) left(spi uint32) (list [][]uint32) {
	for _, s := range c.sockets {
		list = append(list, s.seen[spi])
	}
	return list
}

func (c *crew) conserve() { (&side{w: c.w, plane: c.Plane}).conserve() }

// A worker that has an SA for itself shares nothing; those that have none use the first.
func TestEachWorkerHasAnSA(t *testing.T) {
	c := newCrew(t, 3)
	c.install(t, 0, 0x1000)
	c.install(t, 2, 0x1002)
	c.work(50)
	for spi, want := range map[uint32][3]int{0x1000: {400, 400, 0}, 0x1002: {0, 0, 400}} {
		for n, numbers := range c.left(spi) {
			if len(numbers) != want[n] {
				t.Errorf("SPI %#x: %d packets left by worker %d, not %d", spi, len(numbers), n, want[n])
			}
			if !slices.IsSorted(numbers) {
				t.Errorf("SPI %#x: worker %d sent out of order", spi, n)
			}
		}
	}
	// The child of one is over: its worker goes on with another's.
	c.Uninstall("f", 0x1002)
	c.work(1)
	if n := len(c.left(0x1000)[2]); n != 8 {
		t.Errorf("%d packets left by the third worker under the first one's SA", n)
	}
	for n := range 3 {
		if q := c.Queues()[n].FromTUN.Load(); q != 408 {
			t.Errorf("queue %d counts %d packets", n, q)
		}
	}
	c.conserve()
}

// Packets of one SA leave in the order of their numbers, whoever seals them: one that came later than so many others has left the peer's replay window.
func TestWorkersThatShareAnSASendInOrder(t *testing.T) {
	c := newCrew(t, 4)
	one := &numbers{Conn: c.sockets[0].Conn, seen: map[uint32][]uint32{}}
	for i := range c.cfg.UDP[0].Queues {
		c.cfg.UDP[0].Queues[i] = one
	}
	c.install(t, 0, 0x1000)
	c.work(100)
	numbers := one.seen[0x1000]
	if len(numbers) != 3200 || !slices.IsSorted(numbers) {
		t.Errorf("%d packets, in order: %v", len(numbers), slices.IsSorted(numbers))
	}
	c.conserve()
}

// SAs come and go while all workers send: no number leaves twice or out of order, and no packet is lost to the count.
func TestSAsChangeWhileWorkersSend(t *testing.T) {
	c := newCrew(t, 2)
	c.install(t, 0, 0x1000)
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for i := uint32(0); ; i++ {
			select {
			case <-stop:
				return
			default:
				c.install(t, 1, 0x2000+i)
				c.Uninstall("f", uint64(0x2000+i))
			}
		}
	}()
	c.work(200)
	close(stop)
	<-ended
	total := 0
	for n, s := range c.sockets {
		for spi, numbers := range s.seen {
			total += len(numbers)
			if !slices.IsSorted(numbers) || len(slices.Compact(numbers)) != len(numbers) {
				t.Errorf("worker %d, SPI %#x: numbers out of order or twice", n, spi)
			}
		}
	}
	if total != 2*200*8 {
		t.Errorf("%d packets left", total)
	}
	c.conserve()
}

func TestTunnelSAsByQueue(t *testing.T) {
	var list tunnelSAs
	if list.of(0) != nil {
		t.Error("there is one where there is none")
	}
	a, b := &Bundle{Child: 1, Queue: 1}, &Bundle{Child: 2, Queue: 0}
	list = list.with(a)
	list.mark(2)
	if list.of(0) != a || list.of(1) != a || list.of(7) != a || !a.shared {
		t.Error("the only one does not serve all")
	}
	both := list.with(b)
	both.mark(2)
	if both.of(0) != b || both.of(1) != a || both.of(2) != b || a.shared || b.shared || list.of(0) != a {
		t.Error("each has its own, and a third the first")
	}
	both.mark(3)
	if a.shared || !b.shared {
		t.Error("the third shares with the first")
	}
	if rest := both.without(2); rest.of(0) != a || rest.of(1) != a || both.of(0) != b {
		t.Error("what is left does not serve all")
	}
	if rest := both.without(2).without(1); rest.of(1) != nil {
		t.Error("something is left")
	}
	if _, err := New(Config{TUN: manyQueues{}, Rand: rand.Reader}); err == nil {
		t.Error("a plane without what it needs")
	}
}
