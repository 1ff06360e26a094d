package interop

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goipsec/goipsec/test/interop/lab"
	"github.com/goipsec/goipsec/test/interop/record"
)

// limit bounds every wait for a negotiation.
const limit = 20 * time.Second

const psk = "a key for tests only 7Q2x"

// site is two goipsec hosts a and b, 10.1.0.1 and .2, with the networks 192.168.1.0/24 and 192.168.2.0/24 behind them (an
// address on a device of their own), and the same in IPv6.
func site(l *lab.Lab) (a, b *lab.Host) {
	a, b = l.Pair()
	for n, h := range []*lab.Host{a, b} {
		inside := l.Host("inside")
		l.Link(h, fmt.Sprintf("in=192.168.%d.1/24,fd0%d::1/64", n+1, n+2), inside, fmt.Sprintf("eth0=192.168.%d.9/24,fd0%d::9/64", n+1, n+2))
	}
	return a, b
}

type ownCase struct {
	name, mode, family string
	tunnel             bool
	outer6, inner6     bool
	more               string // further lines of the rule
}

func (c ownCase) policy(local, remote int) string {
	outer := func(n int) string { return pick(c.outer6, fmt.Sprintf("10.1.0.%d", n), fmt.Sprintf("fd01::%d", n)) }
	inner := func(n int) string {
		return pick(c.inner6, fmt.Sprintf("192.168.%d.0/24", n), fmt.Sprintf("fd0%d::/64", n+1))
	}
	filter, tunnel := fmt.Sprintf("%s <-> %s", outer(local), outer(remote)), ""
	if c.tunnel {
		filter = fmt.Sprintf("{from: %s, to: \"%s\"}", quote(inner(local)), inner(remote))
		tunnel = fmt.Sprintf("    tunnel: {local: \"%s\", remote: \"%s\"}\n", outer(local), outer(remote))
	} else {
		filter = quote(filter)
	}
	return fmt.Sprintf("policy: test\nrules:\n  - name: peer\n    filters: [%s]\n%s    negotiate: {}\n    auth: [{psk: %q}]\n%s", filter, tunnel, psk, c.more)
}

func quote(s string) string { return fmt.Sprintf("%q", s) }

func ownCases() []ownCase {
	udp := "    encapsulation: udp\n"
	return []ownCase{
		{name: "transport/IPv4", mode: "transport", family: "IPv4"},
		{name: "transport/IPv6", mode: "transport", family: "IPv6", outer6: true, inner6: true},
		{name: "transport/IPv4/UDP", mode: "transport in UDP", family: "IPv4", more: udp},
		{name: "tunnel/IPv4inIPv4", mode: "tunnel", family: "IPv4 in IPv4", tunnel: true},
		{name: "tunnel/IPv6inIPv6", mode: "tunnel", family: "IPv6 in IPv6", tunnel: true, outer6: true, inner6: true},
		{name: "tunnel/IPv4inIPv6", mode: "tunnel", family: "IPv4 in IPv6", tunnel: true, outer6: true},
		{name: "tunnel/IPv6inIPv4", mode: "tunnel", family: "IPv6 in IPv4", tunnel: true, inner6: true},
		{name: "tunnel/IPv4inIPv4/UDP", mode: "tunnel in UDP", family: "IPv4 in IPv4", tunnel: true, more: udp},
	}
}

// TestOwnEndpointsInEveryMode has two goipsecs negotiate and ping each other; the wire between them must be clean.
func TestOwnEndpointsInEveryMode(t *testing.T) {
	for _, c := range ownCases() {
		t.Run(c.name, func(t *testing.T) {
			l := lab.New(t)
			a, b := site(l)
			capture := a.Capture("eth0")
			row := record.Begin(t, record.Row{Peer: "goipsec", Version: "this one", Exchange: "IKEv1 main mode, PSK", Suite: "defaults", Mode: c.mode, Family: c.family})
			ga, gb := l.Goipsec(a, c.policy(1, 2)), l.Goipsec(b, c.policy(2, 1))
			from, to := pick(c.outer6, "10.1.0.1", "fd01::1"), pick(c.outer6, "10.1.0.2", "fd01::2")
			if c.tunnel {
				from, to = pick(c.inner6, "192.168.1.1", "fd02::1"), pick(c.inner6, "192.168.2.1", "fd03::1")
			}
			sent := a.Echo(from, to, 20) // the first one waits for the negotiation
			for name, g := range map[string]*lab.Goipsec{"the initiator": ga, "the responder": gb} {
				s := g.Status()
				if s.Traffic.Opened != sent || s.Traffic.Sealed != sent {
					t.Errorf("%s opened %d and sealed %d packets, want %d; drops %v", name, s.Traffic.Opened, s.Traffic.Sealed, sent, s.Drops)
				}
				for reason, n := range s.Drops {
					if n != 0 && reason != "device-noise" {
						t.Errorf("%s dropped %d packets: %s", name, n, reason)
					}
				}
			}
			row.Counted(gb.Status().Traffic.Opened, gb.Status().Traffic.Sealed)
			frames := capture.Stop()
			l.NoClear(frames)
			kind := "esp"
			if strings.Contains(c.mode, "UDP") {
				kind = "ike" // ESP in UDP has its port
			}
			if n := lab.Kinds(frames)[kind]; n < 40 {
				t.Errorf("%d frames of kind %s on the wire, want at least 40", n, kind)
			}
		})
	}
}
