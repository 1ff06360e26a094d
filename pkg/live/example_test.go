package live_test

import (
	"fmt"
	"net/netip"
	"testing/fstest"

	"github.com/goipsec/goipsec/pkg/live"
)

func Example() {
	f := live.Files{FS: fstest.MapFS{
		"etc/resolv.conf":                 {Data: []byte("# a stub\nnameserver 127.0.0.53\n")},
		"run/systemd/resolve/resolv.conf": {Data: []byte("nameserver 192.0.2.53\nnameserver 2001:db8::53\n")},
		"run/systemd/netif/leases/2":      {Data: []byte("ADDRESS=192.0.2.5\nSERVER_ADDRESS=192.0.2.1\n")},
	}}
	own := func(a netip.Addr) bool { return a == netip.MustParseAddr("192.0.2.5") }
	fmt.Println(f.DNS(), f.DHCP(own))
	// Output: [192.0.2.53 2001:db8::53] [192.0.2.1]
}
