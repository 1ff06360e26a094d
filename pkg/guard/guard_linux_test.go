package guard

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/packet"
	"github.com/goipsec/goipsec/pkg/testnet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { testnet.Main(m) }

// bench is this host behind its guard, and another host that sends clear packets to it.
type bench struct {
	t     *testing.T
	other *testnet.Host
	here  [2]int // raw sockets that see every UDP datagram which passes: IPv4, IPv6
	send  [2]int // raw senders on the other host
}

var (
	mine   = []string{"10.9.0.1", "10.9.0.11", "fd09::1", "fd09::11"}
	theirs = []string{"10.9.0.2", "10.9.0.3", "10.9.1.4", "fd09::2", "fd09::3", "fd09:0:0:1::4"}
)

func newBench(t *testing.T) *bench {
	t.Helper()
	other := testnet.NewHost(t)
	prefixes := func(addrs []string) (out []netip.Prefix) {
		for _, s := range addrs {
			a := netip.MustParseAddr(s)
			bits := 48
			if a.Is4() {
				bits = 16
			}
			out = append(out, netip.PrefixFrom(a, bits))
		}
		return out
	}
	testnet.Veth(t, other, "wire", prefixes(mine), prefixes(theirs))
	b := &bench{t: t, other: other}
	for _, a := range mine { // a first packet that waits for the neighbour would come behind the next ones
		b.learn(t, netip.MustParseAddr(a))
		usable(t, netip.MustParseAddr(a))
	}
	for i, family := range [...]int{unix.AF_INET, unix.AF_INET6} {
		b.here[i] = b.socket(family, unix.IPPROTO_UDP)
		other.Do(func() { b.send[i] = b.socket(family, unix.IPPROTO_RAW) })
	}
	t.Cleanup(func() {
		if _, err := Clear("test"); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) socket(family, proto int) int {
	b.t.Helper()
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, proto)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { unix.Close(fd) })
	// A lost marker ends the test instead of hanging it.
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 30})
	return fd
}

// udp returns an UDP datagram with a correct checksum.
func udp(src, dst netip.Addr, sport, dport uint16, payload string) []byte {
	u := binary.BigEndian.AppendUint16(nil, sport)
	u = binary.BigEndian.AppendUint16(u, dport)
	u = binary.BigEndian.AppendUint16(u, uint16(8+len(payload)))
	u = append(append(u, 0, 0), payload...)
	return ip(src, dst, unix.IPPROTO_UDP, 64, 0, transportSum(src, dst, unix.IPPROTO_UDP, u, 6))
}

// transportSum puts the checksum over u and the pseudo-header at an offset of u.
func transportSum(src, dst netip.Addr, proto byte, u []byte, at int) []byte {
	sum := uint32(proto) + uint32(len(u))
	for _, part := range [][]byte{src.AsSlice(), dst.AsSlice(), u} {
		for i := 0; i < len(part); i += 2 {
			sum += uint32(part[i]) << 8
			if i+1 < len(part) {
				sum += uint32(part[i+1])
			}
		}
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(u[at:], ^uint16(sum))
	return u
}

// ip wraps a payload; frag is the IPv4 flags and offset field.
func ip(src, dst netip.Addr, proto, ttl byte, frag uint16, payload []byte) []byte {
	if src.Is4() {
		h := make([]byte, 20)
		h[0], h[8], h[9], h[5] = 0x45, ttl, proto, 7
		binary.BigEndian.PutUint16(h[6:], frag)
		copy(h[12:], src.AsSlice())
		copy(h[16:], dst.AsSlice())
		return append(h, payload...)
	}
	h := make([]byte, 40)
	h[0], h[6], h[7] = 0x60, proto, ttl
	binary.BigEndian.PutUint16(h[4:], uint16(len(payload)))
	copy(h[8:], src.AsSlice())
	copy(h[24:], dst.AsSlice())
	return append(h, payload...)
}

func (b *bench) inject(pkt []byte) {
	b.t.Helper()
	var err error
	if pkt[0]>>4 == 4 {
		err = unix.Sendto(b.send[0], pkt, 0, &unix.SockaddrInet4{Addr: [4]byte(pkt[16:20])})
	} else {
		err = unix.Sendto(b.send[1], pkt, 0, &unix.SockaddrInet6{Addr: [16]byte(pkt[24:40])})
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// arrived returns the payloads of the UDP datagrams that came since, in order. It sends a marker from a port that no rule names (7) by
// the permitted IKE port, and reads up to it.
func (b *bench) arrived(fam int) (payloads []string) {
	b.t.Helper()
	src, dst := netip.MustParseAddr(theirs[3*fam]), netip.MustParseAddr(mine[2*fam])
	b.inject(udp(src, dst, 7, 500, "marker"))
	buf := make([]byte, 65536)
	for {
		n, _, err := unix.Recvfrom(b.here[fam], buf, 0)
		if err != nil {
			b.t.Fatal("the marker did not come: ", err)
		}
		u := buf[:n]
		if fam == 0 {
			u = u[20:]
		}
		if string(u[8:]) == "marker" {
			return payloads
		}
		payloads = append(payloads, string(u[8:]))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func filter(src, dst string, proto uint8, ports ...uint16) classifier.Filter {
	f := classifier.Filter{Src: classifier.RangeOf(netip.MustParsePrefix(src)), Dst: classifier.RangeOf(netip.MustParsePrefix(dst)), Proto: proto}
	if len(ports) > 0 {
		f.DstPorts = classifier.Ports{From: ports[0], To: ports[len(ports)-1], Given: true}
	}
	return f
}

// truth is what the rules say of a packet, one by one.
func truth(rules []Rule, k *packet.Key) Verdict {
	for i := range rules {
		if rules[i].Filter.Match(k) {
			return rules[i].Verdict
		}
	}
	return Accept
}

func TestGuardEqualsTheFiltersOneByOne(t *testing.T) {
	testnet.Need(t)
	b := newBench(t)
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(list []string, fam int) netip.Addr {
		half := list[:len(list)/2]
		if fam == 1 {
			half = list[len(list)/2:]
		}
		return netip.MustParseAddr(half[rng.IntN(len(half))])
	}
	side := func(a netip.Addr) classifier.Range {
		switch rng.IntN(4) {
		case 0:
			return classifier.RangeOf(netip.PrefixFrom(a, a.BitLen()-8*rng.IntN(3)).Masked())
		case 1:
			return classifier.RangeOf(netip.PrefixFrom(a, 0).Masked())
		case 2:
			return classifier.Range{From: a, To: a.Next().Next()}
		}
		return classifier.HostRange(a)
	}
	ports := func() classifier.Ports {
		switch rng.IntN(3) {
		case 0:
			return classifier.Port(uint16(1000 + rng.IntN(4)))
		case 1:
			return classifier.Ports{From: 1001, To: 1002, Given: true}
		}
		return classifier.Ports{}
	}
	sent, dropped := 0, 0
	for round := range 12 {
		var rules []Rule
		for range rng.IntN(60) {
			fam := rng.IntN(2)
			r := Rule{Filter: classifier.Filter{Src: side(pick(theirs, fam)), Dst: side(pick(mine, fam))}, Verdict: Verdict(rng.IntN(2))}
			if rng.IntN(2) == 0 {
				r.Filter.Proto = []uint8{17, 17, 6}[rng.IntN(3)]
				r.Filter.SrcPorts, r.Filter.DstPorts = ports(), ports()
			}
			rules = append(rules, r)
		}
		if round%2 == 0 { // the order of weights, which puts equal shapes side by side and so makes maps
			slices.SortStableFunc(rules, func(x, y Rule) int { return y.Filter.Compare(&x.Filter) })
		}
		must(t, Install(Config{Instance: "test", Device: "tun7", Inbound: rules}))
		for fam := range 2 {
			var want []string
			for i := range 40 {
				src, dst := pick(theirs, fam), pick(mine, fam)
				k := packet.Key{Src: src, Dst: dst, Proto: 17, SrcPort: uint16(1000 + rng.IntN(4)), DstPort: uint16(1000 + rng.IntN(4)),
					Flags: packet.ProtoKnown | packet.PortsKnown}
				payload := fmt.Sprintf("%v:%d>%v:%d #%d", src, k.SrcPort, dst, k.DstPort, i)
				b.inject(udp(src, dst, k.SrcPort, k.DstPort, payload))
				sent++
				if truth(rules, &k) == Accept {
					want = append(want, payload)
				} else {
					dropped++
				}
			}
			if got := b.arrived(fam); !slices.Equal(got, want) {
				t.Fatalf("round %d, rules %+v\npassed %q\nwant   %q", round, rules, got, want)
			}
		}
	}
	if dropped < sent/10 || dropped > sent*9/10 {
		t.Errorf("%d of %d dropped: the test says little", dropped, sent)
	}
}

func TestD10FragmentsDoNotSlipPastPorts(t *testing.T) {
	testnet.Need(t)
	b := newBench(t)
	// fragments cuts an UDP datagram of 32 octets of payload in two.
	fragments := func(fam int, dport uint16) (first, second []byte) {
		src, dst := netip.MustParseAddr(theirs[3*fam]), netip.MustParseAddr(mine[2*fam])
		whole := udp(src, dst, 1000, dport, "0123456789abcdef0123456789abcdef")
		if fam == 0 {
			return ip(src, dst, 17, 64, 0x2000, whole[20:44]), ip(src, dst, 17, 64, 3, whole[44:])
		}
		head := func(field uint16) []byte {
			return append([]byte{17, 0, byte(field >> 8), byte(field)}, 0, 0, byte(dport>>8), byte(dport))
		}
		return ip(src, dst, 44, 64, 0, append(head(1), whole[40:64]...)), ip(src, dst, 44, 64, 0, append(head(24), whole[64:]...))
	}
	try := func(fam int, dport uint16) int {
		first, second := fragments(fam, dport)
		b.inject(first)
		b.inject(second)
		return len(b.arrived(fam))
	}
	for fam := range 2 {
		if try(fam, 81) != 1 || try(fam, 80) != 1 {
			t.Fatal("without a guard the fragments do not arrive: the test is wrong")
		}
	}
	single := []Rule{{filter("10.9.0.0/16", "10.9.0.1/32", 17, 80), Drop}, {filter("fd09::/48", "fd09::1/128", 17, 80), Drop}}
	var mapped []Rule
	for i := range 6 {
		mapped = append(mapped, Rule{filter("10.9.0.2/32", "10.9.0.1/32", 17, uint16(80+10*i)), Drop})
	}
	for i := range 6 {
		mapped = append(mapped, Rule{filter("fd09::2/128", "fd09::1/128", 17, uint16(80+10*i)), Drop})
	}
	for name, rules := range map[string][]Rule{"single rules": single, "maps": mapped} {
		must(t, Install(Config{Instance: "test", Device: "tun7", Inbound: rules}))
		if try(0, 80) != 0 || try(1, 80) != 0 {
			t.Errorf("%s: a fragmented datagram to a protected port arrived", name)
		}
		if try(0, 81) != 1 || try(1, 81) != 1 {
			t.Errorf("%s: a fragmented datagram to another port did not pass", name)
		}
	}
}

func TestGuardPassesWhatAlwaysPasses(t *testing.T) {
	testnet.Need(t)
	b := newBench(t)
	all := []Rule{{filter("0.0.0.0/0", "0.0.0.0/0", 0), Drop}, {filter("::/0", "::/0", 0), Drop}}
	must(t, Install(Config{Instance: "test", Device: "tun7", Inbound: all, Outbound: all, Mark: 0x6f490001, MarkMask: 0xffff0000}))
	see := func(fam, proto int) int {
		fd := b.socket([]int{unix.AF_INET, unix.AF_INET6}[fam], proto)
		_ = unix.SetNonblock(fd, true)
		return fd
	}
	got := func(fd int, fam int) bool {
		b.arrived(fam) // all that was sent before has come by then
		_, _, err := unix.Recvfrom(fd, make([]byte, 2048), 0)
		return err == nil
	}
	for fam := range 2 {
		src, dst := netip.MustParseAddr(theirs[3*fam]), netip.MustParseAddr(mine[2*fam])
		esp, ah, tcp := see(fam, 50), see(fam, 51), see(fam, 6)
		b.inject(ip(src, dst, 50, 64, 0, make([]byte, 40)))
		// An AH in transport mode before TCP is AH, not TCP.
		b.inject(ip(src, dst, 51, 64, 0, append([]byte{6, 4}, make([]byte, 60)...)))
		b.inject(ip(src, dst, 6, 64, 0, transportSum(src, dst, 6, append(make([]byte, 12), 0x50, 2, 0, 0, 0, 0, 0, 0), 16)))
		if !got(esp, fam) || !got(ah, fam) || got(tcp, fam) {
			t.Errorf("family %d: ESP or AH did not pass, or TCP did", fam)
		}
	}
	icmp := see(1, unix.IPPROTO_ICMPV6)
	src, dst := netip.MustParseAddr("fd09::2"), netip.MustParseAddr("fd09::1")
	for _, c := range []struct {
		kind, hops byte
		pass       bool
	}{{133, 255, true}, {135, 255, true}, {136, 255, true}, {137, 255, true}, {135, 254, false}, {136, 64, false}, {128, 255, false},
		{130, 1, true}, {143, 1, true}, {130, 64, false}, {138, 255, false}} {
		b.arrived(1)
		for { // the hosts' own neighbour discovery
			if _, _, err := unix.Recvfrom(icmp, make([]byte, 2048), 0); err != nil {
				break
			}
		}
		body := make([]byte, 32)
		body[0] = c.kind
		copy(body[8:], dst.AsSlice())
		b.inject(ip(src, dst, 58, c.hops, 0, transportSum(src, dst, 58, body, 2)))
		b.arrived(1)
		passed := false
		buf := make([]byte, 2048)
		for {
			n, _, err := unix.Recvfrom(icmp, buf, 0)
			if err != nil {
				break
			}
			passed = passed || n == len(body) && buf[0] == c.kind
		}
		if passed != c.pass {
			t.Errorf("ICMPv6 type %d with hop limit %d: passed %v, want %v", c.kind, c.hops, passed, c.pass)
		}
	}
	b.tooBigPasses(see)
	// Loopback, and what leaves with the mark; without it nothing does.
	for _, c := range []struct {
		to   string
		mark int
		pass bool
	}{{"127.0.0.1", 0, true}, {"10.9.0.2", 0, false}, {"10.9.0.2", 0x6f490077, true}, {"10.9.0.2", 0x12340001, false}} {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		must(t, err)
		must(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, c.mark))
		err = unix.Sendto(fd, []byte("x"), 0, &unix.SockaddrInet4{Port: 9, Addr: netip.MustParseAddr(c.to).As4()})
		unix.Close(fd)
		if pass := err == nil; pass != c.pass || !pass && !errors.Is(err, unix.EPERM) {
			t.Errorf("to %s with mark %#x: %v", c.to, c.mark, err)
		}
	}
}

// tooBigPasses sends "too big" messages that quote several protocols, through a guard that drops everything.
func (b *bench) tooBigPasses(see func(fam, proto int) int) {
	b.t.Helper()
	for fam := range 2 {
		proto, kind := 1, []byte{3, 4}
		if fam == 1 {
			proto, kind = 58, []byte{2, 0}
		}
		fd := see(fam, proto)
		router, me, peer := netip.MustParseAddr(theirs[3*fam+1]), netip.MustParseAddr(mine[2*fam]), netip.MustParseAddr(theirs[3*fam])
		for _, c := range []struct {
			quoted []byte
			kind   []byte
			pass   bool
		}{
			{ip(me, peer, 50, 64, 0, make([]byte, 16)), kind, true},
			{ip(me, peer, 51, 64, 0, make([]byte, 16)), kind, true},
			{udp(me, peer, 4500, 4500, "12345678"), kind, true},
			{udp(me, peer, 53, 4500, "12345678"), kind, false},
			{ip(me, peer, 6, 64, 0, make([]byte, 20)), kind, false},
			{ip(me, peer, 50, 64, 0, make([]byte, 16)), []byte{kind[0], 9}, false},
		} {
			body := append(append(append([]byte{}, c.kind...), 0, 0, 0, 0, 5, 0x14), c.quoted...)
			if fam == 1 {
				body = transportSum(router, me, 58, body, 2)
			} else {
				sum := transportSum(netip.Addr{}, netip.Addr{}, 0, append([]byte{}, body...), 2)
				// The pseudo-header of the helper added the length; ICMP has none.
				s := uint32(^binary.BigEndian.Uint16(sum[2:])) + 0xffff - uint32(len(body))
				binary.BigEndian.PutUint16(body[2:], ^uint16(s%0xffff))
			}
			b.inject(ip(router, me, byte(proto), 64, 0, body))
			b.arrived(fam)
			passed := false
			buf := make([]byte, 2048)
			for {
				n, _, err := unix.Recvfrom(fd, buf, 0)
				if err != nil {
					break
				}
				passed = passed || bytes.HasSuffix(buf[:n], body)
			}
			if passed != c.pass {
				b.t.Errorf("family %d, type %v quoting protocol %d: passed %v, want %v", fam, c.kind, c.quoted[9], passed, c.pass)
			}
		}
	}
}

func TestGuardWatchesForwardedPackets(t *testing.T) {
	testnet.Need(t)
	b := newBench(t)
	// This host is a gateway: behind it, on "lan", lies 10.7.0.0/24.
	lan := testnet.NewHost(t)
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "lan"}, PeerName: "lan2"}))
	t.Cleanup(func() {
		l, _ := netlink.LinkByName("lan")
		_ = netlink.LinkDel(l)
	})
	must(t, lan.Take("lan2"))
	testnet.AddAddrs(t, "lan", []netip.Prefix{netip.MustParsePrefix("10.7.0.1/24")})
	fd := -1
	lan.Do(func() {
		testnet.AddAddrs(t, "lan2", []netip.Prefix{netip.MustParsePrefix("10.7.0.2/24")})
		fd = b.socket(unix.AF_INET, unix.IPPROTO_UDP)
	})
	setSysctl(t, "/proc/sys/net/ipv4/ip_forward", "1")
	send := func(text string, dport uint16) {
		b.inject(udp(netip.MustParseAddr("10.9.0.2"), netip.MustParseAddr("10.7.0.2"), 1000, dport, text))
	}
	b.routeVia(t, "10.7.0.0/24", "10.9.0.1")
	expect := func(want string) {
		t.Helper()
		buf := make([]byte, 2048)
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err != nil || string(buf[28:n]) != want {
			t.Errorf("got %q, %v; want %q", buf[:n], err, want)
		}
	}
	send("open", 80)
	expect("open")
	must(t, Install(Config{Instance: "test", Device: "tun7", Inbound: []Rule{{filter("10.9.0.0/16", "10.7.0.0/24", 17, 80), Drop}}}))
	send("refused", 80)
	send("other port", 81)
	expect("other port")
	// A clear packet that leaves although it should have gone into the TUN.
	must(t, Install(Config{Instance: "test", Device: "tun7", Outbound: []Rule{{filter("10.9.0.0/16", "10.7.0.0/24", 0), Drop}}}))
	send("leak", 81)
	must(t, Install(Config{Instance: "test", Device: "lan", Outbound: []Rule{{filter("10.9.0.0/16", "10.7.0.0/24", 0), Drop}}}))
	send("into the TUN", 81)
	expect("into the TUN")
	// What may arrive may still not leave: a permit of the way in does not stand for the way out. One rule, and so many that they are a set.
	for _, n := range []int{1, 300} {
		var permits []Rule
		for i := range n {
			permits = append(permits, Rule{filter("10.9.0.0/16", "10.7.0.0/24", 17, uint16(82+i)), Accept})
		}
		must(t, Install(Config{Instance: "test", Device: "tun7", Inbound: permits, Outbound: []Rule{{filter("10.9.0.0/16", "10.7.0.0/24", 17, 82), Drop}}}))
		send("leak past a permit", 82)
		send("permitted both ways", 83)
		expect("permitted both ways")
	}
}

func TestGuardIsReplacedAtOnceAndRemoved(t *testing.T) {
	testnet.Need(t)
	b := newBench(t)
	if removed, err := Clear("test"); removed || err != nil {
		t.Error("nothing to clear:", removed, err)
	}
	rules := []Rule{{filter("10.9.0.0/16", "10.9.0.1/32", 17, 80), Drop}}
	src, dst := netip.MustParseAddr(theirs[0]), netip.MustParseAddr(mine[0])
	// While it is replaced again and again, not one packet slips through.
	stop := make(chan bool)
	done := make(chan error)
	must(t, Install(Config{Instance: "test", Device: "tun7", Inbound: rules}))
	go func() {
		var err error
		for err == nil {
			select {
			case <-stop:
				done <- nil
				return
			default:
				err = Install(Config{Instance: "test", Device: "tun7", Inbound: rules})
			}
		}
		done <- err
	}()
	for range 50 {
		for range 20 {
			b.inject(udp(src, dst, 1000, 80, "slipped through"))
		}
		if got := b.arrived(0); len(got) > 0 {
			t.Fatal(got)
		}
	}
	close(stop)
	must(t, <-done)
	must(t, Install(Config{Instance: "other", Device: "tun8"}))
	names, err := List()
	slices.Sort(names)
	if err != nil || !slices.Equal(names, []string{"other", "test"}) {
		t.Error(names, err)
	}
	for _, n := range names {
		if removed, err := Clear(n); !removed || err != nil {
			t.Error(n, removed, err)
		}
	}
	b.inject(udp(src, dst, 1000, 80, "open"))
	if got := b.arrived(0); !slices.Equal(got, []string{"open"}) {
		t.Error(got)
	}
}

func TestGuardWithManyFiltersStaysSmall(t *testing.T) {
	testnet.Need(t)
	b := newBench(t)
	var rules []Rule
	for i := range 20000 {
		src := netip.AddrFrom4([4]byte{10, 50, byte(i >> 8), byte(i)})
		rules = append(rules, Rule{classifier.Filter{Src: classifier.HostRange(src), Dst: classifier.HostRange(netip.MustParseAddr(mine[0]))}, Drop})
	}
	rules = append(rules, Rule{filter("10.9.0.2/32", "10.9.0.1/32", 0), Drop})
	must(t, Install(Config{Instance: "test", Device: "tun7", Inbound: rules}))
	b.inject(udp(netip.MustParseAddr(theirs[0]), netip.MustParseAddr(mine[0]), 1, 2, "protected"))
	b.inject(udp(netip.MustParseAddr(theirs[1]), netip.MustParseAddr(mine[0]), 1, 2, "permitted"))
	if got := b.arrived(0); !slices.Equal(got, []string{"permitted"}) {
		t.Error(got)
	}
}

func TestGuardRefusesWhatItCannotEnforce(t *testing.T) {
	mixed := classifier.Filter{Src: classifier.HostRange(netip.MustParseAddr("10.0.0.1")), Dst: classifier.HostRange(netip.MustParseAddr("fd00::1"))}
	for name, cfg := range map[string]Config{
		"mixed families":         {Instance: "test", Device: "tun7", Inbound: []Rule{{mixed, Drop}}},
		"a name with a slash":    {Instance: "a/b", Device: "tun7"},
		"no device":              {Instance: "test"},
		"no name":                {Device: "tun7"},
		"a device name too long": {Instance: "test", Device: "a-name-of-16-octets-or-more"},
	} {
		if err := Install(cfg); err == nil || errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Clear("a/b"); err == nil {
		t.Error("cleared an impossible name")
	}
}

func TestPrefixBits(t *testing.T) {
	for _, c := range []struct {
		from, to string
		bits     int
		ok       bool
	}{{"10.0.0.0", "10.255.255.255", 8, true}, {"0.0.0.0", "255.255.255.255", 0, true}, {"10.0.0.1", "10.0.0.1", 32, true},
		{"10.0.0.1", "10.0.0.2", 0, false}, {"10.0.0.0", "10.0.0.2", 0, false}, {"fd00::", "fd00::ffff", 112, true}, {"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0, true}} {
		bits, ok := prefixBits(netip.MustParseAddr(c.from), netip.MustParseAddr(c.to))
		if ok != c.ok || ok && bits != c.bits {
			t.Errorf("%s-%s: %d %v", c.from, c.to, bits, ok)
		}
	}
}
