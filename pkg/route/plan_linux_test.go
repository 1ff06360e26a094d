package route

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// Every prefix that leads into the TUN has its black hole, whatever the plan.
func TestEveryCaptureHasItsBlackHole(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var p Plan
		draw := rapid.Custom(func(t *rapid.T) Capture {
			a := rapid.SampledFrom([]string{"10.1.2.3", "10.1.2.4", "fd00::1", "0.0.0.0", "::"}).Draw(t, "address")
			ip := netip.MustParseAddr(a)
			bits := rapid.IntRange(0, ip.BitLen()).Draw(t, "bits")
			return Capture{Prefix: netip.PrefixFrom(ip, bits)}
		})
		p.Captures = rapid.SliceOf(draw).Draw(rt, "captures")
		for _, c := range rapid.SliceOf(draw).Draw(rt, "exempt") {
			p.Exempt = append(p.Exempt, c.Prefix)
		}
		want := p.entries()
		for _, c := range p.Captures {
			covered := false
			for _, e := range p.Exempt {
				covered = covered || e.Masked() == c.Prefix.Masked()
			}
			_, hole := want[entry{c.Prefix.Masked(), unix.RTN_BLACKHOLE, blackHoleMetric}]
			_, way := want[entry{c.Prefix.Masked(), unix.RTN_UNICAST, captureMetric}]
			if hole == covered || way == covered {
				rt.Fatalf("%v: exempt %v, black hole %v, route %v", c.Prefix, covered, hole, way)
			}
		}
	})
}
