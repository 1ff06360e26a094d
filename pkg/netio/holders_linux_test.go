package netio

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
)

// TestHoldersNamesThisProcess, of both families, and nobody once the port is free.
func TestHoldersNamesThisProcess(t *testing.T) {
	four, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	port := four.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	want := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	if six, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback, Port: int(port)}); err == nil {
		defer six.Close()
		want = append(want, netip.IPv6Loopback())
	}
	list := Holders(port)
	for _, a := range want {
		i := slices.IndexFunc(list, func(h Holder) bool { return h.Local == netip.AddrPortFrom(a, port) })
		if i < 0 || list[i].PID != os.Getpid() || list[i].Process == "" {
			t.Errorf("%v: %+v", a, list)
		}
	}
	four.Close()
	if list := Holders(port); slices.ContainsFunc(list, func(h Holder) bool { return h.Local.Addr().Is4() }) {
		t.Errorf("a closed socket is held: %+v", list)
	}
}
