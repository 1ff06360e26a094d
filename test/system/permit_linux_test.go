package system

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/goipsec/goipsec/test/interop/lab"
)

// open is a policy that blocks all but what goes between the two hosts: everything is captured, and what is permitted leaves the TUN again, unchanged.
const open = `policy: test
tun: {mtu: 1500}
rules:
  - {name: closed, filters: [any <-> any], action: block}
  - {name: open, filters: [me <-> 10.1.0.2, "me <-> fd01::2"], action: permit}
`

// TestPermittedTrafficPassesTheTUNUnchanged: ICMP, TCP with its offloads, and UDP, of both families, whole and in fragments. What is on the wire has right
// checksums and fits it; what is not permitted stays here.
func TestPermittedTrafficPassesTheTUNUnchanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ga := w.Goipsec(w.a, open)
	capture := w.b.Capture("eth0")
	for _, to := range []string{"10.1.0.2", "fd01::2"} {
		for _, size := range []int{56, 1400, 4000} {
			if n := w.a.Ping(to, 5, "-w", "10", "-s", fmt.Sprint(size)); n != 5 {
				t.Errorf("%d of 5 pings of %d bytes to %s answered; %s", n, size, to, traffic(ga.Status()))
			}
		}
		server := w.b.Start("iperf3", "iperf3", "-s", "-B", to, "--forceflush")
		server.Expect("Server listening", 10*time.Second)
		if got := iperf(t, w.a, to, "-n", "4M", "-b", "100M"); got.bytes < 1<<20 {
			t.Errorf("TCP to %s: %+v", to, got)
		}
		if got := iperf(t, w.a, to, "-n", "4M", "-b", "100M", "-R"); got.bytes < 1<<20 {
			t.Errorf("TCP from %s: %+v", to, got)
		}
		if got := iperf(t, w.a, to, "-u", "-n", "200K", "-b", "8M", "-l", "1000"); got.packets < 200 || got.lost*2 > got.packets {
			t.Errorf("UDP to %s: %+v", to, got)
		}
		server.Stop()
	}
	w.b.Address("eth0", "10.1.0.5/24")
	w.b.Address("eth0", "fd01::5/64")
	if n := w.a.Ping("10.1.0.5", 2) + w.a.Ping("fd01::5", 2); n != 0 {
		t.Errorf("%d pings to addresses that are blocked were answered", n)
	}
	s := ga.Status()
	if s.Traffic.Permitted < 500 || s.Drops["blocked"] != 4 {
		t.Errorf("%s, want some hundreds permitted and 4 blocked", traffic(s))
	}
	checked := map[int]int{}
	frames := capture.Stop()
	for i := range frames {
		f := &frames[i]
		if f.Src.String() != "10.1.0.1" && f.Src.String() != "fd01::1" {
			continue
		}
		if len(f.Raw) > 1514 {
			t.Errorf("a frame of %d bytes on a wire of 1514: %v", len(f.Raw), f)
		}
		if (f.Protocol == 6 || f.Protocol == 17) && !f.Fragment {
			checked[f.Protocol]++
			if sum := transportSum(f); sum != 0xffff {
				t.Fatalf("a wrong checksum (sum %04x): %v", sum, f)
			}
		}
	}
	if checked[6] < 1000 || checked[17] < 300 {
		t.Errorf("only %v TCP and UDP datagrams were checked", checked)
	}
}

// transportSum sums a TCP or UDP datagram with its pseudo-header: 0xffff if its checksum is right.
func transportSum(f *lab.Frame) uint32 {
	sum := uint32(f.Protocol + len(f.Payload))
	for _, b := range [][]byte{f.Src.AsSlice(), f.Dst.AsSlice(), f.Payload} {
		for ; len(b) > 1; b = b[2:] {
			sum += uint32(binary.BigEndian.Uint16(b))
		}
		if len(b) > 0 {
			sum += uint32(b[0]) << 8
		}
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return sum
}

// TestPermittedPacketsTooLargeAreAnswered: the link is narrower than the TUN, so that what may not be fragmented is answered with ICMP, and TCP finds its way.
func TestPermittedPacketsTooLargeAreAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.a.Run("ip link set eth0 mtu 1400")
	ga := w.Goipsec(w.a, open)
	for _, to := range []string{"10.1.0.2", "fd01::2"} {
		said := ""
		w.Until(20*time.Second, "an ICMP error that names the link's 1400 bytes", func() (bool, string) {
			said, _ = w.a.Try("ping -n -M do -c 1 -W 1 -s 1440 " + to)
			return contains(said, "mtu=1400", "mtu = 1400", "mtu: 1400", "mtu 1400"), said + traffic(ga.Status())
		})
		if n := w.a.Ping(to, 3, "-M", "do", "-s", "1300", "-w", "10"); n != 3 {
			t.Errorf("%d of 3 pings that fit answered", n)
		}
		server := w.b.Start("iperf3", "iperf3", "-s", "-B", to, "--forceflush")
		server.Expect("Server listening", 10*time.Second)
		if got := iperf(t, w.a, to, "-n", "2M", "-b", "50M"); got.bytes < 1<<19 {
			t.Errorf("TCP to %s: %+v; %s", to, got, traffic(ga.Status()))
		}
		server.Stop()
	}
}
