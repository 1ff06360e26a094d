package netio

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/goipsec/goipsec/pkg/testnet"
	"github.com/vishvananda/netlink"
)

func listen(tb testing.TB, addr string, o Options) *udpConn {
	tb.Helper()
	c, err := ListenUDP(netip.MustParseAddrPort(addr), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c.(*udpConn)
}

// collect reads until want octets have come, and returns the single datagrams.
func collect(tb testing.TB, c Conn, want int) (datagrams [][]byte, messages int) {
	tb.Helper()
	for got := 0; got < want; {
		msgs := room(16)
		n, err := c.ReadBatch(msgs)
		if err != nil {
			tb.Fatal(err)
		}
		for _, m := range msgs[:n] {
			messages++
			got += m.N
			size := m.N
			if m.Segment > 0 {
				size = m.Segment
			}
			for b := m.Bytes(); len(b) > 0; b = b[min(size, len(b)):] {
				datagrams = append(datagrams, append([]byte(nil), b[:min(size, len(b))]...))
			}
		}
	}
	return datagrams, messages
}

func TestUDPCarriesTOSAndLocalAddress(t *testing.T) {
	for _, loop := range []string{"127.0.0.1", "[::1]"} {
		any := "0.0.0.0:0"
		if loop == "[::1]" {
			any = "[::]:0"
		}
		a, b := listen(t, any, Options{}), listen(t, any, Options{})
		to := netip.AddrPortFrom(netip.MustParseAddr(strings.Trim(loop, "[]")), b.LocalAddr().Port())
		local := netip.AddrPortFrom(to.Addr(), 0)
		if loop == "127.0.0.1" { // any address of 127/8 is ours: the source must be the one asked for
			local = netip.MustParseAddrPort("127.0.0.9:0")
		}
		n, err := a.WriteBatch([]Message{{Buf: []byte("xxhello"), Off: 2, N: 5, Remote: to, Local: local, TOS: 0xb9}, {Buf: []byte{}, Remote: to}})
		if n != 2 || err != nil {
			t.Fatal(n, err)
		}
		in := room(4)
		n, err = b.ReadBatch(in)
		if err != nil || n == 0 {
			t.Fatal(n, err)
		}
		m := in[0]
		if string(m.Bytes()) != "hello" || m.TOS != 0xb9 || m.Segment != 0 || m.Off != 64 {
			t.Errorf("got %q, TOS %#x, segment %d", m.Bytes(), m.TOS, m.Segment)
		}
		if want := netip.AddrPortFrom(local.Addr(), a.LocalAddr().Port()); m.Remote != want {
			t.Errorf("remote %v, want %v", m.Remote, want)
		}
		if m.Local != to {
			t.Errorf("local %v, want %v", m.Local, to)
		}
	}
}

func TestUDPSegmentationOffloadKeepsBoundaries(t *testing.T) {
	for _, o := range []Options{{}, {NoOffload: true}} {
		for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
			a, b := listen(t, addr, o), listen(t, addr, o)
			data := pattern(1400*100 + 77) // longer than one run may be
			n, err := a.WriteBatch([]Message{{Buf: data, N: len(data), Segment: 1400, Remote: b.LocalAddr()}})
			if n != 1 || err != nil {
				t.Fatal(n, err)
			}
			got, messages := collect(t, b, len(data))
			if len(got) != 101 || len(got[0]) != 1400 || len(got[100]) != 77 {
				t.Fatalf("%d datagrams", len(got))
			}
			if !bytes.Equal(bytes.Join(got, nil), data) {
				t.Error("the octets differ")
			}
			if o.NoOffload && messages != 101 || !o.NoOffload && messages > 10 {
				t.Errorf("%+v: %d messages for 101 datagrams", o, messages)
			}
			if runs := a.Stats().Runs; (runs > 0) == o.NoOffload {
				t.Errorf("%+v: %d runs", o, runs)
			}
		}
	}
}

func TestUDPManyMessagesInOneBatch(t *testing.T) {
	a, b := listen(t, "127.0.0.1:0", Options{NoOffload: true}), listen(t, "127.0.0.1:0", Options{NoOffload: true})
	var msgs []Message
	for i := range 300 {
		msgs = append(msgs, Message{Buf: []byte(fmt.Sprintf("%04d", i)), N: 4, Remote: b.LocalAddr()})
	}
	if n, err := a.WriteBatch(msgs); n != 300 || err != nil {
		t.Fatal(n, err)
	}
	got, _ := collect(t, b, 1200)
	for i, d := range got {
		if string(d) != fmt.Sprintf("%04d", i) {
			t.Fatalf("datagram %d is %s", i, d)
		}
	}
}

// link joins this host to another by a cable of a given MTU.
func link(t testing.TB, mtu int) *testnet.Host {
	other := testnet.NewHost(t)
	p := func(s string) []netip.Prefix {
		return []netip.Prefix{netip.MustParsePrefix("10.9.0." + s + "/24"), netip.MustParsePrefix("fd09::" + s + "/64")}
	}
	testnet.Veth(t, other, "wire", p("1"), p("2"))
	l, err := netlink.LinkByName("wire")
	if err == nil {
		err = netlink.LinkSetMTU(l, mtu)
	}
	if err != nil {
		t.Fatal(err)
	}
	return other
}

func TestF8TooBigFallsBackPerDatagramAndIsReported(t *testing.T) {
	testnet.Need(t)
	other := link(t, 1300)
	for _, here := range []string{"10.9.0.1", "fd09::1"} {
		there := strings.TrimSuffix(here, "1") + "2"
		a := listen(t, netip.AddrPortFrom(netip.MustParseAddr(here), 0).String(), Options{})
		var b *udpConn
		other.Do(func() { b = listen(t, netip.AddrPortFrom(netip.MustParseAddr(there), 0).String(), Options{}) })
		big, small := pattern(3000), pattern(2100)
		n, err := a.WriteBatch([]Message{
			{Buf: big, N: len(big), Segment: 1400, Remote: b.LocalAddr()}, // 1400, 1400, 200: the last one fits
			{Buf: small, N: len(small), Segment: 1000, Remote: b.LocalAddr()},
			{Buf: big, N: 1400, Remote: b.LocalAddr()},
			{Buf: big, N: 1400, Remote: b.LocalAddr(), Fragment: true},
		})
		var tooBig *TooBig
		if n != 2 || !errors.As(err, &tooBig) || tooBig.MTU != 1300 || tooBig.Remote != b.LocalAddr() || !errors.Is(err, syscall.EMSGSIZE) {
			t.Fatalf("%d sent, %v", n, err)
		}
		got, _ := collect(t, b, 200+2100+1400)
		var sizes []int
		for _, d := range got {
			sizes = append(sizes, len(d))
		}
		if fmt.Sprint(sizes) != "[200 1000 1000 100 1400]" {
			t.Errorf("received %v", sizes)
		}
		if a.reluctant.some.Load() || a.Stats().Fallbacks != 1 || a.Stats().Refused != 3 {
			t.Errorf("reluctant %v, %+v", a.reluctant.some.Load(), a.Stats())
		}
	}
}

func TestF8UnreachableAndRefusedPeersDoNotDisturb(t *testing.T) {
	a := listen(t, "127.0.0.1:0", Options{})
	gone := listen(t, "127.0.0.1:0", Options{})
	nobody := gone.LocalAddr()
	gone.Close()
	b := listen(t, "127.0.0.1:0", Options{})
	for range 20 { // each draws an ICMP port unreachable
		if n, err := a.WriteBatch([]Message{{Buf: []byte("x"), N: 1, Remote: nobody}}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	n, err := a.WriteBatch([]Message{{Buf: []byte("x"), N: 1, Remote: netip.MustParseAddrPort("[::1]:9")}, {Buf: []byte("y"), N: 1, Remote: b.LocalAddr()}})
	if n != 1 || err == nil {
		t.Errorf("%d sent, %v: want an error for the wrong family and the other sent", n, err)
	}
	if got, _ := collect(t, b, 1); string(got[0]) != "y" {
		t.Errorf("got %q", got)
	}
}

func TestF8FullSendBufferIsACountedDrop(t *testing.T) {
	testnet.Need(t)
	link(t, 1500)
	// Datagrams to a neighbour that does not answer wait in the kernel, at the sender's expense.
	a := listen(t, "10.9.0.1:0", Options{Buffer: 8192, NoOffload: true})
	var msgs []Message
	for range 200 {
		msgs = append(msgs, Message{Buf: make([]byte, 1000), N: 1000, Remote: netip.MustParseAddrPort("10.9.0.99:9")})
	}
	n, err := a.WriteBatch(msgs)
	if n == 200 || !errors.Is(err, ErrFull) || a.Stats().Full != uint64(200-n) {
		t.Errorf("%d sent, %v, %+v", n, err, a.Stats())
	}
}

// A reader that leaves the waiting to others finds nothing, what there is, and the end; Close tells who waits for the file, and waits for its return.
func TestTryReadBatch(t *testing.T) {
	for kind, open := range map[string]func() PolledConn{
		"udp": func() PolledConn { return listen(t, "127.0.0.1:0", Options{}) },
		"raw": func() PolledConn {
			if os.Geteuid() != 0 {
				return nil
			}
			c, err := ListenRaw(ProtoESP, netip.MustParseAddr("127.0.0.1"), Options{})
			if err != nil {
				t.Fatal(err)
			}
			return c.(PolledConn)
		},
	} {
		a := open()
		if a == nil {
			continue
		}
		msgs := room(4)
		if n, err := a.TryReadBatch(msgs); n != 0 || err != nil {
			t.Errorf("%s: %d messages out of nothing, %v", kind, n, err)
		}
		if kind == "udp" {
			if _, err := a.WriteBatch([]Message{{Buf: []byte("x"), N: 1, Remote: a.LocalAddr()}, {Buf: []byte("yy"), N: 2, Remote: a.LocalAddr()}}); err != nil {
				t.Fatal(err)
			}
			got := 0
			for got < 2 && testnet.Await(t, a, 1) { // the kernel may put off handing over what was sent
				n, err := a.TryReadBatch(msgs[got:])
				if err != nil {
					t.Fatal(err)
				}
				got += n
			}
			if got != 2 || msgs[1].N != 2 {
				t.Errorf("%d messages", got)
			}
			if n, err := a.TryReadBatch(msgs); n != 0 || err != nil {
				t.Errorf("%d messages, %v", n, err)
			}
		}
		fds, closed := testnet.Lend(t, a, 1), make(chan error)
		go func() { closed <- a.Close() }()
		testnet.ClosedWhileLent(t, a, fds, closed)
		if _, err := a.TryReadBatch(msgs); !errors.Is(err, net.ErrClosed) {
			t.Error(kind, err)
		}
	}
}

func TestUDPCloseWakesTheReader(t *testing.T) {
	for _, o := range []Options{{}, {NoOffload: true}} {
		a := listen(t, "127.0.0.1:0", o)
		done := make(chan error)
		go func() {
			_, err := a.ReadBatch(room(2))
			done <- err
		}()
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if _, err := a.WriteBatch([]Message{{Buf: []byte("x"), N: 1, Remote: a.LocalAddr()}}); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error("a second Close:", err)
		}
	}
}

func TestPortHeldNamesTheHolder(t *testing.T) {
	for _, pair := range [][2]string{{"127.0.0.1", "127.0.0.1"}, {"0.0.0.0", "127.0.0.1"}, {"127.0.0.1", "0.0.0.0"}, {"::1", "::"}} {
		a := listen(t, netip.AddrPortFrom(netip.MustParseAddr(pair[0]), 0).String(), Options{})
		second := netip.AddrPortFrom(netip.MustParseAddr(pair[1]), a.LocalAddr().Port())
		_, err := ListenUDP(second, Options{})
		me := fmt.Sprintf("(process %d)", os.Getpid())
		if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), me) {
			t.Errorf("%v: %v; want %s named", pair, err, me)
		}
		a.Close()
	}
	_, err := ListenUDP(netip.MustParseAddrPort("203.0.113.7:4500"), Options{})
	if err == nil || !strings.Contains(err.Error(), "no interface has that address") {
		t.Error(err)
	}
}

func TestTruncatedDatagramsAreCountedNotDelivered(t *testing.T) {
	a, b := listen(t, "127.0.0.1:0", Options{}), listen(t, "127.0.0.1:0", Options{NoOffload: true})
	for _, s := range []string{"far too long for it", "short"} {
		if n, err := a.WriteBatch([]Message{{Buf: []byte(s), N: len(s), Remote: b.LocalAddr()}}); n != 1 {
			t.Fatal(err)
		}
	}
	in := []Message{{Buf: make([]byte, 8)}, {Buf: make([]byte, 8)}}
	n, err := b.ReadBatch(in)
	if n != 1 || err != nil || string(in[0].Bytes()) != "short" || b.Stats().Truncated != 1 {
		t.Errorf("%d %v %q %+v", n, err, in[0].Bytes(), b.Stats())
	}
	if &in[0].Buf[0] == &in[1].Buf[0] {
		t.Error("two messages share a buffer")
	}
	if _, err := b.ReadBatch([]Message{{Buf: make([]byte, 4), Off: 4}}); !errors.Is(err, syscall.EINVAL) {
		t.Error("a message without room:", err)
	}
}

func TestMarkNeedsTheRight(t *testing.T) {
	testnet.Need(t)
	a := listen(t, "127.0.0.1:0", Options{Mark: 0x1234})
	if m, err := syscall.GetsockoptInt(a.fd, syscall.SOL_SOCKET, 36); m != 0x1234 || err != nil {
		t.Error(m, err)
	}
}

// A reader that has just read many waits like any other.
func TestABusyReaderWaitsForTheNext(t *testing.T) {
	a, b := listen(t, "127.0.0.1:0", Options{NoOffload: true}), listen(t, "127.0.0.1:0", Options{NoOffload: true})
	in, data := room(8), pattern(100)
	out := []Message{{Buf: data, N: 100, Remote: b.LocalAddr()}, {Buf: data, N: 90, Remote: b.LocalAddr()}, {Buf: data, N: 80, Remote: b.LocalAddr()}}
	for try := 0; !b.in.busy; try++ {
		if try == 100 {
			t.Fatal("it never reads many")
		}
		if _, err := a.WriteBatch(out); err != nil {
			t.Fatal(err)
		}
		for got := 0; got < 3; { // the kernel may put off handing over some of them
			n, err := b.ReadBatch(in)
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	}
	done := make(chan error)
	go func() {
		n, err := b.ReadBatch(in)
		if err == nil && (n != 1 || in[0].N != 100) {
			err = errors.New("something else was read")
		}
		done <- err
	}()
	for range 1000 { // long enough to find nothing more than once, on any machine that lets it run
		runtime.Gosched()
	}
	if _, err := a.WriteBatch(out[:1]); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestUDPDoesNotAllocate(t *testing.T) {
	a, b := listen(t, "127.0.0.1:0", Options{}), listen(t, "127.0.0.1:0", Options{})
	data := pattern(14000)
	out := []Message{{Buf: data, N: len(data), Segment: 1400, Remote: b.LocalAddr(), Local: a.LocalAddr(), TOS: 2}, {Buf: data, N: 100, Remote: b.LocalAddr()}}
	in := room(4)
	allocs := testing.AllocsPerRun(100, func() {
		if n, err := a.WriteBatch(out); n != 2 || err != nil {
			t.Fatal(n, err)
		}
		for got := 0; got < 14100; {
			n, err := b.ReadBatch(in)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range in[:n] {
				got += m.N
			}
		}
	})
	if allocs > 2 { // the poller's own bookkeeping now and then
		t.Errorf("%v allocations a round", allocs)
	}
}

func TestPathMTU(t *testing.T) {
	testnet.Need(t)
	link(t, 1400)
	for _, s := range []string{"10.9.0.2", "fd09::2"} {
		if mtu, err := PathMTU(netip.MustParseAddr(s), Options{Mark: 1}); mtu != 1400 || err != nil {
			t.Error(s, mtu, err)
		}
	}
	if _, err := PathMTU(netip.MustParseAddr("203.0.113.1"), Options{}); err == nil {
		t.Error("an MTU where there is no route")
	}
}

// That the kernel makes no segments for one remote is no matter of the others, and not for ever.
func TestUDPARemoteWithoutSegmentationIsAloneAndTriedAgain(t *testing.T) {
	a, b, other := listen(t, "127.0.0.1:0", Options{}), listen(t, "127.0.0.1:0", Options{}), listen(t, "127.0.0.2:0", Options{})
	data := pattern(3 * 1000)
	send := func(to Conn) (asRun bool) {
		t.Helper()
		before := a.Stats().Runs
		if n, err := a.WriteBatch([]Message{{Buf: data, N: len(data), Segment: 1000, Remote: to.LocalAddr()}}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if got, _ := collect(t, to, len(data)); len(got) != 3 || !bytes.Equal(bytes.Join(got, nil), data) {
			t.Fatalf("%d datagrams arrived", len(got))
		}
		return a.Stats().Runs > before
	}
	if !send(b) {
		t.Skip("no UDP_SEGMENT")
	}
	for range 2 {
		s := begin(1)
		a.refused(s, &item{data: data, segment: 1000, remote: b.LocalAddr()}, syscall.EIO) // as of a device that cannot checksum
		if n, err := s.end(nil); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if got, _ := collect(t, b, len(data)); len(got) != 3 {
			t.Fatalf("%d datagrams of the refused run arrived", len(got))
		}
		for i := range tryAgain {
			if send(b) {
				t.Fatalf("run %d after the refusal is tried as one", i)
			}
			if i%100 == 0 && !send(other) {
				t.Fatal("another remote gets datagrams one by one")
			}
		}
		if !send(b) {
			t.Error("it is never tried again")
		}
	}
	// However many there are, they are not remembered without end.
	for i := range 3 * maxReluctant {
		a.reluctant.add(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	if n := len(a.reluctant.left); n > maxReluctant {
		t.Errorf("%d are remembered", n)
	}
}
