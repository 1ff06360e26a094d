package route

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goipsec/goipsec/pkg/testnet"
	"github.com/vishvananda/netlink"
)

func TestStateThatCannotBeSavedLeavesRPFilterAlone(t *testing.T) {
	testnet.NeedTUN(t)
	cable(t)
	device(t)
	setStrict(t, "1")
	file := filepath.Join(t.TempDir(), "a-file")
	must(t, os.WriteFile(file, nil, 0o600))
	h, err := Open(Config{Instance: "test", Device: "tun7", StateDir: filepath.Join(file, "run")})
	must(t, err)
	if err := h.Setup(); err == nil || !strings.Contains(err.Error(), "state") {
		t.Error(err)
	}
	if v, _ := readSetting("wire"); v != "1" {
		t.Error("rp_filter was changed to", v)
	}
}

func TestRestoreLeavesWhatOthersChanged(t *testing.T) {
	testnet.NeedTUN(t)
	cable(t)
	dir := t.TempDir()
	s := state{Instance: "test", RPFilter: map[string]string{"wire": "1", "gone0": "1"}}
	must(t, s.save(dir))
	setStrict(t, "0") // an administrator's hand
	removed, err := Clean("test", dir)
	if err != nil || len(removed) != 0 {
		t.Error(removed, err)
	}
	if v, _ := readSetting("wire"); v != "0" {
		t.Error("rp_filter is", v)
	}
}

func TestCleanNamesEveryKindOfLeftover(t *testing.T) {
	testnet.NeedTUN(t)
	cable(t)
	d := device(t)
	h := open(t)
	must(t, h.Setup())
	must(t, h.Apply(samplePlan()))
	removed, err := Clean("test", t.TempDir()) // the device is still there
	must(t, err)
	all := strings.Join(removed, "\n")
	for _, want := range []string{"rule IPv4 priority", "iif tun7 lookup 254", "to 10.30.0.0/24", "fwmark 0x6f490000/0xffff0000", "exemption to 224.0.0.0/4",
		"route to 10.9.0.2/32", "source 10.9.0.1", "black hole to fd20::/32", "protocol 111"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not named:\n%s", want, all)
		}
	}
	d.Close()
}

func TestBehindEverythingAndExemptCapture(t *testing.T) {
	testnet.NeedTUN(t)
	cable(t)
	device(t)
	h := open(t)
	must(t, h.Setup())
	p := Plan{Captures: []Capture{{Prefix: prefix("10.20.0.0/16")}, {Prefix: prefix("fd20::/32")}, {}},
		Exempt: []netip.Prefix{prefix("10.20.0.0/16")}, Behind: []netip.Prefix{prefix("0.0.0.0/0"), prefix("::/0")}}
	for range 2 { // the second time finds the rules for all, which the kernel lists without a destination
		must(t, h.Apply(p))
		for _, family := range families {
			rules, err := ownRules(family, h.Identity())
			if err != nil || len(rules) != 2 {
				t.Errorf("family %d: %+v %v", family, rules, err)
			}
		}
	}
	if got := leads(t, "10.20.0.1", 0); got != "nowhere" {
		t.Error("an exempted prefix leads to", got)
	}
}

func TestLookupsWithZonesAndWithoutAddresses(t *testing.T) {
	testnet.Need(t)
	cable(t)
	src, err := SourceFor(addr("fe80::1234%wire"), 0)
	// Until the kernel has made the interface's own link-local address, it takes the other one.
	if err != nil || src != addr("fd09::1") && (src.Zone() != "wire" || !src.IsLinkLocalUnicast()) {
		t.Error(src, err)
	}
	if _, err := RouteMTU(addr("203.0.113.1"), 0); !errors.Is(err, ErrNoRoute) {
		t.Error(err)
	}
}

func TestKernelIPsecCountsSAs(t *testing.T) {
	testnet.Need(t)
	s := &netlink.XfrmState{Src: addr("192.0.2.1").AsSlice(), Dst: addr("192.0.2.2").AsSlice(), Proto: netlink.XFRM_PROTO_COMP, Mode: netlink.XFRM_MODE_TRANSPORT, Spi: 0x101}
	if err := netlink.XfrmStateAdd(s); err != nil {
		t.Skip("this kernel has no transform to make an SA of:", err)
	}
	err := KernelIPsec()
	must(t, netlink.XfrmStateDel(s))
	if !errors.Is(err, ErrKernelIPsec) || !strings.Contains(err.Error(), "1 SAs") {
		t.Error(err)
	}
}

func TestWatchMergesWhatIsNotTaken(t *testing.T) {
	testnet.Need(t)
	cable(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changes, err := Watch(ctx)
	must(t, err)
	for i := range 50 { // more than the channel holds
		a := prefix("10.9.0.100/24").Addr().As4()
		a[3] += byte(i)
		testnet.AddAddrs(t, "wire", []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4(a), 24)})
	}
	l, err := netlink.LinkByName("wire")
	must(t, err)
	must(t, netlink.LinkSetDown(l))
	var seen Change
	for c := range changes {
		seen = Change{seen.Addresses || c.Addresses, seen.Links || c.Links, seen.Routes || c.Routes}
		if seen == (Change{true, true, true}) {
			break
		}
	}
}
