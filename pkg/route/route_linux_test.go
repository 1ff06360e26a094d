package route

import (
	"bufio"
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/goipsec/goipsec/pkg/testnet"
	"github.com/goipsec/goipsec/pkg/tun"
	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// asChild makes the test binary play a goipsec process that will be killed.
const asChild = "GOIPSEC_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asChild); dir != "" {
		child(dir)
		return
	}
	testnet.Main(m)
}

func child(dir string) {
	_, err := tun.Create("tun7", 1400)
	if err == nil {
		var h *Host
		if h, err = Open(Config{Instance: "test", Device: "tun7", StateDir: dir}); err == nil {
			err = errors.Join(h.Setup(), h.Apply(samplePlan()))
		}
	}
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	os.Stdout.WriteString("ready\n")
	select {}
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }

func samplePlan() Plan {
	return Plan{
		Captures: []Capture{
			{Prefix: prefix("10.9.0.2/32"), Source: addr("10.9.0.1")}, {Prefix: prefix("fd09::2/128"), Source: addr("fd09::1")},
			{Prefix: prefix("10.20.0.0/16")}, {Prefix: prefix("0.0.0.0/0")}, {Prefix: prefix("fd20::/32")},
		},
		Exempt: []netip.Prefix{prefix("224.0.0.0/4")},
		Behind: []netip.Prefix{prefix("10.30.0.0/24"), prefix("fd30::/64")},
	}
}

// cable joins this host (10.9.0.1, fd09::1) to another one.
func cable(t *testing.T) *testnet.Host {
	t.Helper()
	other := testnet.NewHost(t)
	testnet.Veth(t, other, "wire", []netip.Prefix{prefix("10.9.0.1/24"), prefix("fd09::1/64")}, []netip.Prefix{prefix("10.9.0.2/24"), prefix("fd09::2/64")})
	return other
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func snapshot(t *testing.T) []string {
	t.Helper()
	s, err := Snapshot()
	must(t, err)
	// What the kernel does by itself in the background.
	return slices.DeleteFunc(s, func(l string) bool { return strings.Contains(l, "fe80::") || strings.Contains(l, "ff00::") })
}

func device(t *testing.T) tun.Device {
	t.Helper()
	d, err := tun.Create("tun7", 1400)
	must(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

func open(t *testing.T) *Host {
	t.Helper()
	h, err := Open(Config{Instance: "test", Device: "tun7", MTU: 1380, StateDir: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { h.Close() })
	return h
}

// leads returns by which interface the kernel would send to dst, "black hole" or "nowhere".
func leads(t *testing.T, dst string, mark uint32) string {
	t.Helper()
	r, err := lookup(addr(dst), mark)
	if err != nil {
		if strings.Contains(err.Error(), "invalid argument") {
			return "black hole"
		}
		return "nowhere"
	}
	if r.Type == unix.RTN_BLACKHOLE {
		return "black hole"
	}
	l, err := netlink.LinkByIndex(r.LinkIndex)
	must(t, err)
	return l.Attrs().Name
}

func TestSuperpacketsAreBounded(t *testing.T) {
	testnet.NeedTUN(t)
	device(t)
	h, err := Open(Config{Instance: "test", Device: "tun7", MTU: 1380, Segments: 43, StateDir: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { h.Close() })
	must(t, h.Setup())
	l, err := netlink.LinkByName("tun7")
	must(t, err)
	if a := l.Attrs(); a.GSOMaxSegs != 43 || a.MTU != 1380 {
		t.Errorf("superpackets of up to %d datagrams of up to %d octets", a.GSOMaxSegs, a.MTU)
	}
}

func TestApplyCapturesAndMarkedSocketsGoAround(t *testing.T) {
	testnet.NeedTUN(t)
	cable(t)
	before := snapshot(t)
	d := device(t)
	h := open(t)
	must(t, h.Setup())
	must(t, h.Apply(samplePlan()))
	mark := h.Identity().Mark
	for _, c := range []struct{ dst, unmarked, marked string }{
		{"10.9.0.2", "tun7", "wire"}, {"fd09::2", "tun7", "wire"}, {"10.20.1.1", "tun7", "nowhere"}, {"fd20::1", "tun7", "nowhere"},
		{"10.9.0.1", "lo", "lo"}, {"203.0.113.1", "tun7", "nowhere"}, {"224.0.0.9", "nowhere", "nowhere"}, {"fd09::77", "wire", "wire"},
	} {
		if got := leads(t, c.dst, 0); got != c.unmarked {
			t.Errorf("%s unmarked: %s, want %s", c.dst, got, c.unmarked)
		}
		if got := leads(t, c.dst, mark); got != c.marked {
			t.Errorf("%s marked: %s, want %s", c.dst, got, c.marked)
		}
		if got := leads(t, c.dst, MarkBase|0xabcd); got != c.marked {
			t.Errorf("%s with another instance's mark: %s, want %s", c.dst, got, c.marked)
		}
	}
	if src, err := SourceFor(addr("10.9.0.2"), 0); src != addr("10.9.0.1") || err != nil {
		t.Error("preferred source:", src, err)
	}
	if src, err := SourceFor(addr("fd09::2"), mark); src != addr("fd09::1") || err != nil {
		t.Error("source of a marked socket:", src, err)
	}
	if mtu, _ := d.MTU(); mtu != 1380 {
		t.Error("MTU", mtu)
	}
	if mtu, err := RouteMTU(addr("10.9.0.2"), 0); mtu != 1380 || err != nil {
		t.Error(mtu, err)
	}
	if mtu, err := RouteMTU(addr("10.9.0.2"), mark); mtu != 1500 || err != nil {
		t.Error(mtu, err)
	}
	if _, err := SourceFor(addr("203.0.113.1"), mark); !errors.Is(err, ErrNoRoute) {
		t.Error(err)
	}
	must(t, h.SetMTU(1300))
	if mtu, _ := d.MTU(); mtu != 1300 {
		t.Error("MTU", mtu)
	}
	must(t, h.Close())
	must(t, h.Close())
	d.Close()
	if diff := cmp.Diff(before, snapshot(t)); diff != "" {
		t.Error("left behind:", diff)
	}
}

func TestEverythingCarriesOurProtocolNumber(t *testing.T) {
	testnet.NeedTUN(t)
	cable(t)
	device(t)
	h := open(t)
	must(t, h.Setup())
	must(t, h.Apply(samplePlan()))
	routes, err := tableRoutes(h.Identity().Table)
	must(t, err)
	holes := 0
	for _, r := range routes {
		if r.Protocol != Protocol {
			t.Errorf("%v has protocol %d", r.Dst, r.Protocol)
		}
		if r.Type == unix.RTN_BLACKHOLE {
			holes++
		}
	}
	if holes != len(samplePlan().Captures) {
		t.Errorf("%d black holes", holes)
	}
	rules, err := ownRules(unix.AF_INET, h.Identity())
	must(t, err)
	if len(rules) != 2 { // the mark's, and the one for 10.30.0.0/24, which 0.0.0.0/0 covers
		t.Errorf("%d rules: %+v", len(rules), rules)
	}
	six, err := ownRules(unix.AF_INET6, h.Identity())
	must(t, err)
	if len(six) != 1 { // no capture covers fd30::/64
		t.Errorf("%d rules: %+v", len(six), six)
	}
}

func TestApplyChangesOnlyWhatDiffers(t *testing.T) {
	testnet.NeedTUN(t)
	cable(t)
	device(t)
	h := open(t)
	must(t, h.Setup())
	must(t, h.Apply(samplePlan()))
	first := snapshot(t)
	must(t, h.Setup())
	must(t, h.Apply(samplePlan()))
	if diff := cmp.Diff(first, snapshot(t)); diff != "" {
		t.Error("applying the same again changed:", diff)
	}
	p := Plan{Captures: []Capture{{Prefix: prefix("10.20.0.0/16"), Source: addr("10.9.0.1")}, {Prefix: prefix("10.9.0.2/32")}},
		Addresses: []netip.Prefix{prefix("10.66.0.1/24"), prefix("fd66::1/64")}}
	must(t, h.Apply(p))
	routes, err := tableRoutes(h.Identity().Table)
	must(t, err)
	if len(routes) != 4 {
		t.Errorf("%d routes", len(routes))
	}
	for dst, want := range map[string]string{"10.20.5.5": "10.9.0.1", "10.9.0.2": "10.66.0.1"} {
		// Without a preference the kernel takes the address of the TUN.
		if src, err := SourceFor(addr(dst), 0); src != addr(want) || err != nil {
			t.Errorf("source for %s: %v %v", dst, src, err)
		}
	}
	p.Addresses = nil
	p.Captures = nil
	must(t, h.Apply(p))
	if routes, _ = tableRoutes(h.Identity().Table); len(routes) != 0 {
		t.Errorf("%d routes are left", len(routes))
	}
	l, err := netlink.LinkByName("tun7")
	must(t, err)
	addrs, err := netlink.AddrList(l, netlink.FAMILY_V4)
	must(t, err)
	if len(addrs) != 0 {
		t.Error(addrs)
	}
	err = h.Apply(Plan{Captures: []Capture{{Prefix: prefix("10.20.0.0/16"), Source: addr("10.99.9.9")}}})
	if err == nil || !strings.Contains(err.Error(), "10.99.9.9") {
		t.Error("a source that is not ours:", err)
	}
}

func TestF9TheTUNGoesDownAndUpAgain(t *testing.T) {
	testnet.NeedTUN(t)
	cable(t)
	device(t)
	h := open(t)
	must(t, h.Setup())
	must(t, h.Apply(samplePlan()))
	l, err := netlink.LinkByName("tun7")
	must(t, err)
	must(t, netlink.LinkSetDown(l))
	for _, dst := range []string{"10.9.0.2", "10.20.0.1", "fd09::2", "fd20::1"} {
		if got := leads(t, dst, 0); got != "black hole" {
			t.Errorf("%s with the TUN down leads to %s", dst, got)
		}
	}
	must(t, h.Setup())
	must(t, h.Apply(samplePlan()))
	for _, dst := range []string{"10.9.0.2", "10.20.0.1", "fd09::2", "fd20::1"} {
		if got := leads(t, dst, 0); got != "tun7" {
			t.Errorf("%s with the TUN up again leads to %s", dst, got)
		}
	}
}

// killed starts a goipsec process that captures samplePlan and kills it.
func killed(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asChild+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, _ := bufio.NewReader(out).ReadString('\n')
	if line == "ready\n" && leads(t, "10.9.0.2", 0) != "tun7" {
		t.Error("the child captures nothing")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if line != "ready\n" {
		t.Fatal("child: ", line)
	}
}

func TestAfterKillTrafficStopsAndDoesNotLeaveInClear(t *testing.T) {
	testnet.NeedTUN(t)
	other := cable(t)
	dir := t.TempDir()
	before := snapshot(t)
	setStrict(t, "1")
	killed(t, dir)
	if _, err := netlink.LinkByName("tun7"); err == nil {
		t.Fatal("the TUN is still there")
	}
	// On the far side of the wire a socket sees all that comes in clear.
	receivers := map[string]int{}
	other.Do(func() {
		for dst, family := range map[string]int{"10.9.0.2": unix.AF_INET, "fd09::2": unix.AF_INET6} {
			fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0)
			must(t, err)
			t.Cleanup(func() { unix.Close(fd) })
			must(t, unix.Bind(fd, sockaddrOf(addr(dst), 999)))
			receivers[dst] = fd
		}
	})
	send := func(dst string, mark int) error {
		family := unix.AF_INET6
		if addr(dst).Is4() {
			family = unix.AF_INET
		}
		fd, err := unix.Socket(family, unix.SOCK_DGRAM, 0)
		must(t, err)
		defer unix.Close(fd)
		must(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, mark))
		return unix.Sendto(fd, []byte("in clear"), 0, sockaddrOf(addr(dst), 999))
	}
	for dst, fd := range receivers {
		if err := send(dst, 0); !errors.Is(err, unix.EINVAL) {
			t.Errorf("sending to %s after the kill: %v, want the black hole's EINVAL", dst, err)
		}
		if _, _, err := unix.Recvfrom(fd, make([]byte, 64), 0); !errors.Is(err, unix.EAGAIN) {
			t.Errorf("%s received a clear packet (%v)", dst, err)
		}
		if err := send(dst, int(Derive("test").Mark)); err != nil {
			t.Errorf("a marked socket to %s: %v", dst, err)
		}
	}
	for _, dst := range []string{"10.20.0.1", "203.0.113.1", "fd20::1"} {
		if err := send(dst, 0); !errors.Is(err, unix.EINVAL) {
			t.Errorf("sending to %s after the kill: %v", dst, err)
		}
	}
	// A successor takes the leftovers over, and at no time is there a way out.
	d := device(t)
	h, err := Open(Config{Instance: "test", Device: "tun7", StateDir: dir})
	must(t, err)
	must(t, h.Setup())
	if got := leads(t, "10.20.0.1", 0); got != "black hole" {
		t.Errorf("between Setup and Apply: %s", got)
	}
	must(t, h.Apply(samplePlan()))
	if got := leads(t, "10.20.0.1", 0); got != "tun7" {
		t.Error(got)
	}
	d.Close()
	// Down removes what is left of a killed one and says what.
	removed, err := Clean("test", dir)
	must(t, err)
	all := strings.Join(removed, "\n")
	for _, want := range []string{"rule IPv4", "rule IPv6", "black hole to 10.20.0.0/16", "rp_filter of wire set back to 1"} {
		if !strings.Contains(all, want) {
			t.Errorf("Clean does not name %q:\n%s", want, all)
		}
	}
	setStrict(t, "0")
	if diff := cmp.Diff(before, snapshot(t)); diff != "" {
		t.Error("left behind:", diff)
	}
	if removed, err := Clean("test", dir); err != nil || len(removed) != 0 {
		t.Error("nothing to clean:", removed, err)
	}
}

func sockaddrOf(a netip.Addr, port int) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4(), Port: port}
	}
	return &unix.SockaddrInet6{Addr: a.As16(), Port: port}
}

func setStrict(t *testing.T, value string) {
	t.Helper()
	must(t, writeSetting("wire", value))
}

func TestStrictRPFilterIsLoosenedAndRestored(t *testing.T) {
	testnet.NeedTUN(t)
	cable(t)
	device(t)
	setStrict(t, "1")
	dir := filepath.Join(t.TempDir(), "run")
	refuse, err := Open(Config{Instance: "test", Device: "tun7", StateDir: dir, RefuseStrict: true})
	must(t, err)
	if err := refuse.Setup(); !errors.Is(err, ErrStrictRPFilter) || !strings.Contains(err.Error(), "sysctl -w net.ipv4.conf.wire.rp_filter=2") {
		t.Error(err)
	}
	must(t, refuse.Close())
	h, err := Open(Config{Instance: "test", Device: "tun7", StateDir: dir})
	must(t, err)
	must(t, h.Setup())
	if v, _ := readSetting("wire"); v != "2" {
		t.Error("rp_filter is", v)
	}
	info, err := os.Stat(statePath("test", dir))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Error(info.Mode())
	}
	// Strict again meanwhile: the value from before us is what counts.
	setStrict(t, "1")
	if names, err := h.LoosenRPFilter(); err != nil || !slices.Equal(names, []string{"wire"}) {
		t.Error(names, err)
	}
	must(t, h.Close())
	if v, _ := readSetting("wire"); v != "1" {
		t.Error("rp_filter is", v)
	}
	if _, err := os.Stat(statePath("test", dir)); !errors.Is(err, os.ErrNotExist) {
		t.Error("the state file is left:", err)
	}
	// "all" counts for every interface.
	must(t, writeSetting("all", "1"))
	defer writeSetting("all", "0")
	setStrict(t, "0")
	if names, err := strictInterfaces(); err != nil || !slices.Contains(names, "wire") {
		t.Error(names, err)
	}
	must(t, writeSetting("wire", "2"))
	if names, err := strictInterfaces(); err != nil || slices.Contains(names, "wire") {
		t.Error(names, err)
	}
}

func TestADamagedStateFileIsNotBelieved(t *testing.T) {
	testnet.Need(t)
	for _, text := range []string{"", "{", `{"instance":"other","rp_filter":{}}`, `{"instance":"test","rp_filter":{"../all":"1"}}`,
		`{"instance":"test","rp_filter":{"wire":"9"}}`, `{"instance":"test","unknown":1}`} {
		dir := t.TempDir()
		must(t, os.WriteFile(statePath("test", dir), []byte(text), 0o600))
		if removed, err := Clean("test", dir); err == nil {
			t.Errorf("%q was believed: %v", text, removed)
		}
	}
	for _, name := range []string{"", "..", "a/b", "a b", strings.Repeat("x", 65)} {
		if _, err := Clean(name, t.TempDir()); err == nil {
			t.Errorf("instance %q", name)
		}
		if _, err := Open(Config{Instance: name}); err == nil {
			t.Errorf("instance %q", name)
		}
	}
}

func TestWatchTellsOfChanges(t *testing.T) {
	testnet.NeedTUN(t)
	cable(t)
	ctx, cancel := context.WithCancel(t.Context())
	changes, err := Watch(ctx)
	must(t, err)
	wait := func(what string, is func(Change) bool) {
		t.Helper()
		for c := range changes {
			if is(c) {
				return
			}
		}
		t.Fatal("the channel ended before ", what)
	}
	testnet.AddAddrs(t, "wire", []netip.Prefix{prefix("10.9.0.77/24")})
	wait("the new address", func(c Change) bool { return c.Addresses })
	own, err := LocalAddrs("tun7")
	must(t, err)
	if !slices.Equal(own, []netip.Addr{addr("10.9.0.1"), addr("10.9.0.77"), addr("fd09::1")}) {
		t.Error(own)
	}
	l, err := netlink.LinkByName("wire")
	must(t, err)
	must(t, netlink.LinkSetDown(l))
	wait("the link's end", func(c Change) bool { return c.Links })
	if own, err = LocalAddrs(); err != nil || len(own) != 0 {
		t.Error(own, err)
	}
	must(t, netlink.LinkSetName(l, "renamed"))
	wait("the new name", func(c Change) bool { return c.Links })
	must(t, netlink.LinkSetName(l, "wire"))
	must(t, netlink.LinkSetUp(l))
	cancel()
	for range changes { // ends
	}
}

func TestOwnRoutesAreNoChange(t *testing.T) {
	if c := changeIn(make([]byte, 16)); c != (Change{true, true, true}) {
		t.Error("damaged notices:", c)
	}
	msg := make([]byte, 28)
	msg[0], msg[4] = 28, unix.RTM_NEWROUTE
	if c := changeIn(msg); c != (Change{Routes: true}) {
		t.Error(c)
	}
	msg[16+5] = Protocol
	if c := changeIn(msg); c != (Change{}) {
		t.Error(c)
	}
}

func TestWarnings(t *testing.T) {
	testnet.Need(t)
	if w := ForwardingWarning([]netip.Prefix{prefix("10.0.0.1/32"), prefix("fd00::1/128")}); w != "" {
		t.Error(w)
	}
	w := ForwardingWarning([]netip.Prefix{prefix("10.0.0.0/24"), prefix("fd00::/64")})
	if !strings.Contains(w, "sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1") {
		t.Error(w)
	}
	must(t, KernelIPsec())
	p := &netlink.XfrmPolicy{Dir: netlink.XFRM_DIR_OUT, Src: toIPNet(prefix("10.77.0.0/16")), Dst: toIPNet(prefix("10.78.0.0/16"))}
	if err := netlink.XfrmPolicyAdd(p); err != nil {
		t.Skip("no XFRM in this kernel:", err)
	}
	err := KernelIPsec()
	must(t, netlink.XfrmPolicyDel(p))
	if !errors.Is(err, ErrKernelIPsec) || !strings.Contains(err.Error(), "0 SAs and 1 policies") {
		t.Error(err)
	}
}

func TestDecryptedPacketsForTheNetworkBehindLeaveByTheMainTable(t *testing.T) {
	testnet.NeedTUN(t)
	cable(t)
	device(t)
	must(t, os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0))
	defer os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("0"), 0)
	h := open(t)
	must(t, h.Setup())
	// A whole-Internet tunnel for the network on the cable.
	must(t, h.Apply(Plan{Captures: []Capture{{Prefix: prefix("0.0.0.0/0")}}, Behind: []netip.Prefix{prefix("10.9.0.0/24")}}))
	from := func(src, dst, iif string) string {
		o := &netlink.RouteGetOptions{Iif: iif, SrcAddr: addr(src).AsSlice()}
		routes, err := netlink.RouteGetWithOptions(addr(dst).AsSlice(), o)
		if err != nil {
			return err.Error()
		}
		l, err := netlink.LinkByIndex(routes[0].LinkIndex)
		must(t, err)
		return l.Attrs().Name
	}
	if got := from("198.51.100.1", "10.9.0.2", "tun7"); got != "wire" {
		t.Errorf("a decrypted packet for the network behind goes to %s", got)
	}
	if got := from("10.9.0.2", "198.51.100.1", "wire"); got != "tun7" {
		t.Errorf("a forwarded packet to the far side goes to %s", got)
	}
	must(t, h.Apply(Plan{Captures: []Capture{{Prefix: prefix("10.20.0.0/16")}}, Behind: []netip.Prefix{prefix("10.9.0.0/24")}}))
	if rules, err := ownRules(unix.AF_INET, h.Identity()); err != nil || len(rules) != 1 {
		t.Errorf("a rule that nothing needs is left: %+v %v", rules, err)
	}
}

func TestIPv6SwitchedOffIsNamed(t *testing.T) {
	testnet.NeedTUN(t)
	device(t)
	must(t, os.WriteFile("/proc/sys/net/ipv6/conf/tun7/disable_ipv6", []byte("1"), 0))
	h := open(t)
	must(t, h.Setup())
	err := h.Apply(Plan{Captures: []Capture{{Prefix: prefix("fd20::/32")}, {Prefix: prefix("10.20.0.0/16")}}})
	if err == nil || !strings.Contains(err.Error(), "disable_ipv6=0") {
		t.Error(err)
	}
}

func TestErrorsNameTheDevice(t *testing.T) {
	testnet.Need(t)
	h := open(t)
	for _, err := range []error{h.Setup(), h.Apply(Plan{}), h.SetMTU(1300)} {
		if err == nil || !strings.Contains(err.Error(), "tun7") {
			t.Error(err)
		}
	}
	if err := explain(unix.EPERM, "a thing could not be done"); !strings.Contains(err.Error(), "CAP_NET_ADMIN") || !errors.Is(err, unix.EPERM) {
		t.Error(err)
	}
}
