package netio

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"
)

// queues opens an address with ESP queues and a sender to it.
func queues(t *testing.T, addr string, n int) (conns []Conn, send func(data []byte, segment int)) {
	t.Helper()
	conns, err := ListenQueues(netip.MustParseAddrPort(addr), n, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range conns {
		t.Cleanup(func() { c.Close() })
	}
	if len(conns) != n+1 {
		t.Fatalf("%d sockets, not %d: this system does not steer", len(conns), n+1)
	}
	from := listen(t, netip.AddrPortFrom(netip.MustParseAddrPort(addr).Addr(), 0).String(), Options{})
	return conns, func(data []byte, segment int) {
		t.Helper()
		if n, err := from.WriteBatch([]Message{{Buf: data, N: len(data), Segment: segment, Remote: conns[0].LocalAddr()}}); n != 1 {
			t.Fatal(err)
		}
	}
}

// esp is a datagram of n octets with an SPI in front.
func esp(spi uint32, n int) []byte {
	return append(binary.BigEndian.AppendUint32(nil, spi), pattern(n-4)...)
}

// What is sent to a socket that nothing else comes to is what the reader finds first.
func TestESPIsSpreadBySPIAndEverythingElseIsApart(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		for _, n := range []int{1, 2, 3} {
			conns, send := queues(t, addr, n)
			for _, spi := range []uint32{256, 257, 258, 0x80000001, 0xffffffff} {
				send(esp(spi, 100), 0)
				want := conns[1+int(spi%uint32(n))]
				if got, _ := collect(t, want, 100); binary.BigEndian.Uint32(got[0]) != spi {
					t.Errorf("%s, %d queues: SPI %#x was sent and %x came", addr, n, spi, got[0][:4])
				}
			}
			for _, other := range [][]byte{{0xff}, {1, 2, 3}, esp(0, 100)} {
				send(other, 0)
				if got, _ := collect(t, conns[0], len(other)); string(got[0]) != string(other) {
					t.Errorf("%s, %d queues: %x was sent and %x came", addr, n, other, got[0])
				}
			}
		}
	}
}

// A run is steered by its first datagram and comes whole.
func TestRunsAreSteeredWhole(t *testing.T) {
	conns, send := queues(t, "127.0.0.1:0", 2)
	run := append(append(esp(0x1000, 500), esp(0x1001, 500)...), esp(0, 100)...)
	send(run, 500)
	got, messages := collect(t, conns[1], len(run))
	if len(got) != 3 || messages != 1 {
		t.Errorf("%d datagrams in %d messages", len(got), messages)
	}
}

// While nobody reads ESP, far more of it comes than the system keeps; what is for the key exchange still comes.
func TestD18AFloodOfESPLeavesIKEItsBuffer(t *testing.T) {
	conns, err := ListenQueues(netip.MustParseAddrPort("127.0.0.1:0"), 1, Options{Buffer: 64 << 10})
	if err != nil || len(conns) != 2 {
		t.Fatal(len(conns), err)
	}
	from := listen(t, "127.0.0.1:0", Options{})
	flood, ike := esp(0x1234, 1400), esp(0, 300)
	for i := range 1000 {
		if i == 500 || i == 999 {
			_, _ = from.WriteBatch([]Message{{Buf: ike, N: len(ike), Remote: conns[0].LocalAddr()}})
		}
		_, _ = from.WriteBatch([]Message{{Buf: flood, N: len(flood), Remote: conns[0].LocalAddr()}})
	}
	if got, _ := collect(t, conns[0], 2*len(ike)); len(got) != 2 || string(got[1]) != string(ike) {
		t.Errorf("of two messages %d came", len(got))
	}
	for _, c := range conns {
		c.Close()
	}
}

// An address that shares its port with itself must not be shared with anybody else: two endpoints would each get a part of what comes.
func TestAnAddressWithQueuesIsTakenAllTheSame(t *testing.T) {
	conns, _ := queues(t, "127.0.0.1:0", 2)
	if _, err := ListenQueues(conns[0].LocalAddr(), 2, Options{}); !errors.Is(err, ErrInUse) {
		t.Errorf("a second endpoint: %v", err)
	}
	if _, err := ListenUDP(conns[0].LocalAddr(), Options{}); !errors.Is(err, ErrInUse) {
		t.Errorf("a socket: %v", err)
	}
	taken := listen(t, "127.0.0.1:0", Options{})
	if _, err := ListenQueues(taken.LocalAddr(), 1, Options{}); !errors.Is(err, ErrInUse) {
		t.Errorf("on a socket's address: %v", err)
	}
}

func TestClosingOneOfSeveralWakesItsReader(t *testing.T) {
	conns, _ := queues(t, "127.0.0.1:0", 2)
	ended := make(chan error)
	for _, c := range conns {
		go func() {
			_, err := c.ReadBatch(room(1))
			ended <- err
		}()
	}
	for _, c := range conns {
		c.Close()
	}
	for range conns {
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}
}
