package live

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// files makes a file system from names and contents.
func files(pairs ...string) Files {
	m := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return Files{FS: m}
}

func TestDNS(t *testing.T) {
	for _, c := range []struct {
		f    Files
		want string
	}{
		{files(), "[]"},
		{files("etc/resolv.conf", "search example.com\nnameserver 192.0.2.53\n nameserver\t2001:db8::53 # second\n"), "[192.0.2.53 2001:db8::53]"},
		{files("etc/resolv.conf", "nameserver 127.0.0.53\noptions edns0\n", "run/systemd/resolve/resolv.conf", "nameserver 10.0.0.1\n"), "[10.0.0.1]"},
		{files("etc/resolv.conf", "nameserver ::1\n", "run/NetworkManager/no-stub-resolv.conf", "nameserver 10.0.0.2\n"), "[10.0.0.2]"},
		{files("etc/resolv.conf", "nameserver 10.0.0.1\nnameserver 10.0.0.1\nnameserver ::ffff:10.0.0.1\n", "run/systemd/resolve/resolv.conf", "nameserver 10.0.0.1\nnameserver 10.0.0.2"), "[10.0.0.1 10.0.0.2]"},
		{files("etc/resolv.conf", "nameserver fe80::1%eth0\n"), "[fe80::1%eth0]"},
		{files("etc/resolv.conf", "nameserver nowhere\nnameserver 0.0.0.0\nnameserver\n#nameserver 10.0.0.1\nnameserver 224.0.0.1\nNAMESERVER 10.0.0.3\n\xff\xfe"), "[]"},
		{files("etc/resolv.conf", strings.Repeat("# long\n", maxFile)), "[]"},
	} {
		if got := fmt.Sprint(c.f.DNS()); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	var many strings.Builder
	for i := range 200 {
		fmt.Fprintf(&many, "nameserver 10.0.0.%d\n", i+1)
	}
	if n := len(files("etc/resolv.conf", many.String()).DNS()); n != MaxServers {
		t.Errorf("%d servers", n)
	}
}

// dhcpMessage is an acknowledgement (RFC 2131) for an address, with options behind the cookie.
func dhcpMessage(yours string, options ...byte) string {
	b := make([]byte, cookieAt)
	b[0] = 2
	copy(b[yiaddrAt:], netip.MustParseAddr(yours).AsSlice())
	return string(append(append(b, 0x63, 0x82, 0x53, 0x63), options...))
}

const dhclient = `lease {
  interface "eth0";
  fixed-address 192.0.2.5;
  option subnet-mask 255.255.255.0;
  option dhcp-server-identifier 192.0.2.1;
  expire 3 2026/11/25 10:00:00;
}
lease {
  interface "eth0";
  fixed-address 192.0.2.5;
  option dhcp-server-identifier 192.0.2.2;
}
lease {
  interface "wlan0";
  fixed-address 203.0.113.9;
  option dhcp-server-identifier 203.0.113.1;
}
`

func TestDHCP(t *testing.T) {
	own := func(a netip.Addr) bool { return a == netip.MustParseAddr("192.0.2.5") }
	for _, c := range []struct {
		f    Files
		want string
	}{
		{files(), "[]"},
		// The later of two leases of an address counts, and none whose address the host does not have.
		{files("var/lib/dhcp/dhclient.eth0.leases", dhclient), "[192.0.2.2]"},
		{files("var/lib/NetworkManager/dhclient-1234-eth0.lease", dhclient), "[192.0.2.2]"},
		{files("run/systemd/netif/leases/2", "# do not edit\nADDRESS=192.0.2.5\nNETMASK=255.255.255.0\nSERVER_ADDRESS=192.0.2.1\n"), "[192.0.2.1]"},
		{files("run/systemd/netif/leases/2", "ADDRESS=192.0.2.6\nSERVER_ADDRESS=192.0.2.1\n"), "[]"},
		{files("run/NetworkManager/devices/3", "[dhcp4]\nip_address=192.0.2.5\ndhcp_server_identifier=192.0.2.3\n"), "[192.0.2.3]"},
		{files("var/lib/NetworkManager/internal-5-eth0.lease", "ADDRESS=192.0.2.5\n"), "[]"},
		{files("var/lib/dhcpcd/eth0.lease", dhcpMessage("192.0.2.5", 0, 53, 1, 5, 54, 4, 192, 0, 2, 4, 255)), "[192.0.2.4]"},
		{files("var/lib/dhcpcd/eth0.lease", dhcpMessage("192.0.2.5", 53, 1, 5, 255, 54, 4, 192, 0, 2, 4)), "[]"},
		{files("var/lib/dhcpcd/eth0.lease", dhcpMessage("192.0.2.5", 54, 200, 192)), "[]"},
		{files("var/lib/dhcpcd/eth0.lease", dhcpMessage("192.0.2.5", 54)), "[]"},
		{files("var/lib/dhcpcd/eth0.lease", dhcpMessage("192.0.2.7", 54, 4, 192, 0, 2, 4)), "[]"},
		{files("var/lib/dhcpcd/eth0.lease", "short"), "[]"},
		{files("var/lib/dhcpcd/eth0.lease6", dhcpMessage("192.0.2.5", 54, 4, 192, 0, 2, 4)), "[]"},
		{files("var/lib/dhcp/dhclient.leases", dhclient, "run/systemd/netif/leases/2", "ADDRESS=192.0.2.5\nSERVER_ADDRESS=192.0.2.2\n"), "[192.0.2.2]"},
	} {
		if got := fmt.Sprint(c.f.DHCP(own)); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

// Of a file that is too long the end is read: there stands the lease that is in use.
func TestLongFilesAreReadFromTheirEnd(t *testing.T) {
	root := t.TempDir()
	name := filepath.Join(root, "var/lib/dhcp/dhclient.leases")
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	old := strings.Replace(dhclient, "192.0.2.2", "192.0.2.99", 1)
	if err := os.WriteFile(name, []byte(strings.Repeat(old, 2000)+dhclient), 0o644); err != nil {
		t.Fatal(err)
	}
	f := Files{FS: os.DirFS(root)}
	if got := fmt.Sprint(f.DHCP(func(a netip.Addr) bool { return a == netip.MustParseAddr("192.0.2.5") })); got != "[192.0.2.2]" {
		t.Error(got)
	}
}

func FuzzFiles(f *testing.F) {
	f.Add("nameserver 10.0.0.1\n", dhclient, "ADDRESS=192.0.2.5\nSERVER_ADDRESS=192.0.2.1\n", dhcpMessage("192.0.2.5", 54, 4, 192, 0, 2, 4))
	f.Fuzz(func(t *testing.T, resolv, leases, vars, raw string) {
		x := files("etc/resolv.conf", resolv, "var/lib/dhcp/a.leases", leases, "run/systemd/netif/leases/1", vars, "var/lib/dhcpcd/a.lease", raw)
		for _, list := range [][]netip.Addr{x.DNS(), x.DHCP(func(netip.Addr) bool { return true })} {
			if len(list) > MaxServers {
				t.Errorf("%d servers", len(list))
			}
			for _, a := range list {
				if !a.IsValid() || a.IsLoopback() || a.IsMulticast() || a.IsUnspecified() {
					t.Errorf("%v is no server", a)
				}
			}
		}
	})
}
