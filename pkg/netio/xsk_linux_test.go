package netio

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/goipsec/goipsec/pkg/testnet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// numbered returns datagrams of ESP to the other host, with sequence numbers from 1.
func numbered(n int) (msgs []Message) {
	for i := range n {
		b := ip4("10.9.0.1", "10.9.0.2", ProtoESP, 0, uint16(i+1), true, pattern(200))
		binary.BigEndian.PutUint32(b[20:], uint32(i+1))
		completeHeader(b)
		msgs = append(msgs, Message{Buf: b, N: len(b)})
	}
	return msgs
}

// arrived is how many frames came to the other host so far.
func (w *directWorld) arrived(t *testing.T) (n uint64) {
	t.Helper()
	w.other.Do(func() {
		peer, err := netlink.LinkByName("peer")
		if err != nil {
			t.Error(err)
			return
		}
		n = peer.Attrs().Statistics.RxPackets
	})
	return n
}

func setUp(t *testing.T, name string, up bool) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err == nil && up {
		err = netlink.LinkSetUp(l)
	} else if err == nil {
		err = netlink.LinkSetDown(l)
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// onlyESP keeps the kernel's own frames, which would be counted, off the wire.
func onlyESP(t *testing.T, name string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
}

// What a socket did not take goes by the fallback. It must not go out once more with what another worker sends before the socket is closed.
func TestXSKThatFailedSendsNothingMore(t *testing.T) {
	w := newDirectWorld(t, 1500)
	onlyESP(t, "wire")
	w.other.Do(func() { onlyESP(t, "peer") })
	x, err := openXSK(w.hop.Interface, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.close()
	setUp(t, "wire", false)
	if n, err := x.send(numbered(10), &w.hop); n != 0 || err != unix.ENETDOWN {
		t.Errorf("%d, %v", n, err)
	}
	setUp(t, "wire", true)
	before := w.arrived(t)
	if n, err := x.send(numbered(1), &w.hop); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("%d, %v", n, err)
	}
	if n := w.arrived(t) - before; n != 0 {
		t.Errorf("%d frames were sent that the fallback sends too", n)
	}
}

// A kernel that takes 32 frames of one call and does not say how many it took gets no more at a time.
func TestXSKInBursts(t *testing.T) {
	w := newDirectWorld(t, 1500)
	peer := w.peer(t)
	x, err := openXSK(w.hop.Interface, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.close()
	_ = unix.SetsockoptInt(x.fd, unix.SOL_XDP, xskBudget, xskBurst)
	x.burst = xskBurst
	before := x.tx.at
	if n, err := x.some(numbered(100), &w.hop); n != xskBurst || err != nil || x.tx.at != before+xskBurst {
		t.Errorf("%d at once, %v", n, err)
	}
	if n, err := x.send(numbered(100)[xskBurst:], &w.hop); n != 100-xskBurst || err != nil {
		t.Error(n, err)
	}
	for i := range 100 {
		if m := readOne(t, peer); binary.BigEndian.Uint32(m.Bytes()[20:]) != uint32(i+1) {
			t.Fatalf("datagram %d: %x", i, m.Bytes()[:32])
		}
	}
}

// An interface that drops what it gets, as one without a cable or one that nobody reads from, holds nobody up, and the slots come back.
func TestXSKOfAnInterfaceThatDrops(t *testing.T) {
	testnet.NeedTUN(t)
	w := newDirectWorld(t, 1500)
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("unread")
	if err != nil {
		t.Fatal(err)
	}
	req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		t.Fatal(err)
	}
	tap := setUp(t, "unread", true)
	w.other.Do(func() { setUp(t, "peer", false) })
	for _, ifindex := range []int{tap.Attrs().Index, w.hop.Interface} {
		x, err := openXSK(ifindex, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer x.close()
		for range 40 {
			if n, err := x.send(numbered(45), &w.hop); n != 45 || err != nil {
				t.Fatal(n, err)
			}
		}
		if x.reap(); ifindex == w.hop.Interface && len(x.free) != xskSlots {
			t.Errorf("%d slots came back", len(x.free))
		}
	}
}

// Interfaces that stand on others take a socket as well: what goes into them comes out of those.
func TestXSKOfInterfacesOnOthers(t *testing.T) {
	for kind, above := range map[string]func(wire int) netlink.Link{
		"macvlan": func(wire int) netlink.Link {
			return &netlink.Macvlan{LinkAttrs: netlink.LinkAttrs{Name: "upper", ParentIndex: wire}, Mode: netlink.MACVLAN_MODE_BRIDGE}
		},
		"vlan": func(wire int) netlink.Link {
			return &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: "upper", ParentIndex: wire}, VlanId: 5}
		},
		"bridge": func(int) netlink.Link { return &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "upper"}} },
	} {
		t.Run(kind, func(t *testing.T) {
			w := newDirectWorld(t, 1500)
			wire, upper := setUp(t, "wire", true), above(w.hop.Interface)
			if err := netlink.LinkAdd(upper); err != nil {
				t.Skipf("this kernel has none: %v", err)
			}
			t.Cleanup(func() { _ = netlink.LinkDel(upper) })
			if kind == "bridge" {
				if err := netlink.LinkSetMaster(wire, upper); err != nil {
					t.Fatal(err)
				}
			}
			own := setUp(t, "upper", true)
			copy(w.hop.Source[:], own.Attrs().HardwareAddr)
			x, err := openXSK(own.Attrs().Index, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer x.close()
			before := w.arrived(t)
			for range 20 {
				if n, err := x.send(numbered(45), &w.hop); n != 45 || err != nil {
					t.Fatal(n, err)
				}
			}
			if n := w.arrived(t) - before; n < 20*45 { // the kernel may have sent some of its own
				t.Errorf("%d arrived", n)
			}
			if x.reap(); len(x.free) != xskSlots {
				t.Errorf("%d slots came back", len(x.free))
			}
		})
	}
}

// rings counts the rings that are mapped.
func rings(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), "socket:[")
}

// storm has four workers send batches until what do does is done, and checks that each datagram went once, directly or by the fallback.
func (w *directWorld) storm(t *testing.T, do func()) {
	t.Helper()
	const size = 20
	before := w.Stats().Direct + uint64(w.fallback.n.Load())
	stop := make(chan struct{})
	var workers sync.WaitGroup
	var total [4]uint64
	for k := range total {
		workers.Go(func() {
			for {
				msgs := numbered(size)
				if n, err := w.WriteBatch(msgs); n != size && err == nil {
					t.Errorf("%d sent without an error", n)
				}
				total[k] += size
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	do()
	close(stop)
	workers.Wait()
	if got := w.Stats().Direct + uint64(w.fallback.n.Load()) - before; got != total[0]+total[1]+total[2]+total[3] {
		t.Errorf("%d of %d datagrams", got, total)
	}
}

// Interfaces go down, away to another host, come back under the same number and go for good, while all send.
func TestDirectSenderOutlivesItsInterface(t *testing.T) {
	w := newDirectWorld(t, 1500)
	w.send(t, hopFirst+1, 100, "10.9.0.2")
	before, direct := rings(t), w.Stats().Direct
	if direct == 0 || before == 0 {
		t.Fatal(direct, before)
	}
	back := func() {
		t.Helper()
		l := setUp(t, "wire", true)
		if l.Attrs().Index != w.hop.Interface {
			t.Errorf("came back as number %d and not %d", l.Attrs().Index, w.hop.Interface)
		}
		w.sendAgain(t)
		if n := rings(t); n != before {
			t.Errorf("%d rings are mapped, and not %d", n, before)
		}
	}
	w.storm(t, func() { setUp(t, "wire", false) })
	back()

	w.storm(t, func() {
		if err := w.other.Take("wire"); err != nil {
			t.Error(err)
		}
	})
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	w.other.Do(func() {
		l, err := netlink.LinkByName("wire")
		if err == nil {
			err = netlink.LinkSetNsFd(l, int(home.Fd()))
		}
		if err != nil {
			t.Error(err)
		}
	})
	testnet.AddAddrs(t, "wire", []netip.Prefix{netip.MustParsePrefix("10.9.0.1/24")})
	back()

	w.storm(t, func() {
		if err := netlink.LinkDel(setUp(t, "wire", true)); err != nil {
			t.Error(err)
		}
	})
	again := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "wire", Index: w.hop.Interface, MTU: 1500}, PeerName: "peer"}
	if err := netlink.LinkAdd(again); err != nil {
		t.Fatal(err)
	}
	if err := w.other.Take("peer"); err != nil {
		t.Fatal(err)
	}
	testnet.AddAddrs(t, "wire", []netip.Prefix{netip.MustParsePrefix("10.9.0.1/24")})
	w.other.Do(func() { testnet.AddAddrs(t, "peer", []netip.Prefix{netip.MustParsePrefix("10.9.0.2/24")}) })
	back()

	w.storm(t, func() { w.Close() })
	if n := rings(t); n != 0 {
		t.Errorf("%d rings are still mapped", n)
	}
}

// An interface that is refused, and so is tried again each second, costs those that work nothing.
func TestDirectSenderKeepsTheSocketsOfOthers(t *testing.T) {
	w := newDirectWorld(t, 1500)
	good := w.hop
	w.cfg.Hop = func(a netip.Addr) (Hop, error) {
		if a == netip.MustParseAddr("10.9.0.3") {
			return Hop{Interface: 9999, MTU: 1500}, nil
		}
		return good, nil
	}
	w.send(t, hopFirst+1, 100, "10.9.0.2")
	old := w.sockets[good.Interface].socket
	for range 3 {
		w.now = w.now.Add(hopTime)
		w.send(t, 5, 100, "10.9.0.2") // by the fallback, so that no way uses the socket now
		if got := w.send(t, hopFirst+5, 100, "10.9.0.3"); got != hopFirst+5 || w.Refusal() == nil {
			t.Errorf("%d by the fallback, %v", got, w.Refusal())
		}
		if got := w.send(t, hopFirst, 100, "10.9.0.2"); got != hopFirst-5 {
			t.Errorf("%d by the fallback", got)
		}
	}
	if got := w.sockets[good.Interface].socket; got == nil || got != old {
		t.Error("the socket was opened anew")
	}
}

// Whoever goes another way after a socket was given up does not try the interface again at once, which the kernel has not got back by then.
func TestDirectSenderWaitsASecondAfterItGaveUp(t *testing.T) {
	w := newDirectWorld(t, 1500)
	w.send(t, hopFirst+1, 100, "10.9.0.2")
	for range 3 {
		w.now = w.now.Add(hopTime)
		w.send(t, hopFirst+1, 100, "10.9.0.2")
	}
	x := w.sockets[w.hop.Interface].socket
	x.reap()
	x.free = nil
	w.send(t, 5, 100, "10.9.0.2")
	if got := w.send(t, hopFirst+5, 100, "10.9.0.3"); got != hopFirst+5 || w.Refusal() != nil || w.sockets[w.hop.Interface].socket != nil {
		t.Errorf("%d by the fallback, %v", got, w.Refusal())
	}
	w.sendAgain(t)
}
