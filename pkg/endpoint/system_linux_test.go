package endpoint

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/config"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/testnet"
	"github.com/vishvananda/netlink"
)

func TestMain(m *testing.M) { testnet.Main(m) }

// onSystem starts an endpoint on the network namespace that the tests have for themselves, with a made-up interface of the addresses.
func onSystem(t *testing.T, text string, addrs ...string) (x *end, stop func()) {
	t.Helper()
	testnet.NeedTUN(t)
	wan := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "wan0"}, PeerName: "wan1"}
	must(t, netlink.LinkAdd(wan))
	peer, err := netlink.LinkByName("wan1")
	must(t, err)
	must(t, netlink.LinkSetUp(peer))
	t.Cleanup(func() { _ = netlink.LinkDel(wan) })
	for _, a := range addrs {
		address(t, wan, a)
	}
	must(t, netlink.LinkSetUp(wan))
	must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: wan.Attrs().Index, Dst: nil, Gw: net.ParseIP("192.0.2.254")}))
	x = &end{log: &logBuffer{}, text: text, ended: make(chan error, 1)}
	p, err := x.load()
	must(t, err)
	x.Endpoint, err = New(Options{Policy: p, Load: x.file, Instance: "under-test", Log: slog.New(slog.NewTextHandler(x.log, nil)), KeylogDir: filepath.Join(t.TempDir(), "keys")})
	must(t, err)
	go func() { x.ended <- x.Run(context.Background()) }()
	stop = func() {
		x.Stop()
		if err := <-x.ended; err != nil {
			t.Errorf("the endpoint ended with: %v", err)
		}
		x.ended <- nil
	}
	t.Cleanup(stop)
	return x, stop
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func address(t *testing.T, l netlink.Link, a string) {
	t.Helper()
	addr, err := netlink.ParseAddr(a)
	must(t, err)
	must(t, netlink.AddrAdd(l, addr))
}

// kernel is what of the routing and the firewall tells of an endpoint.
func kernel(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, args := range []string{"-o link", "rule", "-6 rule", "route show table all", "-6 route show table all"} {
		out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput()
		if err != nil {
			t.Fatalf("ip %s: %v %s", args, err, out)
		}
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "goipsec") || strings.Contains(line, "fwmark") || strings.Contains(line, "blackhole") {
				all.WriteString(line)
			}
		}
	}
	return all.String()
}

const systemPolicy = `policy: system
rules:
  - name: partner
    filters: [me -> 198.51.100.7]
    negotiate: {}
    auth: [{psk: "a throw-away key for tests only, 0123456789"}]
  - name: branch
    filters: [10.1.0.0/24 -> 10.2.0.0/24]
    tunnel: {remote: 203.0.113.1}
    negotiate: {}
    auth: [{psk: "a throw-away key for tests only, 0123456789"}]
  - name: no-telnet
    filters: [any -> me tcp 23]
    action: block
`

// Everything that up makes is there, follows the host, and is gone afterwards.
func TestSystemHostFromStartToEnd(t *testing.T) {
	x, stop := onSystem(t, systemPolicy, "192.0.2.1/24")
	s := x.Status()
	if s.Guard != "nftables" || s.TUN.Name == "" || len(s.TUN.Routes) == 0 || len(s.Listen) != 8 || len(s.Warnings) == 0 {
		t.Errorf("%+v", s)
	}
	if text := kernel(t); !strings.Contains(text, "198.51.100.7 dev "+s.TUN.Name) || !strings.Contains(text, "blackhole 198.51.100.7") {
		t.Errorf("%s", text)
	}
	// The device goes down, and comes up with its routes.
	device, err := netlink.LinkByName(s.TUN.Name)
	must(t, err)
	must(t, netlink.LinkSetDown(device))
	eventually(t, func() bool { return strings.Contains(kernel(t), "198.51.100.7 dev "+s.TUN.Name) })
	must(t, netlink.LinkSetMTU(device, 1300))
	eventually(t, func() bool { return x.Status().TUN.MTU == 1300 })
	// An address more is followed, and one less.
	wan, err := netlink.LinkByName("wan0")
	must(t, err)
	filters := x.Status().Policy.OutboundFilters
	address(t, wan, "192.0.2.77/24")
	eventually(t, func() bool { return x.Status().Policy.OutboundFilters > filters })
	gone, _ := netlink.ParseAddr("192.0.2.77/24")
	must(t, netlink.AddrDel(wan, gone))
	eventually(t, func() bool { return x.Status().Policy.OutboundFilters == filters })
	// A reload moves the routes.
	x.setText(strings.Replace(systemPolicy, "10.2.0.0/24", "10.3.0.0/24", 1))
	_, err = x.Reload()
	must(t, err)
	if text := kernel(t); !strings.Contains(text, "10.3.0.0/24 dev") || strings.Contains(text, "10.2.0.0/24") {
		t.Errorf("%s", text)
	}
	stop()
	testnet.Gone(t, s.TUN.Name)
	if text := kernel(t); text != "" {
		t.Errorf("left behind:\n%s", text)
	}
	if left, err := Clean("under-test"); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// F9: a device that is deleted ends the endpoint with an error, and what it protected stays stopped until it is given free.
func TestF9DeletedDeviceFailsClosed(t *testing.T) {
	x, _ := onSystem(t, systemPolicy, "192.0.2.1/24")
	device, err := netlink.LinkByName(x.Status().TUN.Name)
	must(t, err)
	must(t, netlink.LinkDel(device))
	err = <-x.ended
	x.ended <- nil
	if err == nil || !strings.Contains(err.Error(), "goipsec down") {
		t.Fatalf("%v", err)
	}
	if text := kernel(t); !strings.Contains(text, "blackhole 198.51.100.7") || !strings.Contains(text, "fwmark") {
		t.Errorf("nothing stops what was protected:\n%s", text)
	}
	removed, err := Clean("under-test")
	must(t, err)
	if text := kernel(t); text != "" || !strings.Contains(strings.Join(removed, "\n"), "guard") {
		t.Errorf("removed %v, left:\n%s", removed, text)
	}
}

// A start that fails halfway leaves nothing behind either.
func TestSystemHostFailedStart(t *testing.T) {
	testnet.NeedTUN(t)
	holder, err := net.ListenUDP("udp4", &net.UDPAddr{Port: 4500})
	must(t, err)
	defer holder.Close()
	f, err := config.Parse("x.yaml", []byte(systemPolicy), config.Options{})
	must(t, err)
	if _, err := New(Options{Policy: f.Assigned, Instance: "failed"}); err == nil || !strings.Contains(err.Error(), "4500") {
		t.Fatalf("%v", err)
	}
	if text := kernel(t); text != "" {
		t.Errorf("left behind:\n%s", text)
	}
	if _, err := os.Stat("/sys/class/net/goipsec0"); err == nil {
		t.Error("the device is left")
	}
}

// MTU arithmetic: what the device may take is what the path carries less the dearest method of any rule, but never under 1280.
func TestOverheadOfThePolicy(t *testing.T) {
	for text, want := range map[string][2]int{
		"esp aes-gcm-16-128":                      {60, 90}, // 20 IP, 8 UDP, 8 ESP, 8 IV, 16 ICV, 2 and padding
		"esp aes-cbc-128 hmac-sha256-128":         {77, 100},
		"ah hmac-sha256-128":                      {56, 75},
		"ah hmac-sha256-128 + esp aes-gcm-16-128": {88, 120},
		"esp aes-cbc-256 hmac-sha512-256":         {93, 120},
		"esp null hmac-sha256-128":                {54, 80},
	} {
		f, err := config.Parse("x.yaml", []byte(strings.Replace(systemPolicy, "negotiate: {}", "negotiate: {methods: ["+text+"]}", 2)), config.Options{})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		c, err := policy.Compile(f.Assigned, []netip.Addr{netip.MustParseAddr("192.0.2.1")})
		must(t, err)
		if n := overhead(c); n < want[0] || n > want[1] {
			t.Errorf("%s: %d bytes, not %v", text, n, want)
		}
	}
}
