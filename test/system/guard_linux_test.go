package system

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/test/interop/lab"
)

// echo is an ICMP or ICMPv6 echo request with an identifier by which its answer is known.
func echo(src, dst string, id uint16, size int) []byte {
	s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	proto, kind, hlen := byte(1), byte(8), 20
	if s.Is6() {
		proto, kind, hlen = 58, 128, 40
	}
	pkt := make([]byte, hlen+8+size)
	outer := packet.Outer{Src: s, Dst: d, Proto: proto, TTL: 64, ID: id}
	outer.Put(pkt, len(pkt))
	icmp := pkt[hlen:]
	icmp[0] = kind
	binary.BigEndian.PutUint16(icmp[4:], id)
	sum := uint32(0)
	add := func(b []byte) {
		for i := 0; i+1 < len(b); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(b[i:]))
		}
	}
	if s.Is6() {
		add(s.AsSlice())
		add(d.AsSlice())
		sum += uint32(len(icmp)) + 58
	}
	add(icmp)
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(icmp[2:], ^uint16(sum))
	return pkt
}

// answers counts the echo replies with an identifier among frames.
func answers(frames []lab.Frame, id uint16) int {
	n := 0
	for i := range frames {
		p := frames[i].Payload
		if (frames[i].Protocol == 1 && len(p) >= 8 && p[0] == 0 || frames[i].Protocol == 58 && len(p) >= 8 && p[0] == 129) &&
			binary.BigEndian.Uint16(p[4:]) == id {
			n++
		}
	}
	return n
}

// TestTheGuardStopsClearPackets sends clear packets from the peer's side to addresses that the policy protects, blocks and permits.
func TestTheGuardStopsClearPackets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	policy := file(site(1), site6(1),
		"  - {name: blocked, filters: [10.1.0.2 -> me icmp, \"fd01::2 -> me icmpv6\"], action: block}\n",
		"  - {name: permitted, filters: [10.1.0.2 -> me icmp 8 0, \"fd01::2 -> me icmpv6 128 0\"], action: permit}\n",
		"  - {name: hosts, filters: [10.1.0.3 -> me udp, \"fd01::3 -> me udp\"], action: block}\n")
	for _, h := range []string{"10.1.0.3/24", "fd01::3/64", "10.1.0.4/24", "fd01::4/64"} {
		w.b.Address("eth0", h)
	}
	// What is sent to the networks behind a, and what is answered to them, must find its way in clear: b has no goipsec.
	w.b.Run("ip route add 192.168.1.0/24 via 10.1.0.1; ip -6 route add fd02::/64 via fd01::1")
	w.a.Run("ip route add 192.168.2.0/24 via 10.1.0.2; ip -6 route add fd03::/64 via fd01::2")
	raw := w.b.RawSender()
	for _, c := range []struct {
		name, src, dst string
		size           int
		passes         bool
	}{
		{name: "protected, to the gateway itself", src: "192.168.2.1", dst: "192.168.1.1"},
		{name: "protected, behind the gateway", src: "192.168.2.1", dst: "192.168.1.9"},
		{name: "protected, forged by another", src: "192.168.2.77", dst: "192.168.1.9"},
		{name: "protected, IPv6", src: "fd03::1", dst: "fd02::1"},
		{name: "protected, IPv6, behind the gateway", src: "fd03::1", dst: "fd02::9"},
		{name: "protected, in fragments", src: "192.168.2.1", dst: "192.168.1.1", size: 4000},
		{name: "protected, IPv6, in fragments", src: "fd03::1", dst: "fd02::1", size: 4000},
		{name: "permitted", src: "10.1.0.2", dst: "10.1.0.1", passes: true},
		{name: "permitted, IPv6", src: "fd01::2", dst: "fd01::1", passes: true},
		{name: "permitted, in fragments", src: "10.1.0.2", dst: "10.1.0.1", size: 4000, passes: true},
		{name: "permitted, IPv6, in fragments", src: "fd01::2", dst: "fd01::1", size: 4000, passes: true},
		{name: "not named", src: "10.1.0.4", dst: "10.1.0.1", passes: true},
		{name: "not named, IPv6", src: "fd01::4", dst: "fd01::1", passes: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			capture := w.b.Capture("eth0")
			try := func(id uint16) int {
				from := len(capture.Frames())
				for range 3 {
					sendWhole(t, raw, echo(c.src, c.dst, id, c.size))
				}
				// One that is not named follows on the same wire, so that by its answer the others' have come too.
				raw.Send(echo("10.1.0.4", "10.1.0.1", 9, 0))
				if _, ok := capture.Await(20*time.Second, from, func(f *lab.Frame) bool { return answers([]lab.Frame{*f}, 9) == 1 }); !ok {
					t.Fatal("not even the last one was answered")
				}
				return answers(capture.Frames()[from:], id)
			}
			if n := try(7); n != 3 {
				t.Fatalf("without goipsec %d of 3 are answered: the test is wrong", n)
			}
			g := w.Goipsec(w.a, policy)
			defer g.Stop()
			if n := try(8); n != map[bool]int{true: 3}[c.passes] {
				t.Errorf("%d of 3 are answered", n)
			}
		})
	}
	t.Run("neighbour discovery", func(t *testing.T) {
		g := w.Goipsec(w.a, "policy: test\nrules: [{filters: [any <-> any], action: block}]\n")
		defer g.Stop()
		w.b.Run("ip -6 neigh flush dev eth0; ip neigh flush dev eth0")
		w.b.Ping("fd01::1", 1)
		w.Until(10*time.Second, "the gateway's address to be resolved although everything is blocked", func() (bool, string) {
			text := w.b.Run("ip -6 neigh show fd01::1")
			return len(text) > 0 && !contains(text, "FAILED", "INCOMPLETE"), text
		})
		if n := w.b.Ping("fd01::1", 2) + w.b.Ping("10.1.0.1", 2); n != 0 {
			t.Errorf("%d pings were answered although everything is blocked", n)
		}
	})
}

// sendWhole sends a datagram, in fragments where it is larger than the link.
func sendWhole(t *testing.T, raw *lab.RawSender, pkt []byte) {
	t.Helper()
	if len(pkt) <= 1500 {
		raw.Send(pkt)
		return
	}
	var h packet.Header
	if err := h.Parse(pkt); err != nil {
		t.Fatal(err)
	}
	parts, err := packet.Fragments(nil, pkt, &h, 1500, uint32(binary.BigEndian.Uint16(pkt[4:])))
	if err != nil || len(parts) < 2 {
		t.Fatal(fmt.Errorf("%d parts: %w", len(parts), err))
	}
	for _, p := range parts {
		raw.Send(p)
	}
}
