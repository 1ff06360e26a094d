package e2e

import "github.com/goipsec/goipsec/bench/flood"

// udpCase is one kind of load by single datagrams.
type udpCase struct{ size, flows int }

// udpCases are measured in this order. Sizes are of the whole inner datagram in bytes.
var udpCases = []udpCase{{1400, 1}, {1400, 64}, {64, 1}, {64, 64}}

// datagrams is one measurement of one case.
type datagrams struct {
	sent    flood.Sent
	counts  flood.Counts
	packets uint64  // through the tunnel device of host a, both ways, what warms up included
	cpu     float64 // microseconds a packet
}

// lost is the share of datagrams that did not arrive.
func (d datagrams) lost() float64 {
	return 1 - float64(d.counts.Received)/float64(max(d.sent.Packets, 1))
}

// gbps is the received payload in gigabits a second.
func (c udpCase) gbps(perSecond float64) float64 {
	return perSecond * float64(c.size-flood.Overhead) * 8 / 1e9
}
