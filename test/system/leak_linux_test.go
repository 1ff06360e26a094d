package system

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goipsec/goipsec/pkg/config"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/test/interop/lab"
)

// A siege is a guarded host a with a peer b that it has SAs with, and a third host from which a stranger sends clear datagrams with whatever addresses
// he likes: to a itself and to a host behind it. What arrives at their sockets is compared with what the policies in force one after the other say,
// which no part of the guard is asked for.
type siege struct {
	*world
	g        *lab.Goipsec
	stranger *lab.RawSender
	drawer   *drawer
	here     []*rawReceiver // sockets of the guarded host: UDP of IPv4 and IPv6 first
	behind   []*rawReceiver
	seen     map[uint32]uint16 // by number; the destination port that it arrived with
	counts   map[string]int    // by shape and fate
}

// A rawReceiver is a raw socket: it gets a copy of every datagram of a protocol that the system delivers, whole.
type rawReceiver struct {
	fd    int
	is4   bool
	proto int
	buf   []byte
}

func newSiege(t *testing.T, seed uint64) *siege {
	w := newWorld(t)
	stranger := w.quiet("stranger")
	w.Link(w.a, "eth1=10.4.0.1/24,fd04::1/64", stranger, "eth0=10.4.0.2/24,fd04::2/64")
	stranger.Run("ip route add default via 10.4.0.1; ip -6 route add default via fd04::1; sysctl -qw net.ipv6.conf.all.forwarding=1")
	// Neither end has to ask for the other's link-layer address: a first datagram is not late.
	mac := strings.TrimSpace(w.a.Run("cat /sys/class/net/eth1/address"))
	for _, a := range []string{"10.4.0.1", "fd04::1", "10.1.0.1", "fd01::1", "192.168.1.1", "fd02::1"} {
		stranger.Run(fmt.Sprintf("ip neigh replace %s lladdr %s dev eth0", a, mac))
	}
	mac = strings.TrimSpace(w.inside[0].Run("cat /sys/class/net/eth0/address"))
	w.a.Run(fmt.Sprintf("ip neigh replace 192.168.1.9 lladdr %s dev in; ip neigh replace fd02::9 lladdr %s dev in", mac, mac))
	s := &siege{world: w, stranger: stranger.RawSender(), drawer: newDrawer(seed), seen: map[uint32]uint16{}, counts: map[string]int{}}
	// What is dropped of fragmented datagrams is their first fragment; the others wait for it, and must not take the place of those that are permitted.
	for _, h := range []*lab.Host{w.a, w.inside[0]} {
		h.Run("sysctl -qw net.ipv6.ip6frag_high_thresh=1000000000 net.ipv4.ipfrag_high_thresh=1000000000")
	}
	s.here, s.behind = s.receivers(w.a), s.receivers(w.inside[0])
	return s
}

func (s *siege) receivers(h *lab.Host) (list []*rawReceiver) {
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		for _, proto := range []int{17, 6, 1, 47, 132} {
			r := &rawReceiver{is4: family == unix.AF_INET, proto: int(wire(uint8(proto), family == unix.AF_INET)), buf: make([]byte, 65536)}
			h.Inside(func() (err error) {
				if r.fd, err = unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, r.proto); err != nil {
					return err
				}
				return unix.SetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 256<<20) // what waits here is not lost
			})
			s.t.Cleanup(func() { unix.Close(r.fd) })
			list = append(list, r)
		}
	}
	return list
}

// collect reads everything that has arrived. Markers, which the exemption of IKE lets pass, follow on the same wire: when they are here, all before them is.
func (s *siege) collect() {
	s.t.Helper()
	for i, r := range []*rawReceiver{s.here[0], s.here[len(s.here)/2]} {
		src, dst := []string{"10.4.0.2", "fd04::2"}[i], []string{"10.4.0.1", "fd04::1"}[i]
		marker := fmt.Sprintf("marker %d", s.drawer.number)
		s.stranger.Send(datagram(src, dst, 7, 500, marker))
		for found := false; !found; {
			unix.Poll([]unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN}}, 10000)
			if !s.read(r, func(payload []byte) { found = found || bytes.HasSuffix(payload, []byte(marker)) }) {
				s.t.Fatalf("the marker for %s did not come through", dst)
			}
		}
	}
	for _, list := range [][]*rawReceiver{s.here, s.behind} {
		for _, r := range list {
			for s.read(r, func([]byte) {}) {
			}
		}
	}
}

// read takes one datagram; false if there is none.
func (s *siege) read(r *rawReceiver, f func(payload []byte)) bool {
	n, _, err := unix.Recvfrom(r.fd, r.buf, 0)
	if err != nil {
		return false
	}
	p := r.buf[:n]
	if r.is4 && n >= 20 {
		p = p[min(int(p[0]&15)*4, n):]
	}
	f(p)
	if at := len(p) - len(magic) - 4; at >= 4 && string(p[at:at+len(magic)]) == magic {
		s.seen[binary.BigEndian.Uint32(p[at+len(magic):])] = binary.BigEndian.Uint16(p[2:])
	}
	return true
}

// send sends the next datagrams, as many as it is told, and returns them.
func (s *siege) send(n int) []*clearDatagram {
	list := make([]*clearDatagram, n)
	for i := range list {
		list[i] = s.drawer.draw()
		for _, p := range list[i].packets {
			s.stranger.Send(p)
		}
	}
	return list
}

// during sends without a pause, some every millisecond, while f runs, and at least so many. One processor sends them all: those of several could overtake one
// another on the wire.
func (s *siege) during(least int, f func()) []*clearDatagram {
	s.t.Helper()
	done, sent := make(chan bool), make(chan []*clearDatagram)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this function
		var one unix.CPUSet
		one.Set(0)
		_ = unix.SchedSetaffinity(0, &one)
		var list []*clearDatagram
		for ended := false; !ended || len(list) < least; {
			select {
			case <-done:
				ended, done = true, nil
			default:
			}
			list = append(list, s.send(10)...)
			unix.Poll(nil, 1)
		}
		sent <- list
	}()
	f()
	done <- true
	return <-sent
}

// everyPort sends UDP and TCP to every port there is.
func (s *siege) everyPort() (list []*clearDatagram) {
	for _, proto := range []uint8{17, 6} {
		for port := 1; port < 1<<16; port++ {
			for _, ends := range [][2]string{{"203.0.113.7", "10.4.0.1"}, {"2001:db8::7", "fd04::1"}} {
				src, dst := netip.MustParseAddr(ends[0]), netip.MustParseAddr(ends[1])
				c := s.drawer.whole(src, dst, proto, 88, uint16(port))
				c.shape, c.packets = "every port", [][]byte{wrap(src, dst, proto, c.packets[0])}
				s.stranger.Send(c.packets[0])
				c.packets = nil
				list = append(list, c)
			}
		}
	}
	return list
}

// A stage is a policy that is in force, nil for none at all.
type stage struct {
	name     string
	compiled *policy.Compiled
}

// stage compiles a policy file for the guarded host.
func (s *siege) stage(name, text string) stage {
	s.t.Helper()
	f, err := config.Parse(name, []byte(text), config.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	var own []netip.Addr
	for _, a := range []string{"10.1.0.1", "fd01::1", "10.4.0.1", "fd04::1", "192.168.1.1", "fd02::1"} {
		own = append(own, netip.MustParseAddr(a))
	}
	c, err := policy.Compile(f.Assigned, own)
	if err != nil {
		s.t.Fatal(err)
	}
	return stage{name, c}
}

// permits says whether a policy lets a clear datagram in, with the destination port given: the heaviest filter that matches decides, and none permits.
func (x stage) permits(c *clearDatagram, port uint16) bool {
	if x.compiled == nil || c.exempt {
		return true
	}
	k := c.key
	if k.Proto == 17 || k.Proto == 6 {
		k.DstPort = port
	}
	first := func(list []*policy.QuickModeFilter) policy.ActionKind {
		for _, f := range list {
			if f.Filter.Match(&k) {
				return f.Action
			}
		}
		return policy.Permit
	}
	return first(x.compiled.Inbound) == policy.Permit && (c.local || first(x.compiled.Outbound) == policy.Permit)
}

// lingering is how many datagrams behind a change may still be dropped by the rules of before.
const lingering = 200

// judge collects, and compares the fates of datagrams, in the order in which they were sent, with the policies in force one after the other: there must be one
// moment for each change, before which everything is as the one says and behind which everything is as the next one says.
func (s *siege) judge(what string, list []*clearDatagram, stages ...stage) {
	s.t.Helper()
	s.collect()
	at, changed, forbidden, permitted := 0, 0, 0, 0
	for n, c := range list {
		port, arrived := s.seen[c.number]
		if !arrived {
			port = c.key.DstPort
		}
		fits := func(x stage) bool {
			if arrived {
				return x.permits(c, port)
			}
			// What waits for somebody behind the host goes through the TUN, which ends with the process.
			return !x.permits(c, port) || !c.certain || !c.local
		}
		// The new rules hold from one moment on, but the kernel takes the old ones away a moment later, those for IPv4 before those for IPv6: what they forbid may
		// still be dropped. What arrives must fit, and what both permit must arrive.
		if !arrived && at > 0 && n-changed <= lingering && !stages[at-1].permits(c, port) {
			forbidden++
			continue
		}
		from := at
		for at < len(stages) && !fits(stages[at]) {
			at++
		}
		if at == len(stages) {
			s.t.Fatalf("%s: there is no moment at which %s begins to decide:\n%s", what, stages[len(stages)-1].name, s.around(list, n, stages))
		}
		if at > from && len(list) >= 200 {
			s.t.Logf("%s: datagram %d is the first that %s decides", what, c.number, stages[at].name)
		}
		if at > from {
			changed = n
		}
		fate := map[bool]string{true: "arrived", false: "stopped"}[arrived]
		s.counts[c.shape+", "+fate]++
		s.counts[map[bool]string{true: "here", false: "behind"}[c.local]+", "+fate]++
		if arrived {
			permitted++
		} else {
			forbidden++
		}
	}
	clear(s.seen)
	if len(list) < 200 { // one of many moments
		return
	}
	s.t.Logf("%s: %d datagrams, %d arrived, %d did not", what, len(list), permitted, forbidden)
	if permitted < min(len(list)/20, 20) || forbidden < len(list)/10 && stages[0].compiled != nil {
		s.t.Errorf("%s: that proves little", what)
	}
}

// closed rejects everything but what a few rules permit, between two ports, and protects the traffic with b.
func closed(from, to int, networks int) string {
	var more strings.Builder
	for i := range networks {
		n := from%100*16 + i // other networks in each policy, so that a reload has routes to change
		fmt.Fprintf(&more, "  - {name: net-%d, filters: [\"me <-> 172.16.%d.0/24\", \"me <-> fd16:%x::/64\"], action: block}\n", n, n, n)
	}
	return file(rule("peer", `me <-> 10.1.0.2, "me <-> fd01::2"`, "", quickDPD),
		"  - {name: reject-all, filters: [any <-> any], action: block}\n",
		fmt.Sprintf("  - {name: udp, filters: [\"any -> me udp %d-%d\", \"10.4.0.3 -> 192.168.1.9 udp\", \"fd04::3 -> fd02::9 udp\"], action: permit}\n", from, to),
		"  - {name: host, filters: [10.4.0.2 <-> me, \"fd04::2 <-> me\"], action: permit}\n",
		"  - {name: but-not, filters: [10.4.0.2 -> me udp 6000, \"fd04::2 -> me udp 6000\", 10.4.0.2 -> me tcp 88, \"fd04::2 -> me tcp 5000-5004\"], action: block}\n",
		"  - {name: kerberos, filters: [203.0.113.7 -> me udp 88, \"2001:db8::7 -> me tcp 88\"], action: permit}\n",
		"  - {name: echo, filters: [any -> me icmp 8 0, \"any -> me icmpv6 128 0\", 10.4.0.4 -> me gre, \"fd04::4 -> me sctp\"], action: permit}\n", more.String())
}

// around tells of the datagrams before and behind one what became of them and what each policy says.
func (s *siege) around(list []*clearDatagram, n int, stages []stage) string {
	var b strings.Builder
	for i := max(n-8, 0); i < min(n+8, len(list)); i++ {
		c := list[i]
		port, arrived := s.seen[c.number]
		if !arrived {
			port = c.key.DstPort
		}
		fmt.Fprintf(&b, "%s%d arrived %v (port %d);", map[bool]string{true: "-> ", false: "   "}[i == n], c.number, arrived, port)
		for _, x := range stages {
			fmt.Fprintf(&b, " %s permits it: %v;", x.name, x.permits(c, port))
		}
		fmt.Fprintf(&b, " %s, certain %v, %+v\n", c.shape, c.certain, c.key)
	}
	return b.String()
}

var open0 = stage{name: "no policy"}

// TestD10D11NothingLeaks sends some ten thousand random clear datagrams of many shapes in both families, from outside and with forged sources, while the guarded host
// starts, reloads, renews its SAs, is killed, restarts and stops. None that the policy forbids reaches a socket, none that it permits is lost, and each change
// of the policy happens at one moment.
func TestD10D11NothingLeaks(t *testing.T) {
	t.Parallel()
	s := newSiege(t, 1)
	one, two := s.stage("the first policy", closed(5000, 5009, 8)), s.stage("the second policy", closed(5004, 5014, 8))
	s.world.Goipsec(s.b, file(rule("peer", `me <-> 10.1.0.1, "me <-> fd01::1"`, "", quickDPD)))
	total := 0
	phase := func(what string, least int, stages []stage, f func()) {
		t.Helper()
		list := s.during(least, f)
		total += len(list)
		s.judge(what, list, stages...)
	}
	s.send(100) // without goipsec everything arrives, so that what is stopped later was stopped by it
	s.collect()
	phase("before", 500, []stage{open0}, func() {})
	phase("start", 1000, []stage{open0, one}, func() { s.g = s.world.Goipsec(s.a, closed(5000, 5009, 8)) })
	s.pingable(s.a, "10.1.0.1", "10.1.0.2", s.g)
	phase("running", 2000, []stage{one}, func() {})
	s.judge("every port", s.everyPort(), one)
	if n := s.g.Status().GuardDrops["unreadable"]; n == 0 {
		t.Error("first fragments without ports, of which the host's own system refuses some too, were not refused by the guard")
	}
	phase("reload", 1000, []stage{one, two}, func() { s.g.Write(closed(5004, 5014, 8)); s.g.Must("reload") })
	phase("reloads", 2000, []stage{two, one, two, one, two}, func() {
		for _, text := range []string{closed(5000, 5009, 8), closed(5004, 5014, 8), closed(5000, 5009, 8), closed(5004, 5014, 8)} {
			s.g.Write(text)
			s.g.Must("reload")
		}
	})
	phase("rekey", 1000, []stage{two}, func() {
		for range 5 {
			s.rekey("10.1.0.2")
		}
	})
	phase("a new address", 1000, []stage{two}, func() { s.a.Address("eth1", "10.4.0.77/24"); s.a.Address("eth1", "fd04::77/64") })
	phase("kill", 1000, []stage{two}, func() { s.g.Kill() })
	phase("dead", 1000, []stage{two}, func() {})
	s.g.Write(closed(5000, 5009, 8))
	phase("restart", 1000, []stage{two, one}, func() { s.g.Restart() })
	phase("stop", 1000, []stage{one, open0}, func() { s.g.Stop() })
	phase("after", 500, []stage{open0}, func() {})
	t.Logf("%d datagrams: %v", total, s.counts)
	if total < 10000 {
		t.Errorf("only %d datagrams", total)
	}
}

// rekey renews an SA with a peer and waits until it is another one.
func (s *siege) rekey(peer string) {
	s.t.Helper()
	child := func() (id uint64) {
		for _, c := range s.g.Status().Children {
			if c.State == "installed" && c.Remote.Addr().String() == peer {
				id = max(id, c.ID)
			}
		}
		return id
	}
	before := child()
	s.g.Must(fmt.Sprintf("sa rekey %d", before))
	s.Until(20*time.Second, "a new SA", func() (bool, string) { return child() > before, s.g.Must("sa list") })
}
