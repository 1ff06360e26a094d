package interop

import (
	"fmt"
	"testing"
	"time"

	"github.com/goipsec/goipsec/test/interop/lab"
	"github.com/goipsec/goipsec/test/interop/record"
)

// A lifetimeCase says which limit of which end is reached first. What then is renewed must be renewed without a loss.
type lifetimeCase struct {
	what    string
	method  string   // goipsec's
	child   []string // strongSwan's
	packets int      // to send, or 0: wait
	size    int
	mainToo bool // every quick mode brings a main mode of its own
}

func lifetimeCases() []lifetimeCase {
	const long = "rekey_time = 1h"
	return []lifetimeCase{
		{what: "lifetime in seconds, goipsec's", method: "{esp: aes-gcm-16-128, lifetime: {seconds: 12}}", child: []string{long, "rand_time = 0"}},
		{what: "lifetime in seconds, strongSwan's", method: "esp aes-gcm-16-128", child: []string{"rekey_time = 8", "life_time = 60", "rand_time = 0"}},
		{what: "lifetime in kilobytes, goipsec's", method: "{esp: aes-gcm-16-128, lifetime: {kilobytes: 300}}", child: []string{long}, packets: 320, size: 1000},
		{what: "lifetime in kilobytes, strongSwan's", method: "esp aes-gcm-16-128", child: []string{long, "rekey_bytes = 80000", "life_bytes = 10000000", "rand_bytes = 0"}, packets: 110, size: 1000},
		{what: "master-key PFS, goipsec's", method: "{esp: aes-gcm-16-128, lifetime: {seconds: 12}}", child: []string{long, "rand_time = 0"}, mainToo: true},
	}
}

// TestStrongSwanLifetimes lets each limit of either end come, with either end as the initiator, with session-key PFS: new keys at both ends, and not one echo lost.
func TestStrongSwanLifetimes(t *testing.T) {
	for _, c := range lifetimeCases() {
		for _, initiator := range bothInitiate {
			t.Run(c.what+"/"+initiator+" initiates", func(t *testing.T) {
				t.Parallel()
				l := lab.New(t)
				row := record.Begin(t, userSpace(initiator, c.what, "esp aes-gcm-16-128, PFS ecp256", "tunnel in UDP", "IPv4 in IPv4"))
				a, b := site(l)
				s := l.StrongSwan(b, charon{esp: "aes128gcm16-ecp256", connection: []string{"encap = yes"}, child: c.child}.String())
				ours := toCharon{pfs: "ecp256", method: c.method, rule: []string{inUDP}}
				if c.mainToo {
					ours.exchange = ", quick_modes: 1"
				}
				g := l.Goipsec(a, ours.String())
				start(l, a, g, s, initiator)
				cookies, spis := identities(s)
				stream := a.Stream("192.168.1.1", "192.168.2.1")
				stream.Flow(5, 20*time.Second)
				if c.packets > 0 {
					a.Ping("192.168.2.1", c.packets, "-I", "192.168.1.1", "-s", fmt.Sprint(c.size))
				}
				l.Until(30*time.Second, "new keys at both ends", func() (bool, string) {
					itsCookies, itsSPIs := identities(s)
					ourSPIs := currentSPIs(g)
					text, _ := s.Swanctl("--list-sas")
					return itsSPIs != spis && ourSPIs == itsSPIs && (!c.mainToo || itsCookies != cookies), text + g.Must("sa list")
				})
				stream.Flow(20, 20*time.Second)
				stream.Lossless()
				stream.Stop()
				echoes(l, a, g, s, row)
			})
		}
	}
}

// currentSPIs are those that goipsec says of its newest child, which may be renewing at the moment.
func currentSPIs(g *lab.Goipsec) (spis string) {
	var child uint64
	for _, c := range g.Status().Children {
		if c.ID >= child && (c.State == "installed" || c.State == "rekeying") {
			child, spis = c.ID, fmt.Sprintf("%08x %08x", c.Protocols[0].SPIOut, c.Protocols[0].SPIIn)
		}
	}
	return spis
}
