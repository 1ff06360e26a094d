package guard

import (
	"net"
	"os"
	"testing"

	"github.com/vishvananda/netlink"
)

func setSysctl(t *testing.T, path, value string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
		t.Fatal(err)
	}
}

// routeVia gives the other host a route.
func (b *bench) routeVia(t *testing.T, dst, gw string) {
	t.Helper()
	b.other.Do(func() {
		l, err := netlink.LinkByName("peer")
		must(t, err)
		_, n, err := net.ParseCIDR(dst)
		must(t, err)
		must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: n, Gw: net.ParseIP(gw)}))
	})
}
