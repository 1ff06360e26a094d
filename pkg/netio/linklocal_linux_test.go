package netio

import (
	"errors"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/goipsec/goipsec/pkg/testnet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// linkLocal returns the link-local address of an interface, with its zone, once it can be used: the kernel makes it, and judges it, some time after the interface has come up.
func linkLocal(t *testing.T, name string) netip.Addr {
	t.Helper()
	if mode, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + name + "/addr_gen_mode"); err != nil || string(mode) == "1\n" {
		t.Skip("this system makes no link-local addresses")
	}
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	for t.Context().Err() == nil {
		list, err := netlink.AddrList(l, netlink.FAMILY_V6)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range list {
			if ip, ok := netip.AddrFromSlice(a.IP); ok && ip.IsLinkLocalUnicast() && a.Flags&unix.IFA_F_TENTATIVE == 0 {
				return ip.WithZone(name)
			}
		}
		runtime.Gosched()
	}
	t.FailNow()
	return netip.Addr{}
}

func TestLinkLocalAddressesKeepTheirZone(t *testing.T) {
	testnet.Need(t)
	other := link(t, 1500)
	here := linkLocal(t, "wire")
	var there netip.Addr
	other.Do(func() { there = linkLocal(t, "peer") })
	a := listen(t, netip.AddrPortFrom(here, 0).String(), Options{})
	if a.LocalAddr().Addr() != here {
		t.Error(a.LocalAddr())
	}
	var b *udpConn
	var raw Conn
	other.Do(func() {
		b = listen(t, "[::]:0", Options{})
		var err error
		if raw, err = ListenRaw(ProtoESP, netip.IPv6Unspecified(), Options{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { raw.Close() })
	})
	to := netip.AddrPortFrom(there.WithZone("wire"), b.LocalAddr().Port())
	if n, err := a.WriteBatch([]Message{{Buf: []byte("x"), N: 1, Remote: to, Local: a.LocalAddr()}}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	other.Do(func() {
		m := readOne(t, b)
		if m.Remote.Addr() != here.WithZone("peer") || m.Local.Addr() != there {
			t.Errorf("from %v to %v", m.Remote, m.Local)
		}
	})
	c, err := ListenRaw(ProtoESP, here, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	pkt := ip6(here.WithZone("").String(), there.WithZone("").String(), ProtoESP, 0, 0, pattern(20))
	if n, err := c.WriteBatch([]Message{{Buf: pkt, N: len(pkt), Remote: netip.AddrPortFrom(there.WithZone("wire"), 0)}}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	other.Do(func() {
		if m := readOne(t, raw); string(m.Bytes()) != string(pkt) || m.Remote.Addr() != here.WithZone("peer") {
			t.Errorf("%x from %v", m.Bytes(), m.Remote)
		}
	})
	if zoneIndex("7") != 7 || zoneIndex("no-such") != 0 || zoneIndex("99999999999") != 0 || zoneName(0) != "" || zoneName(1<<20) != "1048576" {
		t.Error("zones")
	}
}

func TestListenErrorsNameTheNextStep(t *testing.T) {
	at := netip.MustParseAddrPort("192.0.2.1:500")
	for err, want := range map[error]string{
		syscall.EACCES: "CAP_NET_BIND_SERVICE", syscall.EPERM: "CAP_NET_ADMIN", syscall.EADDRNOTAVAIL: "listen:", syscall.EMFILE: "too many",
		syscall.EADDRINUSE: "held by another process",
	} {
		if got := explainListen(at, err); !strings.Contains(got.Error(), want) || !strings.Contains(got.Error(), "192.0.2.1:500") {
			t.Error(got)
		}
	}
	if got := explainRaw(50, syscall.EPERM); !strings.Contains(got.Error(), "CAP_NET_RAW") || !errors.Is(got, syscall.EPERM) {
		t.Error(got)
	}
}
