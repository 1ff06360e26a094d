package tun

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/goipsec/goipsec/pkg/testnet"
)

// superpacket is one of UDP over IPv4 that stands for n datagrams of size octets of payload, and one of tail octets at the end.
func superpacket(n, size, tail int) Packet {
	p := packetRoom(1)[0]
	p.N, p.Segment = copy(p.Buf[p.Off:], datagram(false, protoUDP, n*size+tail)), size
	return p
}

// A superpacket that has to be cut is as many datagrams as it stands for: each is written, or counted, for itself.
func TestEachDatagramOfACutSuperpacketHasItsOwnFate(t *testing.T) {
	for _, c := range []struct {
		name              string
		n, size, tail     int
		failed            bool
		lost, wantArrived int
	}{
		{"only the last fits", 3, 12000, 500, false, 3, 1},
		{"all fit", 3, 500, 400, false, 0, 4},
		{"none fits", 3, 12000, 11000, true, 0, 0},
	} {
		// A socket with little room takes small datagrams and refuses large ones with EMSGSIZE.
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_SNDBUF, 4096); err != nil {
			t.Fatal(err)
		}
		var w writer
		w.init(nil)
		list := []Packet{superpacket(c.n, c.size, c.tail)}
		list[0].Lost = 77 // of another write
		w.refuses[unix.VIRTIO_NET_HDR_GSO_UDP_L4] = 1
		w.drain(fds[0], list)
		if list[0].Failed != c.failed || list[0].Lost != c.lost || (w.err != nil) != (c.failed || c.lost > 0) {
			t.Errorf("%s: failed %v, %d lost, %v", c.name, list[0].Failed, list[0].Lost, w.err)
		}
		unix.Close(fds[0])
		arrived, buf := 0, make([]byte, MaxDatagram)
		for {
			n, err := unix.Read(fds[1], buf)
			if n <= 0 || err != nil {
				break
			}
			arrived++
		}
		unix.Close(fds[1])
		if arrived != c.wantArrived {
			t.Errorf("%s: %d datagrams arrived, want %d", c.name, arrived, c.wantArrived)
		}
	}
}

// A superpacket that the kernel does not take, as one of more datagrams than it allows, does not have all others of its kind cut for ever.
func TestTheKernelIsAskedAgainAboutAKindOfSuperpacket(t *testing.T) {
	testnet.NeedTUN(t)
	d, err := CreateWith("tun7", 1400, Options{NoRing: true})
	if err != nil {
		t.Fatal(err)
	}
	defer closeDevice(t, d, "tun7")
	testnet.AddAddrs(t, "tun7", []netip.Prefix{netip.MustParsePrefix("10.5.0.1/24")}) // it is up
	w := &d.(*kernel).queues[0].out
	write := func(p Packet) {
		t.Helper()
		if err := PacketsOf(d).WritePackets([]Packet{p}); err != nil {
			t.Fatal(err)
		}
	}
	good := superpacket(10, 100, 50)
	kind := uint8(unix.VIRTIO_NET_HDR_GSO_UDP_L4)
	if write(good); w.refuses[kind] != 0 {
		t.Skip("this kernel takes no superpackets of UDP")
	}
	if write(superpacket(300, 10, 5)); w.refuses[kind] == 0 {
		t.Skip("this kernel takes superpackets of 301 datagrams")
	}
	for i := range askAgain {
		if w.refuses[kind] == 0 {
			t.Fatalf("the kernel is asked again after %d", i)
		}
		write(superpacket(10, 100, 50))
	}
	cutter := w.cutter
	w.cutter = nil // whoever cuts makes a new one
	write(superpacket(10, 100, 50))
	if w.refuses[kind] != 0 || w.cutter != nil {
		t.Error("superpackets are cut for ever after one that the kernel did not take")
	}
	w.cutter = cutter
}
