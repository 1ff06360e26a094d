package tun

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/testnet"
)

// arrived is a datagram that a queue's reader found.
type arrived struct {
	queue, port int // the source port tells the flow
}

// newQueues makes a device with queues and a reader for each.
func newQueues(t *testing.T, o Options) (d Device, got chan arrived, ended chan error) {
	t.Helper()
	testnet.NeedTUN(t)
	d, err := CreateWith("tun7", 1400, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeDevice(t, d, "tun7") })
	testnet.AddAddrs(t, "tun7", []netip.Prefix{netip.MustParsePrefix("10.7.0.1/24")})
	got, ended = make(chan arrived, 4096), make(chan error, o.Queues)
	for i := range QueuesOf(d) {
		go func() {
			packets := packetRoom(8)
			for {
				n, err := QueueOf(d, i).ReadPackets(packets)
				for _, p := range packets[:n] {
					if b := p.Bytes(); b[0]>>4 == 4 && b[9] == 17 {
						got <- arrived{i, int(binary.BigEndian.Uint16(b[20:]))}
					}
				}
				if err != nil {
					ended <- err
					return
				}
			}
		}()
	}
	return d, got, ended
}

// A flow stays on a queue, and many flows use all of them; the end of the device is that of all its readers.
func TestFlowsAreSpreadOverQueues(t *testing.T) {
	for _, o := range []Options{{Queues: 2}, {Queues: 3, NoRing: true, NoOffload: true}} {
		d, got, ended := newQueues(t, o)
		if QueuesOf(d) != o.Queues {
			t.Fatalf("%d queues, not %d", QueuesOf(d), o.Queues)
		}
		const flows, each = 64, 4
		queueOf, used := map[int]int{}, map[int]bool{}
		for range flows {
			c, err := net.Dial("udp4", "10.7.0.2:9")
			if err != nil {
				t.Fatal(err)
			}
			for range each {
				if _, err := c.Write(make([]byte, 100)); err != nil {
					t.Fatal(err)
				}
			}
			c.Close()
			for range each {
				a := <-got
				if q, ok := queueOf[a.port]; ok && q != a.queue {
					t.Errorf("%+v: the flow of port %d was on queue %d and is on %d", o, a.port, q, a.queue)
				}
				queueOf[a.port], used[a.queue] = a.queue, true
			}
		}
		if len(used) != o.Queues {
			t.Errorf("%+v: %d flows used %d queues", o, flows, len(used))
		}
		d.Close()
		for range o.Queues {
			if err := <-ended; !errors.Is(err, os.ErrClosed) {
				t.Error(err)
			}
		}
		testnet.Gone(t, "tun7")
	}
}

// What leaves a host goes by the queue that the other direction of its flow was written to last: so both stay with one worker.
func TestAFlowLeavesByTheQueueItCameBy(t *testing.T) {
	d, got, _ := newQueues(t, Options{Queues: 2})
	c, err := net.ListenPacket("udp4", "10.7.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	port := c.LocalAddr().(*net.UDPAddr).Port
	for turn := range 6 {
		queue := turn % 2
		b := make([]byte, Headroom+28+10)
		o := packet.Outer{Src: netip.MustParseAddr("10.7.0.2"), Dst: netip.MustParseAddr("10.7.0.1"), Proto: 17, TTL: 64, DF: true}
		o.Put(b[Headroom:], len(b)-Headroom)
		u := b[Headroom+20:]
		binary.BigEndian.PutUint16(u, 9)
		binary.BigEndian.PutUint16(u[2:], uint16(port))
		binary.BigEndian.PutUint16(u[4:], uint16(len(u)))
		if err := QueueOf(d, queue).WritePackets([]Packet{{Buf: b, Off: Headroom, N: len(b) - Headroom}}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.ReadFrom(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.WriteTo(make([]byte, 10), &net.UDPAddr{IP: net.IPv4(10, 7, 0, 2), Port: 9}); err != nil {
			t.Fatal(err)
		}
		if a := <-got; a.queue != queue || a.port != port {
			t.Errorf("turn %d: written to queue %d, answered by %+v", turn, queue, a)
		}
	}
}

func TestTooManyQueuesAreRefused(t *testing.T) {
	testnet.NeedTUN(t)
	if d, err := CreateWith("tun7", 1400, Options{Queues: MaxQueues + 1}); err == nil {
		d.Close()
		t.Error("there is a device")
	}
	if _, err := net.InterfaceByName("tun7"); err == nil {
		t.Error("a device was left behind")
	}
	d, host := Pipe(1400)
	defer d.Close()
	if QueuesOf(d) != 1 || host == nil || QueueOf(d, 5) == nil {
		t.Error("a device that knows of no queues has one")
	}
}
