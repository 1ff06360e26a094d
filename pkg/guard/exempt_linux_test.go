package guard

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/testnet"
	"golang.org/x/sys/unix"
)

// TestGuardLetsExemptionsPass: with everything blocked, what is exempt arrives and nothing else does: Kerberos by either port, multicast, and the broadcast
// addresses, that of the subnet included.
func TestGuardLetsExemptionsPass(t *testing.T) {
	testnet.Need(t)
	b := newBench(t)
	must(t, unix.SetsockoptInt(b.send[0], unix.SOL_SOCKET, unix.SO_BROADCAST, 1))
	b.other.Do(func() { must(t, unix.SetsockoptString(b.send[0], unix.SOL_SOCKET, unix.SO_BINDTODEVICE, "peer")) })
	all := []Rule{{filter("0.0.0.0/0", "0.0.0.0/0", 0), Drop}, {filter("::/0", "::/0", 0), Drop}}
	kerberos := func(prefix string) []classifier.Filter {
		from := filter(prefix, prefix, 17)
		from.SrcPorts = classifier.Port(88)
		return []classifier.Filter{from, filter(prefix, prefix, 17, 88)}
	}
	multicast := filter("0.0.0.0/0", "224.0.0.0/4", 0)
	for _, c := range []struct {
		name                string
		exempt              []classifier.Filter
		broadcast           bool
		kerberos, multicast bool
	}{
		{name: "level 3"},
		{name: "Kerberos", exempt: append(kerberos("0.0.0.0/0"), kerberos("::/0")...), kerberos: true},
		{name: "multicast and broadcast", exempt: []classifier.Filter{multicast}, broadcast: true, multicast: true},
	} {
		must(t, Install(Config{Instance: "test", Device: "tun7", Inbound: all, Outbound: all, Exempt: c.exempt, ExemptBroadcast: c.broadcast}))
		for fam := range 2 {
			src, dst := netip.MustParseAddr(theirs[3*fam]), netip.MustParseAddr(mine[2*fam])
			for _, p := range []struct {
				sport, dport uint16
				pass         bool
			}{{88, 4000, c.kerberos}, {4000, 88, c.kerberos}, {4000, 4001, false}, {89, 87, false}} {
				b.inject(udp(src, dst, p.sport, p.dport, "x"))
				if got := len(b.arrived(fam)); (got == 1) != p.pass {
					t.Errorf("%s: %v, port %d -> %d: arrived %d times", c.name, src, p.sport, p.dport, got)
				}
			}
		}
		for _, dst := range []string{"10.9.255.255", "255.255.255.255", "224.0.0.1"} {
			b.inject(udp(netip.MustParseAddr(theirs[0]), netip.MustParseAddr(dst), 4000, 4001, fmt.Sprint("to ", dst)))
			if got := len(b.arrived(0)); (got == 1) != c.multicast {
				t.Errorf("%s: to %s: arrived %d times", c.name, dst, got)
			}
		}
	}
}
