package e2e

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/goipsec/goipsec/bench/measure"
)

// Result is a whole run, as JSON has it.
type Result struct {
	Schema    int             `json:"schema"` // 1
	Machine   measure.Machine `json:"machine"`
	LoadAfter string          `json:"load_average_after,omitempty"` // includes what the run itself did
	IPerf     string          `json:"iperf3"`
	Seconds   int             `json:"seconds"`
	Rounds    int             `json:"rounds"`
	Echoes    int             `json:"echoes"`
	Peers     []Peer          `json:"peers"` // the bare veth first
}

// Peer is what was measured of one peer.
type Peer struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Protects string `json:"protects,omitempty"` // how
	MTU      int    `json:"mtu"`                // of the device that traffic went through, in bytes: the peer's own default
	TCP      []TCP  `json:"tcp"`
	// RTT is the median of each round's idle echoes in microseconds, Added that less the bare veth's of the same round.
	RTT   measure.Spread `json:"idle_rtt_us"`
	Added measure.Spread `json:"added_rtt_us"`
}

// TCP is the goodput over a number of parallel connections, as the receiver counts it.
type TCP struct {
	Flows  int            `json:"flows"`
	Gbps   measure.Spread `json:"gbit_per_second"`
	OfBare measure.Spread `json:"of_veth"`            // round by round, as a share of the bare veth's
	Ratio  measure.Spread `json:"of_first,omitempty"` // round by round: the first peer's over this one's
	Resent measure.Spread `json:"retransmits"`        // segments, in a round
	// CPU is the processor time of the tunnel's programs at both ends for each byte that entered the tunnel, in nanoseconds, which is seconds a
	// gigabyte. It depends far less than throughput on what else the machine does.
	CPU measure.Spread `json:"cpu_ns_per_byte"`
}

// sample is one turn of one peer.
type sample struct {
	gbps, resent, cpu []float64 // by Options.Flows
	rtt               float64   // microseconds
	mtu               int
}

// summarise turns samples, for each peer in the order of rounds, into a Result. The first peer is the bare veth.
func summarise(r Result, flows []int, peers []Peer, samples [][]sample) Result {
	column := func(peer int, f func(s sample) float64) []float64 {
		list := make([]float64, 0, len(samples[peer]))
		for _, s := range samples[peer] {
			list = append(list, f(s))
		}
		return list
	}
	rtt := func(s sample) float64 { return s.rtt }
	for p := range peers {
		peer := peers[p]
		peer.RTT = measure.Of(column(p, rtt))
		peer.Added = measure.Of(measure.Differences(column(p, rtt), column(0, rtt)))
		if len(samples[p]) > 0 {
			peer.MTU = samples[p][0].mtu
		}
		for i, n := range flows {
			gbps := func(s sample) float64 { return s.gbps[i] }
			t := TCP{Flows: n, Gbps: measure.Of(column(p, gbps)), Resent: measure.Of(column(p, func(s sample) float64 { return s.resent[i] }))}
			t.CPU = measure.Of(column(p, func(s sample) float64 { return s.cpu[i] }))
			t.OfBare = measure.Of(measure.Ratios(column(p, gbps), column(0, gbps)))
			if len(peers) > 1 {
				t.Ratio = measure.Of(measure.Ratios(column(1, gbps), column(p, gbps)))
			}
			peer.TCP = append(peer.TCP, t)
		}
		r.Peers = append(r.Peers, peer)
	}
	return r
}

// grid is the table of a result: a head and a row for each peer.
func (r Result) grid() (g measure.Grid) {
	g.Head = []string{""}
	for _, t := range r.Peers[0].TCP {
		g.Head = append(g.Head, "TCP, "+flowsText(t.Flows)+", Gb/s", "of veth", "CPU, s/GB")
	}
	g.Head = append(g.Head, "idle round trip added, µs")
	for i, p := range r.Peers {
		row := []string{p.Name}
		for _, t := range p.TCP {
			cpu := "–"
			if i > 0 {
				cpu = t.CPU.Text(2)
			}
			row = append(row, t.Gbps.Text(2), fmt.Sprintf("%.0f %%", 100*t.OfBare.Median), cpu)
		}
		if i == 0 {
			row = append(row, fmt.Sprintf("(%.0f in all)", p.RTT.Median))
		} else {
			row = append(row, p.Added.Text(0))
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

// Markdown writes the table that bench/README.md holds, and under it all that is needed to judge it.
func (r Result) Markdown(w io.Writer) error {
	return errors.Join(r.grid().Markdown(w), r.notes(w))
}

// Text is Markdown for a terminal.
func (r Result) Text(w io.Writer) error {
	return errors.Join(r.grid().Text(w), r.notes(w))
}

// notes say how the first peer compares with each other one, and what was measured where.
func (r Result) notes(w io.Writer) error {
	var b strings.Builder
	b.WriteString("\n")
	for i, p := range r.Peers {
		for _, t := range p.TCP {
			if i > 1 {
				fmt.Fprintf(&b, "- %s over %s, TCP, %s, round by round: %s\n", r.Peers[1].Name, p.Name, flowsText(t.Flows), t.Ratio.Text(2))
			}
		}
	}
	for _, p := range r.Peers[1:] {
		fmt.Fprintf(&b, "- %s: %s, MTU %d, %s\n", p.Name, p.Protects, p.MTU, p.Version)
	}
	fmt.Fprintf(&b, "\nMedians of %d interleaved rounds of %d s, in brackets the least and the greatest; %s on %s.\n", r.Rounds, r.Seconds, r.IPerf, r.Machine)
	_, err := io.WriteString(w, b.String())
	return err
}

func flowsText(n int) string {
	if n == 1 {
		return "1 flow"
	}
	return fmt.Sprintf("%d flows", n)
}
