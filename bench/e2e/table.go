package e2e

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/goipsec/goipsec/bench/measure"
)

// grids are the tables of a result, a row for each peer in each: streams, single datagrams, and what there is once for each peer.
func (r Result) grids() (list []measure.Grid) {
	if len(r.Peers[0].TCP) > 0 {
		list = append(list, r.streams())
	}
	if len(r.Peers[0].UDP) > 0 {
		list = append(list, r.datagrams())
	}
	return append(list, r.waits())
}

func (r Result) streams() (g measure.Grid) {
	g.Head = []string{""}
	for _, t := range r.Peers[0].TCP {
		g.Head = append(g.Head, "TCP, "+flowsText(t.Flows)+", Gb/s", "of veth", "CPU, s/GB", "µs a packet")
	}
	for i, p := range r.Peers {
		row := []string{p.Name}
		for _, t := range p.TCP {
			cpu, packet := "–", "–"
			if i > 0 {
				cpu, packet = t.CPU.Text(2), fmt.Sprintf("%.2f", t.CPU.Median*float64(p.MTU)/1000)
			}
			row = append(row, t.Gbps.Text(2), percent(t.OfBare.Median), cpu, packet)
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

func (r Result) datagrams() (g measure.Grid) {
	g.Head = []string{""}
	for _, u := range r.Peers[0].UDP {
		unit := "1000 packets/s"
		if u.Size > 1000 {
			unit = "Gb/s"
		}
		g.Head = append(g.Head, fmt.Sprintf("UDP, %d bytes, %s, %s", u.Size, flowsText(u.Flows), unit), "lost", "CPU, µs a packet")
	}
	for i, p := range r.Peers {
		if len(p.UDP) == 0 {
			continue
		}
		row := []string{p.Name}
		for _, u := range p.UDP {
			rate, cpu := u.Gbps.Text(2), "–"
			if u.Size <= 1000 {
				rate = u.Rate.Times(1e-3).Text(0)
			}
			if i > 0 {
				cpu = u.CPU.Text(2)
			}
			row = append(row, rate, fmt.Sprintf("%.1f %%", 100*u.Lost.Median), cpu)
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

func (r Result) waits() (g measure.Grid) {
	g.Head = []string{"", "idle round trip added, µs"}
	loaded, called := false, false
	for _, p := range r.Peers {
		loaded = loaded || len(p.Load.P99.Samples) > 0
		called = called || len(p.Calls.TCP.Samples) > 0 || p.Calls.Missing != ""
	}
	if loaded {
		g.Head = append(g.Head, "round trip under TCP load, median, ms", "p99, ms")
	}
	if called {
		g.Head = append(g.Head, "system calls for 1000 packets, TCP", "UDP, 64 bytes")
	}
	for i, p := range r.Peers {
		row := []string{p.Name, p.Added.Text(0)}
		if i == 0 {
			row[1] = fmt.Sprintf("(%.0f in all)", p.RTT.Median)
		}
		if loaded {
			row = append(row, p.Load.Median.Times(1e-3).Text(2), p.Load.P99.Times(1e-3).Text(2))
		}
		if called {
			row = append(row, p.Calls.TCP.Text(0), p.Calls.UDP.Text(0))
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// Markdown writes the tables that bench/README.md holds, and under them all that is needed to judge them.
func (r Result) Markdown(w io.Writer) error { return r.write(w, measure.Grid.Markdown) }

// Text is Markdown for a terminal.
func (r Result) Text(w io.Writer) error { return r.write(w, measure.Grid.Text) }

func (r Result) write(w io.Writer, as func(measure.Grid, io.Writer) error) error {
	var errs []error
	for i, g := range r.grids() {
		if i > 0 {
			_, err := io.WriteString(w, "\n")
			errs = append(errs, err)
		}
		errs = append(errs, as(g, w))
	}
	return errors.Join(append(errs, r.notes(w))...)
}

// notes say how the first peer compares with each other one, what went wrong, and what was measured where.
func (r Result) notes(w io.Writer) error {
	var b strings.Builder
	b.WriteString("\n")
	for _, p := range r.Peers[min(2, len(r.Peers)):] {
		if text := p.compared(); text != "" {
			fmt.Fprintf(&b, "- %s over %s, round by round: %s\n", r.Peers[1].Name, p.Name, text)
		}
	}
	for _, p := range r.Peers {
		for _, u := range p.UDP {
			if u.Duplicates+u.Reordered+u.Corrupt+u.Foreign > 0 {
				fmt.Fprintf(&b, "- **%s, UDP, %d bytes, %s: %d datagrams corrupt, %d foreign, %d twice, %d behind a later one of their flow**\n",
					p.Name, u.Size, flowsText(u.Flows), u.Corrupt, u.Foreign, u.Duplicates, u.Reordered)
			}
		}
		if p.Load.Lost > 0 {
			fmt.Fprintf(&b, "- %s: %d echoes under load had no answer within a second and count as one second\n", p.Name, p.Load.Lost)
		}
		if p.Calls.Missing != "" {
			fmt.Fprintf(&b, "- %s: %s\n", p.Name, p.Calls.Missing)
		}
	}
	for _, why := range r.Again {
		why, _, _ = strings.Cut(why, "\n")
		fmt.Fprintf(&b, "- **a turn failed and was taken once more: %s**\n", why)
	}
	for _, p := range r.Peers[1:] {
		fmt.Fprintf(&b, "- %s: %s, MTU %d, %s\n", p.Name, p.Protects, p.MTU, p.Version)
	}
	if len(r.Peers[0].UDP) > 0 {
		way := "the sender flat out"
		if r.Window > 0 {
			way = fmt.Sprintf("at most %d datagrams under way", r.Window)
		}
		fmt.Fprintf(&b, "- UDP: %s; what arrived was held against what was sent: whole, once, in the order of its flow, unless a line above says otherwise\n", way)
	}
	where := r.Machine.String()
	if r.IPerf != "" { // TCP was measured
		where = r.IPerf + " on " + where
	}
	fmt.Fprintf(&b, "\nMedians of %d interleaved rounds of %d s, in brackets the least and the greatest; %s.\n", r.Rounds, r.Seconds, where)
	if r.IdleRounds > 0 {
		fmt.Fprintf(&b, "The idle round trips of %s are medians of %d rounds, %d of which had nothing else.\n", strings.Join(r.IdlePeers, ", "), r.Rounds+r.IdleRounds, r.IdleRounds)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// compared is the first peer's throughput over this one's.
func (p Peer) compared() string {
	var list []string
	for _, t := range p.TCP {
		list = append(list, "TCP, "+flowsText(t.Flows)+", "+t.Ratio.Text(2))
	}
	for _, u := range p.UDP {
		list = append(list, fmt.Sprintf("UDP, %d bytes, %s, %s", u.Size, flowsText(u.Flows), u.Ratio.Text(2)))
	}
	return strings.Join(list, "; ")
}

func flowsText(n int) string {
	if n == 1 {
		return "1 flow"
	}
	return fmt.Sprintf("%d flows", n)
}
