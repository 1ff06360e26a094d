package e2e

import (
	"fmt"
	"strings"
)

// sample is one turn of one peer. What was not measured is zero or empty.
type sample struct {
	gbps, resent, cpu []float64 // TCP, by Options.Flows
	udp               []datagrams
	rtt               float64 // microseconds, as the other times
	loadMedian        float64
	loadP99           float64
	loadLost          int
	callsTCP          []float64 // one or none
	callsUDP          []float64
	noCalls           string // why there are none
	mtu               int
}

// String is the line of progress.
func (s sample) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "round trip %.0f µs", s.rtt)
	for i, v := range s.gbps {
		fmt.Fprintf(&b, "%s%.2f", [...]string{"; TCP Gb/s ", ", "}[min(i, 1)], v)
	}
	for i, d := range s.udp {
		fmt.Fprintf(&b, "%s%.0f (%.1f %% lost)", [...]string{"; UDP kpps ", ", "}[min(i, 1)], d.counts.PerSecond()/1000, 100*d.lost())
	}
	if s.loadP99 > 0 {
		fmt.Fprintf(&b, "; p99 under load %.0f µs", s.loadP99)
	}
	for _, v := range append(s.callsTCP, s.callsUDP...) {
		fmt.Fprintf(&b, "; %.0f calls/1000", v)
	}
	return b.String()
}
