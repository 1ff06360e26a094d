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

// TestTCPFindsItsWayThroughANarrowPath has a router with a narrower link between two endpoints. It reports ESP that is too big; the path's MTU is learned from
// that, and what the senders inside hear lets TCP go on. A forged report changes nothing (D13).
func TestTCPFindsItsWayThroughANarrowPath(t *testing.T) {
	for _, c := range []struct {
		name, local, remote, router, from, to, linkA, linkB, routeA, routeB string
		rules                                                               [2]string
	}{
		{name: "IPv4", local: "10.1.0.1", remote: "10.2.0.2", router: "10.1.0.254", from: "192.168.1.1", to: "192.168.2.1",
			linkA: "eth0=10.1.0.1/24", linkB: "eth0=10.2.0.2/24", routeA: "ip route add 10.2.0.0/24 via 10.1.0.254", routeB: "ip route add 10.1.0.0/24 via 10.2.0.254",
			rules: [2]string{rule("site", "192.168.1.0/24 -> 192.168.2.0/24", "local: 10.1.0.1, remote: 10.2.0.2"),
				rule("site", "192.168.2.0/24 -> 192.168.1.0/24", "local: 10.2.0.2, remote: 10.1.0.1")}},
		{name: "IPv6", local: "fd01::1", remote: "fd02::2", router: "fd01::fe", from: "192.168.1.1", to: "192.168.2.1",
			linkA: "eth0=fd01::1/64", linkB: "eth0=fd02::2/64", routeA: "ip -6 route add fd02::/64 via fd01::fe", routeB: "ip -6 route add fd01::/64 via fd02::fe",
			rules: [2]string{rule("site", "192.168.1.0/24 -> 192.168.2.0/24", `local: "fd01::1", remote: "fd02::2"`),
				rule("site", "192.168.2.0/24 -> 192.168.1.0/24", `local: "fd02::2", remote: "fd01::1"`)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := &world{Lab: lab.New(t), t: t}
			w.a, w.b = w.quiet("a"), w.quiet("b")
			router := w.quiet("router")
			w.Link(w.a, c.linkA, router, "west=10.1.0.254/24,fd01::fe/64")
			w.Link(w.b, c.linkB, router, "east=10.2.0.254/24,fd02::fe/64")
			router.Forward()
			router.Run("ip link set east mtu 1300")
			w.a.Run(c.routeA + "; ip addr add 192.168.1.1/32 dev lo")
			w.b.Run(c.routeB + "; ip addr add 192.168.2.1/32 dev lo")
			gb := w.Goipsec(w.b, "tun: {mtu: 1400}\n"+file(c.rules[1]))
			ga := w.Goipsec(w.a, "tun: {mtu: 1400}\n"+file(c.rules[0]))
			w.pingable(w.a, c.from, c.to, ga)
			wire := w.a.Capture("eth0")

			mtu := func() int { return newest(t, ga).MTU }
			before := mtu()
			raw := router.RawSender()
			child := newest(t, ga)
			ping := func() { w.a.Ping(c.to, 1, "-I", c.from) }
			for _, forged := range []struct {
				name string
				spi  uint32
				seq  uint32
				to   string
			}{
				{"no such SPI", child.Protocols[0].SPIOut ^ 0x55, 1, c.remote},
				{"a sequence number that was never sent", child.Protocols[0].SPIOut, 0x7fffffff, c.remote},
				{"another destination", child.Protocols[0].SPIOut, 1, map[string]string{"IPv4": "10.2.0.77", "IPv6": "fd02::77"}[c.name]},
			} {
				raw.Send(tooBig(c.router, c.local, c.local, forged.to, forged.spi, forged.seq, 1280))
				ping() // what was before it on the same wire has been seen then
				if now := mtu(); now != before {
					t.Errorf("a forged report (%s) changed the path's MTU from %d to %d", forged.name, before, now)
				}
			}

			server := w.b.Start("iperf3", "iperf3", "-s", "-B", c.to, "--forceflush")
			server.Expect("Server listening", 10*time.Second)
			watch := lab.StartWatch()
			got := iperf(t, w.a, c.to, "-B", c.from, "-n", "4M", "-b", "100M")
			if got.bytes < 1<<20 {
				t.Errorf("TCP: %+v\na: %s\nb: %s", got, traffic(ga.Status()), traffic(gb.Status()))
			}
			if now := mtu(); now != before-200 {
				t.Errorf("what fits was %d and is %d; the narrow link has 200 less than the others, and the forged reports said more", before, now)
			}
			frames := wire.Stop()
			t.Logf("inner MTU %d, then %d; 4 MiB in %.1f s; on the wire %v", before, mtu(), watch.Elapsed().Seconds(), lab.Kinds(frames))
			for i := range frames {
				if f := &frames[i]; f.Kind() == "clear" && f.Protocol != 1 && f.Protocol != 58 {
					t.Errorf("a clear packet: %v", f)
				}
			}
		})
	}
}

// tooBig is a router's report that an ESP packet from quotedSrc to quotedDst with an SPI and a sequence number is too big.
func tooBig(router, to, quotedSrc, quotedDst string, spi, seq uint32, mtu int) []byte {
	quote := make([]byte, 60)
	hlen := 20
	if netip.MustParseAddr(quotedDst).Is6() {
		hlen = 40
	}
	outer := packet.Outer{Src: netip.MustParseAddr(quotedSrc), Dst: netip.MustParseAddr(quotedDst), Proto: 50, TTL: 60, DF: true, ID: 77}
	outer.Put(quote[:hlen+8], 1400)
	binary.BigEndian.PutUint32(quote[hlen:], spi)
	binary.BigEndian.PutUint32(quote[hlen+4:], seq)
	pkt := echo(router, to, 0, hlen+8) // for its headers
	icmp := pkt[hlen:]
	copy(icmp[8:], quote[:hlen+8])
	icmp[2], icmp[3] = 0, 0
	if hlen == 20 {
		icmp[0], icmp[1] = 3, 4
		binary.BigEndian.PutUint32(icmp[4:], uint32(mtu))
	} else {
		icmp[0], icmp[1] = 2, 0
		binary.BigEndian.PutUint32(icmp[4:], uint32(mtu))
	}
	frame := lab.Frame{Src: netip.MustParseAddr(router), Dst: netip.MustParseAddr(to), Payload: icmp, Protocol: int(pkt[map[int]int{20: 9, 40: 6}[hlen]])}
	sum := transportSum(&frame)
	if hlen == 20 { // ICMP has no pseudo-header
		frame.Src, frame.Dst, frame.Protocol = netip.Addr{}, netip.Addr{}, -len(icmp)
		sum = transportSum(&frame)
	}
	binary.BigEndian.PutUint16(icmp[2:], ^uint16(sum))
	return pkt
}

// TestStrictReversePathFiltersAreLoosenedAndRestored on the interface that the peer's packets arrive by.
func TestStrictReversePathFiltersAreLoosenedAndRestored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	strict(w.a)
	value := func() string { return w.a.Run("cat /proc/sys/net/ipv4/conf/eth0/rp_filter") }
	w.Goipsec(w.b, file(rule("hosts", "10.1.0.2 <-> 10.1.0.1", "")))
	ga := w.Goipsec(w.a, file(rule("hosts", "10.1.0.1 <-> 10.1.0.2", "")))
	if value() != "2\n" || ga.Log.Count("rp_filter")+ga.Log.Count("reverse-path") == 0 {
		t.Errorf("rp_filter is %sand this is all that is said:\n%s", value(), ga.Log)
	}
	w.pingable(w.a, "10.1.0.1", "10.1.0.2", ga)
	ga.Stop()
	if value() != "1\n" {
		t.Errorf("rp_filter is %safter the end", value())
	}
	ga.Restart()
	ga.Kill()
	if value() != "2\n" {
		t.Errorf("rp_filter is %safter a kill: this proves nothing", value())
	}
	ga.Must("down")
	if value() != "1\n" {
		t.Errorf("rp_filter is %safter goipsec down", value())
	}
}

// TestTheKernelsOwnIPsecIsNamed where the kernel has it.
func TestTheKernelsOwnIPsecIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	add := "ip xfrm state add src 10.1.0.1 dst 10.1.0.2 proto esp spi 0x1000 mode transport enc 'cbc(aes)' 0x" + fmt.Sprintf("%032d", 7) + " auth 'hmac(sha256)' 0x" + fmt.Sprintf("%064d", 7)
	if text, err := w.a.Try(add); err != nil {
		t.Skip("this kernel has no IPsec of its own: ", text)
	}
	g := w.Launch(w.a, file(site(1)))
	if code := g.Wait(10 * time.Second); code != 1 || g.Log.Count("ip xfrm state flush") == 0 {
		t.Errorf("exit status %d\n%s", code, g.Log)
	}
}
