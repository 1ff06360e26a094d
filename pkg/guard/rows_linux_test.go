package guard

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/goipsec/goipsec/pkg/testnet"
)

// TestD11ClearPacketsForTheTunnelAreDropped is row D11: what the policy wants in the tunnel is refused when it arrives beside it in clear, whether for the tunnel's
// own address or from the protected prefix, however specific the route that it came by; what no filter is about passes.
func TestD11ClearPacketsForTheTunnelAreDropped(t *testing.T) {
	testnet.Need(t)
	b := newBench(t)
	rules := []Rule{{filter("10.9.1.0/24", "10.9.0.11/32", 0), Drop}, {filter("10.9.0.3/32", "10.9.0.0/16", 0), Drop},
		{filter("fd09:0:0:1::/64", "fd09::11/128", 0), Drop}, {filter("fd09::3/128", "fd09::/48", 0), Drop}}
	must(t, Install(Config{Instance: "test", Device: "tun7", Inbound: rules, Outbound: rules}))
	for fam := range 2 {
		for _, c := range []struct {
			src, dst string
			passes   bool
		}{
			{theirs[3*fam+2], mine[2*fam+1], false}, // the other network, for the tunnel's address
			{theirs[3*fam+1], mine[2*fam], false},   // a protected peer, for any address here
			{theirs[3*fam+1], mine[2*fam+1], false},
			{theirs[3*fam], mine[2*fam], true}, // nobody's business
		} {
			what := fmt.Sprintf("%s to %s", c.src, c.dst)
			b.inject(udp(netip.MustParseAddr(c.src), netip.MustParseAddr(c.dst), 1000, 4000, what))
			if got := b.arrived(fam); (len(got) == 1) != c.passes {
				t.Errorf("%s: arrived %q, want it to pass: %v", what, got, c.passes)
			}
		}
	}
}
