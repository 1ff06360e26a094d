package tun

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/testnet"
)

// rig is two hosts whose TUN devices are joined by two goroutines that move packets as they come.
type rig struct {
	other *testnet.Host
	here  netip.Addr
	there netip.Addr
	// supers and plain are how many superpackets and datagrams were read, failed how many writes failed.
	supers, plain, failed atomic.Int64
}

// change is what a rig does to the packets that it was given, before it writes them.
type change func([]Packet) []Packet

func newRig(t testing.TB, v variant, here, there string, mtu int) *rig {
	t.Helper()
	testnet.NeedTUN(t)
	p, q := netip.MustParsePrefix(here), netip.MustParsePrefix(there)
	r := &rig{other: testnet.NewHost(t), here: p.Addr(), there: q.Addr()}
	make1 := func(name string, addr netip.Prefix) Device {
		d, err := CreateWith(name, mtu, v.o)
		if err != nil {
			t.Fatal(err)
		}
		testnet.AddAddrs(t, name, []netip.Prefix{addr})
		if v.unwilling {
			unwilling(d)
		}
		return d
	}
	a := make1("tun7", p)
	var b Device
	r.other.Do(func() { b = make1("tun8", q) })
	done := make(chan struct{}, 2)
	go r.forward(PacketsOf(a), PacketsOf(b), v.f, done)
	go r.forward(PacketsOf(b), PacketsOf(a), v.f, done)
	t.Cleanup(func() {
		a.Close()
		b.Close()
		<-done
		<-done
		testnet.Gone(t, "tun7")
	})
	return r
}

func (r *rig) forward(from, to PacketDevice, f change, done chan struct{}) {
	packets := packetRoom(8)
	for {
		n, err := from.ReadPackets(packets)
		for i := range n {
			if packets[i].Segment > 0 {
				r.supers.Add(1)
			} else {
				r.plain.Add(1)
			}
		}
		out := packets[:n]
		if f != nil {
			out = f(out)
		}
		if to.WritePackets(out) != nil {
			r.failed.Add(1)
		}
		if err != nil {
			done <- struct{}{}
			return
		}
	}
}

func packetRoom(n int) []Packet {
	const room = Headroom + MaxDatagram + 1 + 176 // not a power of two, so that the caches like them
	packets, arena := make([]Packet, n), make([]byte, n*room)
	for i := range packets {
		packets[i] = Packet{Buf: arena[i*room : (i+1)*room : (i+1)*room], Off: Headroom}
	}
	return packets
}

// scattered writes the payload of superpackets from other places than their first datagram.
func scattered(packets []Packet) []Packet {
	for i := range packets {
		p := &packets[i]
		if p.Segment == 0 {
			continue
		}
		l, _ := layoutOf(p.Bytes(), p.N)
		first := l.payload + p.Segment
		rest := slices.Clone(p.Bytes()[first:])
		p.N = first
		for chunk := range slices.Chunk(rest, p.Segment) {
			p.More = append(p.More, chunk)
		}
	}
	return packets
}

// unwilling makes a device one of a kernel that takes no superpackets, though it gives them.
func unwilling(d Device) {
	w := &d.(*kernel).queues[0].out
	for i := range w.refuses {
		w.refuses[i] = 1<<16 - 1
	}
}

// variant is one of the ways in which everything has to hold.
type variant struct {
	o         Options
	f         change
	unwilling bool
}

var variants = map[string]variant{
	"ring":                {},
	"ring, scattered":     {f: scattered},
	"ring, no offload":    {o: Options{NoOffload: true}},
	"ring, unwilling":     {unwilling: true},
	"no ring":             {o: Options{NoRing: true}},
	"no ring, scattered":  {o: Options{NoRing: true}, f: scattered},
	"no ring, no offload": {o: Options{NoRing: true, NoOffload: true}},
	"unwilling, scraps":   {o: Options{NoRing: true}, f: scattered, unwilling: true},
}

func eachVariant(t *testing.T, f func(t *testing.T, v variant)) {
	for name, v := range variants {
		t.Run(name, func(t *testing.T) { f(t, v) })
	}
}

// families are addresses for a rig.
var families = map[string][2]string{"IPv4": {"10.5.0.1/24", "10.5.0.2/24"}, "IPv6": {"fd05::1/64", "fd05::2/64"}}

func TestTCPThroughTheDeviceArrivesByteForByte(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		for family, addrs := range families {
			mtus := []int{1280, 65535}
			if v.o.NoRing {
				mtus = []int{1400, 9000}
			}
			for _, mtu := range mtus {
				t.Run(family, func(t *testing.T) {
					r := newRig(t, v, addrs[0], addrs[1], mtu)
					r.exchange(t, 4<<20)
					if n := r.failed.Load(); n > 0 {
						t.Errorf("%d writes failed", n)
					}
					if s := r.supers.Load(); mtu < 9000 && (s > 0) == v.o.NoOffload {
						t.Errorf("MTU %d: %d superpackets and %d datagrams", mtu, s, r.plain.Load())
					}
				})
			}
		}
	})
}

// exchange sends size octets each way at the same time.
func (r *rig) exchange(t *testing.T, size int) {
	t.Helper()
	l, err := net.Listen("tcp", netip.AddrPortFrom(r.here, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	data := randomOctets(size)
	var there net.Conn
	r.other.Do(func() { there, err = net.Dial("tcp", l.Addr().String()) })
	if err != nil {
		t.Fatal(err)
	}
	here, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	results := make(chan []byte, 2)
	for _, c := range []net.Conn{here, there} {
		go func() {
			_, _ = c.Write(data)
			_ = c.(*net.TCPConn).CloseWrite()
		}()
		go func() {
			got, _ := io.ReadAll(c)
			results <- got
		}()
	}
	for range 2 {
		if got := <-results; !bytes.Equal(got, data) {
			t.Errorf("%d octets arrived, not the %d that were sent", len(got), len(data))
		}
	}
	here.Close()
	there.Close()
}

func randomOctets(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestUDPSuperpacketsArriveAsDatagrams sends runs of datagrams by UDP_SEGMENT.
func TestUDPSuperpacketsArriveAsDatagrams(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		for family, addrs := range families {
			t.Run(family, func(t *testing.T) {
				r := newRig(t, v, addrs[0], addrs[1], 1400)
				here, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(r.here, 0)))
				if err != nil {
					t.Fatal(err)
				}
				defer here.Close()
				var there *net.UDPConn
				r.other.Do(func() {
					there, err = net.DialUDP("udp", nil, here.LocalAddr().(*net.UDPAddr))
				})
				if err != nil {
					t.Fatal(err)
				}
				defer there.Close()
				const size, count = 1000, 20
				data := randomOctets(size*count + 77)
				if err := segmented(there, size); err != nil {
					t.Skip("no UDP_SEGMENT:", err)
				}
				if _, err := there.Write(data); err != nil {
					t.Fatal(err)
				}
				buf := make([]byte, 2000)
				for i := range count + 1 {
					n, err := here.Read(buf)
					if err != nil {
						t.Fatal(err)
					}
					if want := data[i*size : min((i+1)*size, len(data))]; !bytes.Equal(buf[:n], want) {
						t.Fatalf("datagram %d differs", i)
					}
				}
			})
		}
	})
}

func segmented(c *net.UDPConn, size int) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	failed := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT, size) })
	if failed != nil {
		return failed
	}
	return err
}

// readUntil reads packets until there is an error, which it sends.
func readUntil(d Device, done chan<- error) {
	packets, p := packetRoom(4), PacketsOf(d)
	for {
		if _, err := p.ReadPackets(packets); err != nil {
			done <- err
			return
		}
	}
}

// eachRing runs f for a device with io_uring, where there is any, and for one without.
func eachRing(t *testing.T, f func(t *testing.T, d Device)) {
	for name, o := range map[string]Options{"ring": {}, "no ring": {NoRing: true}} {
		t.Run(name, func(t *testing.T) {
			testnet.NeedTUN(t)
			d, err := CreateWith("tun7", 1400, o)
			if err != nil {
				t.Fatal(err)
			}
			defer closeDevice(t, d, "tun7")
			if s := d.(Described).Describe(); o.NoRing && !strings.HasPrefix(s, "readv, TSO") {
				t.Error("it is described as", s)
			}
			f(t, d)
		})
	}
}

func TestCloseWakesAReaderOfPackets(t *testing.T) {
	eachRing(t, closeWakes)
}

func closeWakes(t *testing.T, d Device) {
	done := make(chan error)
	go readUntil(d, done)
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; Diagnose(err) != Closed {
		t.Error(err)
	}
	out := packetRoom(1)
	out[0].N = 40
	if err := PacketsOf(d).WritePackets(out); Diagnose(err) != Closed || !out[0].Failed {
		t.Error(err)
	}
	if _, err := PacketsOf(d).ReadPackets(out); Diagnose(err) != Closed {
		t.Error(err)
	}
}

// A reader that leaves the waiting to others finds nothing, what there is, and the end of the device, of which Close tells who waits for the files.
func TestTryReadPackets(t *testing.T) {
	eachRing(t, func(t *testing.T, d Device) {
		q := QueueOf(d, 0).(PolledDevice)
		testnet.AddAddrs(t, "tun7", []netip.Prefix{netip.MustParsePrefix("10.5.0.1/24")})
		packets, most := packetRoom(4), 0
		// ours counts packets that are not the kernel's own chatter, want of them and what comes with them. One that was sent may be a moment late: if the
		// kernel is sending its own on another processor, it is for that one to send ours.
		ours := func(want int) (n int) {
			for {
				got, err := q.TryReadPackets(packets)
				if err != nil {
					t.Fatalf("%d packets, %v", got, err)
				}
				if got == 0 && (n >= want || !testnet.Await(t, q, 2)) {
					return n
				}
				if got == 0 {
					continue
				}
				most = max(most, got)
				for i := range got {
					if b := packets[i].Bytes(); b[0] == 0x45 && b[9] == 17 {
						n++
					}
				}
			}
		}
		if n := ours(0); n != 0 {
			t.Errorf("%d packets out of nothing", n)
		}
		send(t, "one")
		send(t, "two")
		if n := ours(2); n != 2 {
			t.Errorf("%d packets and not 2", n)
		}
		for most < 2 { // where more come, more are read at once
			for range 20 {
				send(t, "more")
			}
			if n := ours(20); n != 20 {
				t.Fatalf("%d packets and not 20", n)
			}
		}
		if _, err := q.TryReadPackets([]Packet{{Buf: make([]byte, 9)}}); err == nil {
			t.Error("a packet without room was read into")
		}
		fds, closed := testnet.Lend(t, q, 2), make(chan error)
		go func() { closed <- d.Close() }()
		testnet.ClosedWhileLent(t, q, fds, closed)
		if _, err := q.TryReadPackets(packets); Diagnose(err) != Closed {
			t.Error(err)
		}
	})
}

func TestF9ADeletedDeviceIsGoneForAReaderOfPackets(t *testing.T) {
	eachRing(t, deletedIsGone)
}

func deletedIsGone(t *testing.T, d Device) {
	done := make(chan error)
	go readUntil(d, done)
	deleteLink(t, "tun7")
	if err := <-done; Diagnose(err) != Gone {
		t.Error(err)
	}
	out := packetRoom(1)
	out[0].N = 40
	if err := PacketsOf(d).WritePackets(out); Diagnose(err) != Gone {
		t.Error(err)
	}
}

// TestAsADeviceItCutsSuperpackets reads what UDP_SEGMENT made, a few datagrams at a time.
func TestAsADeviceItCutsSuperpackets(t *testing.T) {
	d := create(t, "tun7")
	testnet.AddAddrs(t, "tun7", []netip.Prefix{netip.MustParsePrefix("10.5.0.1/24")})
	c, err := net.Dial("udp", "10.5.0.2:9")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const size, count = 1000, 20
	if err := segmented(c.(*net.UDPConn), size); err != nil {
		t.Skip("no UDP_SEGMENT:", err)
	}
	data := randomOctets(size*count + 77)
	if _, err := c.Write(data); err != nil {
		t.Fatal(err)
	}
	bufs, sizes := buffers(3, Headroom+1400)
	for got := 0; got < len(data); {
		n, err := d.Read(bufs, sizes, Headroom)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			b := bufs[i][Headroom:][:sizes[i]]
			if b[0] != 0x45 || b[9] != protoUDP {
				continue
			}
			want := data[got:min(got+size, len(data))]
			if !bytes.Equal(b[28:], want) || packet.Checksum(append(pseudoOf(b, false, protoUDP, 20), b[20:]...)) != 0 {
				t.Fatalf("the datagram at %d differs", got)
			}
			got += len(want)
		}
	}
}

func TestAFileThatCannotDoWithoutWaitingGetsNoRing(t *testing.T) {
	f, err := os.Open("/dev/zero") // has something to read, which a device that is down has not
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, fd := range map[string]int{"zero": int(f.Fd()), "nothing": -1} {
		if in, out := rings(fd); in != nil || out != nil {
			t.Errorf("%s: a ring", name)
		}
	}
}

// TestNothingIsAllocatedForAPacket writes datagrams that the kernel sends back, and reads them.
func TestNothingIsAllocatedForAPacket(t *testing.T) {
	eachRing(t, func(t *testing.T, d Device) {
		testnet.AddAddrs(t, "tun7", []netip.Prefix{netip.MustParsePrefix("10.5.0.1/24")})
		p, out, in := PacketsOf(d), echoRequests(4), packetRoom(8)
		allocs := testing.AllocsPerRun(20, func() {
			if err := p.WritePackets(out); err != nil {
				t.Fatal(err)
			}
			for replies := 0; replies < len(out); {
				n, err := p.ReadPackets(in)
				if err != nil {
					t.Fatal(err)
				}
				for i := range n {
					if b := in[i].Bytes(); b[0] == 0x45 && b[9] == unix.IPPROTO_ICMP {
						replies++
					}
				}
			}
		})
		if allocs > 0 {
			t.Error(allocs, "allocations")
		}
	})
}
