package guard

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/goipsec/goipsec/pkg/testnet"
)

// TestD10FirstFragmentsShowWhatRulesName: where a rule for IPv6 names ports, a first fragment that does not reach them is refused by the guard itself, and so is one
// whose chain of headers is cut; one that has them, and every packet where no rule names a protocol, is judged by the rules.
func TestD10FirstFragmentsShowWhatRulesName(t *testing.T) {
	testnet.Need(t)
	b := newBench(t)
	src, dst := netip.MustParseAddr(theirs[3]), netip.MustParseAddr(mine[2])
	u := udp(src, dst, 1000, 81, "0123456789abcdef")[40:]
	fragment := func(next byte, body []byte) []byte {
		h := binary.BigEndian.AppendUint32([]byte{next, 0, 0, 1}, uint32(len(body))) // offset 0, and more to come
		return ip(src, dst, 44, 64, 0, append(h, body...))
	}
	options := append([]byte{17, 2, 30, 20}, make([]byte, 20)...) // 24 octets of destination options
	for _, c := range []struct {
		name    string
		pkt     []byte
		refused bool
	}{
		{"UDP with its ports", fragment(17, u[:8]), false},
		{"UDP without its ports", fragment(17, nil), true},
		{"a header that is cut", fragment(60, options[:8]), true},
		{"headers that end before the ports", fragment(60, options), true},
		{"a protocol without ports", fragment(47, []byte{0, 0, 0x88, 0xb5, 0, 0, 0, 0}), false},
	} {
		for _, ports := range []bool{true, false} {
			r := Rule{filter("fd09::/48", "fd09::1/128", 0), Accept}
			if ports {
				r = Rule{filter("fd09::/48", "fd09::1/128", 17, 80), Drop}
			}
			must(t, Install(Config{Instance: "test", Device: "tun7", Inbound: []Rule{r}}))
			b.inject(c.pkt)
			b.arrived(1)
			d, err := CountDropped("test")
			must(t, err)
			if (d.Unreadable > 0) != (c.refused && ports) {
				t.Errorf("%s, with rules for ports %v: %+v", c.name, ports, d)
			}
		}
	}
}
