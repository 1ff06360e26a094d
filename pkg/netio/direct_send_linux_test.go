package netio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/testnet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// counting is a clear path that counts.
type counting struct {
	Conn
	n atomic.Int64
}

func (c *counting) WriteBatch(msgs []Message) (int, error) {
	c.n.Add(int64(len(msgs)))
	return c.Conn.WriteBatch(msgs)
}

// directWorld is a direct sender of this namespace and whom it sends to.
type directWorld struct {
	*directSender
	other    *testnet.Host
	fallback *counting
	now      time.Time
	asked    atomic.Int64
	hop      Hop
	refuse   error
}

func newDirectWorld(t *testing.T, mtu int) *directWorld {
	testnet.Need(t)
	w := &directWorld{other: link(t, mtu), now: time.Unix(1000, 0)}
	clear, err := OpenClear(Options{Mark: 7})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { clear.Close() })
	w.fallback = &counting{Conn: clear}
	c, err := OpenDirect(DirectConfig{Options: Options{Mark: 7}, Fallback: w.fallback, Clock: func() time.Time { return w.now },
		Hop: func(netip.Addr) (Hop, error) { w.asked.Add(1); return w.hop, w.refuse }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	w.directSender = c.(*directSender)
	own, err := netlink.LinkByName("wire")
	if err != nil {
		t.Fatal(err)
	}
	w.hop = Hop{Interface: own.Attrs().Index, MTU: mtu}
	copy(w.hop.Source[:], own.Attrs().HardwareAddr)
	w.other.Do(func() {
		peer, err := netlink.LinkByName("peer")
		if err != nil {
			t.Error(err)
			return
		}
		copy(w.hop.Hardware[:], peer.Attrs().HardwareAddr)
	})
	return w
}

// send sends n datagrams of a length to an address and returns how many of them went by the fallback.
func (w *directWorld) send(t *testing.T, n, length int, to string) (fallback int) {
	t.Helper()
	var msgs []Message
	for i := range n {
		b := ip4("10.9.0.1", to, ProtoESP, 0, uint16(i+1), i%2 == 0, pattern(length))
		binary.BigEndian.PutUint32(b[20:], uint32(i))
		msgs = append(msgs, Message{Buf: append(make([]byte, 10), b...), Off: 10, N: len(b)})
	}
	before := w.fallback.n.Load()
	if sent, err := w.WriteBatch(msgs); sent != n || err != nil {
		t.Fatal(sent, err)
	}
	return int(w.fallback.n.Load() - before)
}

// peer is the raw socket of whom it sends to.
func (w *directWorld) peer(t *testing.T) Conn {
	t.Helper()
	var peer Conn
	var err error
	w.other.Do(func() { peer, err = ListenRaw(ProtoESP, netip.MustParseAddr("10.9.0.2"), Options{}) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	return peer
}

func TestDirectSenderKeepsOrderAndTrustsASecond(t *testing.T) {
	w := newDirectWorld(t, 1500)
	peer := w.peer(t)
	for second := range 3 {
		for batch, want := range []int{hopFirst, 0} {
			if got := w.send(t, 100, 700, "10.9.0.2"); got != want {
				t.Errorf("second %d, batch %d: %d by the fallback and not %d", second, batch, got, want)
			}
			for i := range 100 {
				m := readOne(t, peer)
				if b := m.Bytes(); m.N != 720 || !checksumOK(b[:20]) || binary.BigEndian.Uint16(b[2:]) != 720 || binary.BigEndian.Uint32(b[20:]) != uint32(i) ||
					binary.BigEndian.Uint16(b[4:]) != uint16(i+1) || !bytes.Equal(b[24:], pattern(700)[4:]) {
					t.Fatalf("datagram %d: %x", i, b[:32])
				}
			}
			w.now = w.now.Add(hopTime / 2)
		}
		if w.asked.Load() != int64(second+1) {
			t.Errorf("second %d: asked %d times", second, w.asked.Load())
		}
	}
	if s := w.Stats(); s.Direct != 600-3*hopFirst || s.Refused+s.Full != 0 {
		t.Errorf("%+v", s)
	}
	// A clock that was put back is no reason to trust what is old.
	w.now = w.now.Add(-time.Hour)
	if got := w.send(t, 40, 100, "10.9.0.2"); got != hopFirst {
		t.Errorf("%d by the fallback", got)
	}
	// With nobody to be found there is nothing to trust.
	w.now, w.refuse = w.now.Add(hopTime), errors.New("no neighbour")
	if got := w.send(t, 200, 100, "10.9.0.2"); got != 200 || w.asked.Load() != 5 {
		t.Errorf("%d by the fallback, asked %d times", got, w.asked.Load())
	}
}

func TestDirectSenderLeavesAllElseToTheStack(t *testing.T) {
	w := newDirectWorld(t, 1400)
	w.send(t, hopFirst+1, 100, "10.9.0.2")
	esp := func(f func(b []byte)) []byte {
		b := ip4("10.9.0.1", "10.9.0.2", ProtoESP, 0, 5, true, pattern(300))
		f(b)
		return b
	}
	for _, c := range []struct {
		name string
		data []byte
		sent int
	}{
		{"AH", esp(func(b []byte) { b[9] = ProtoAH }), 1},
		{"UDP", esp(func(b []byte) { b[9] = 17 }), 1},
		{"IP options", esp(func(b []byte) { b[0] = 0x46; copy(b[20:], []byte{1, 1, 1, 0}) }), 1},
		{"a first fragment", esp(func(b []byte) { b[6] = 0x20 }), 1},
		{"a last fragment", esp(func(b []byte) { b[6], b[7] = 0, 20 }), 1},
		{"no identification, may be fragmented", esp(func(b []byte) { b[4], b[5], b[6] = 0, 0, 0 }), 1},
		{"no source", esp(func(b []byte) { clear(b[12:16]) }), 1},
		{"IPv6", ip6("fd09::1", "fd09::2", ProtoESP, 0, 0, pattern(300)), 1},
		{"larger than the link", ip4("10.9.0.1", "10.9.0.2", ProtoESP, 0, 5, true, pattern(1381)), 0},
		{"too short", esp(func([]byte) {})[:27], 1},
		{"half a header", []byte{0x45, 0, 0}, 0},
		{"nothing", nil, 0},
	} {
		before, direct := w.fallback.n.Load(), w.Stats().Direct
		n, err := w.WriteBatch([]Message{{Buf: c.data, N: len(c.data)}})
		if n != c.sent || (err == nil) != (n == 1) || w.fallback.n.Load() != before+1 || w.Stats().Direct != direct {
			t.Errorf("%s: %d sent, %v; %d by the fallback, %d directly", c.name, n, err, w.fallback.n.Load()-before, w.Stats().Direct-direct)
		}
		var tooBig *TooBig
		if c.name == "larger than the link" && (!errors.As(err, &tooBig) || tooBig.MTU != 1400) {
			t.Error(err)
		}
	}
	fits := ip4("10.9.0.1", "10.9.0.2", ProtoESP, 0, 5, true, pattern(1380))
	direct := w.Stats().Direct
	if n, err := w.WriteBatch([]Message{{Buf: fits, N: len(fits)}}); n != 1 || err != nil || w.Stats().Direct != direct+1 {
		t.Error(n, err)
	}
	if _, err := w.ReadBatch(nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}

func TestDirectSenderFallsBackWhereTheInterfaceRefuses(t *testing.T) {
	w := newDirectWorld(t, 1500)
	// There is no such interface: the network stack still knows the way. It is tried once a second.
	real := w.hop.Interface
	w.hop.Interface = 9999
	if got := w.send(t, 100, 100, "10.9.0.2"); got != 100 || w.Refusal() == nil {
		t.Errorf("%d by the fallback, %v", got, w.Refusal())
	}
	first := w.Refusal()
	if got := w.send(t, 100, 100, "10.9.0.3"); got != 100 || w.Refusal() != first {
		t.Errorf("%d by the fallback, and tried again: %v", got, w.Refusal())
	}
	w.now, w.hop.Interface = w.now.Add(hopTime), real
	if got := w.send(t, 100, 100, "10.9.0.2"); got != hopFirst || w.Refusal() != nil {
		t.Errorf("%d by the fallback, %v", got, w.Refusal())
	}
	if _, ok := w.sockets[9999]; ok || len(w.sockets) != 1 {
		t.Errorf("an attempt in vain is remembered: %v", w.sockets)
	}
	// Another program has the interface's one socket.
	second, err := OpenDirect(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	msgs := make([]Message, hopFirst+8)
	for i := range msgs {
		b := ip4("10.9.0.1", "10.9.0.2", ProtoESP, 0, 9, true, pattern(900))
		msgs[i] = Message{Buf: b, N: len(b)}
	}
	before := w.fallback.n.Load()
	if n, err := second.WriteBatch(msgs); n != len(msgs) || err != nil || w.fallback.n.Load() != before+int64(n) || !errors.Is(second.Refusal(), unix.EBUSY) {
		t.Errorf("%d, %v, %v", n, err, second.Refusal())
	}
	// An interface that goes down in the middle: what it does not take the network stack refuses as well, and the socket is given up.
	l, _ := netlink.LinkByName("wire")
	if err := netlink.LinkSetDown(l); err != nil {
		t.Fatal(err)
	}
	before = w.fallback.n.Load()
	if n, err := w.WriteBatch(msgs[:1]); n != 0 || err == nil || w.fallback.n.Load() != before+1 {
		t.Errorf("%d sent by an interface that is down, %v", n, err)
	}
	if w.sockets[real].socket != nil {
		t.Error("the socket of an interface that is down is kept")
	}
	if err := netlink.LinkSetUp(l); err != nil {
		t.Fatal(err)
	}
	w.sendAgain(t)
	w.Close()
	if got := w.send(t, 5, 100, "10.9.0.2"); got != 5 {
		t.Errorf("%d by the fallback after Close", got)
	}
	w.now = w.now.Add(hopTime)
	if got := w.send(t, hopFirst+5, 100, "10.9.0.2"); got != hopFirst+5 {
		t.Errorf("%d by the fallback a second after Close", got)
	}
	w.fallback.Close()
	if n, err := w.WriteBatch(msgs[:1]); n != 0 || err == nil {
		t.Error(n, err)
	}
}

// A link that takes nothing holds a writer for a while only, and what it does not take goes another way.
func TestDirectSenderWaitsForAFullLinkInBounds(t *testing.T) {
	w := newDirectWorld(t, 1500)
	w.send(t, hopFirst+1, 100, "10.9.0.2")
	// No slot comes back, as if the driver had kept all frames.
	x := w.ways[[4]byte{10, 9, 0, 2}].exit.socket
	x.reap()
	x.free = nil
	if got := w.send(t, 50, 100, "10.9.0.2"); got != 50 || w.Stats().Full != 1 {
		t.Errorf("%d by the fallback, %+v", got, w.Stats())
	}
	w.sendAgain(t)
}

// sendAgain sends until an interface whose socket was closed takes another: the kernel gives it back some time later.
func (w *directWorld) sendAgain(t *testing.T) {
	t.Helper()
	for range 10000 {
		w.now = w.now.Add(hopTime)
		if w.send(t, hopFirst+5, 100, "10.9.0.2") == hopFirst {
			return
		}
	}
	t.Errorf("the interface does not take another socket: %v", w.Refusal())
}

// More datagrams than there are slots go out in order, and each slot is used again.
func TestDirectSenderHasMoreDatagramsThanSlots(t *testing.T) {
	w := newDirectWorld(t, 1500)
	peer := w.peer(t)
	w.send(t, hopFirst+1, 100, "10.9.0.2")
	for range hopFirst + 1 {
		readOne(t, peer)
	}
	const n = 2*xskSlots + 7
	if got := w.send(t, n, 100, "10.9.0.2"); got != 0 {
		t.Errorf("%d by the fallback", got)
	}
	for i := range n {
		if m := readOne(t, peer); binary.BigEndian.Uint32(m.Bytes()[20:]) != uint32(i) {
			t.Fatalf("datagram %d: %x", i, m.Bytes()[:32])
		}
	}
}

// Sockets of interfaces by which nobody is reached any more are closed.
func TestDirectSenderClosesWhatIsNotUsed(t *testing.T) {
	w := newDirectWorld(t, 1500)
	w.send(t, hopFirst+1, 100, "10.9.0.2")
	old := w.ways[[4]byte{10, 9, 0, 2}].exit.socket
	other := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "other", Flags: net.FlagUp}, PeerName: "other2"}
	if err := netlink.LinkAdd(other); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(other) })
	if err := netlink.LinkSetUp(other); err != nil {
		t.Fatal(err)
	}
	l, err := netlink.LinkByName("other")
	if err != nil {
		t.Fatal(err)
	}
	w.now, w.hop.Interface = w.now.Add(socketTime), l.Attrs().Index
	w.send(t, hopFirst+1, 100, "10.9.0.2")
	if old.fd >= 0 || len(w.sockets) != 1 || w.sockets[l.Attrs().Index] == nil {
		t.Errorf("descriptor %d, %v", old.fd, w.sockets)
	}
}

func TestDirectSenderAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the pool forgets at random under the race detector")
	}
	w := newDirectWorld(t, 1500)
	w.send(t, hopFirst+1, 100, "10.9.0.2")
	var msgs []Message
	for range 45 {
		b := ip4("10.9.0.1", "10.9.0.2", ProtoESP, 0, 5, true, pattern(1400))
		msgs = append(msgs, Message{Buf: b, N: len(b)})
	}
	got := testing.AllocsPerRun(100, func() {
		if n, err := w.WriteBatch(msgs); n != len(msgs) {
			t.Error(n, err)
		}
	})
	if got > 0 {
		t.Errorf("%.0f allocations a batch", got)
	}
}

// Several workers send by one socket.
func TestDirectSenderIsSafeForConcurrentUse(t *testing.T) {
	w := newDirectWorld(t, 1500)
	const workers, batches, size = 4, 50, 20
	var ready sync.WaitGroup
	for k := range workers {
		ready.Go(func() {
			to := fmt.Sprintf("10.9.0.%d", 2+k%2)
			for range batches {
				var msgs []Message
				for range size {
					b := ip4("10.9.0.1", to, ProtoESP, 0, 5, true, pattern(200))
					msgs = append(msgs, Message{Buf: b, N: len(b)})
				}
				if n, err := w.WriteBatch(msgs); n != size || err != nil {
					t.Error(n, err)
				}
			}
		})
	}
	ready.Wait()
	s, other := w.Stats(), uint64(w.fallback.n.Load())
	if s.Direct+other != workers*batches*size || other < 2*hopFirst || s.Direct == 0 || w.asked.Load() != 2 {
		t.Errorf("%+v, %d by the fallback, asked %d times", s, other, w.asked.Load())
	}
}

// While one worker asks for a way, those who know theirs send directly, and others to the same peer by the fallback.
func TestDirectSenderAsksWithoutHoldingOthers(t *testing.T) {
	w := newDirectWorld(t, 1500)
	w.send(t, hopFirst+1, 100, "10.9.0.2")
	asked, answer, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	w.cfg.Hop = func(netip.Addr) (Hop, error) {
		close(asked)
		<-answer
		return w.hop, nil
	}
	b := ip4("10.9.0.1", "10.9.0.3", ProtoESP, 0, 5, true, pattern(100))
	var msgs []Message
	for range hopFirst + 1 {
		msgs = append(msgs, Message{Buf: bytes.Clone(b), N: len(b)})
	}
	go func() {
		defer close(done)
		if n, err := w.WriteBatch(msgs); n != len(msgs) || err != nil {
			t.Error(n, err)
		}
	}()
	<-asked
	if got := w.send(t, 5, 100, "10.9.0.2"); got != 0 {
		t.Errorf("%d by the fallback to another peer", got)
	}
	if got := w.send(t, 5, 100, "10.9.0.3"); got != 5 {
		t.Errorf("%d by the fallback to the peer asked for", got)
	}
	close(answer)
	<-done
	if got := w.send(t, 5, 100, "10.9.0.3"); got != 0 {
		t.Errorf("%d by the fallback after the answer", got)
	}
	// An answer that comes too late is not trusted.
	asked, answer, done = make(chan struct{}), make(chan struct{}), make(chan struct{})
	w.now = w.now.Add(hopTime)
	go func() {
		defer close(done)
		if n, err := w.WriteBatch(msgs); n != len(msgs) || err != nil {
			t.Error(n, err)
		}
	}()
	<-asked
	w.now = w.now.Add(hopTime)
	w.send(t, 1, 100, "10.9.0.3")
	close(answer)
	<-done
	if got := w.send(t, 1, 100, "10.9.0.3"); got != 1 {
		t.Error("an answer of the second before is trusted")
	}
}

func TestDirectSenderRemembersFewPeers(t *testing.T) {
	w := newDirectWorld(t, 1500)
	testnet.AddAddrs(t, "wire", []netip.Prefix{netip.MustParsePrefix("10.9.250.1/16")})
	for i := range maxWays + 20 {
		w.send(t, 1, 100, fmt.Sprintf("10.9.%d.%d", 1+i/200, 1+i%200))
	}
	if len(w.ways) > maxWays {
		t.Errorf("%d are remembered", len(w.ways))
	}
	w.now = w.now.Add(hopTime)
	if got := w.send(t, hopFirst+8, 100, "10.9.0.2"); got != hopFirst {
		t.Errorf("%d by the fallback: the old ones were not forgotten", got)
	}
}
