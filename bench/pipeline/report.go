package pipeline

import (
	"errors"
	"fmt"
	"io"

	"github.com/goipsec/goipsec/bench/measure"
	"github.com/goipsec/goipsec/bench/plot"
)

// bytes says how large the packets of a case are, and whether they come in superpackets.
func (c Case) bytes() string {
	if c.Kind == Superpackets {
		return fmt.Sprintf("%d × %d", segments, c.Size)
	}
	return fmt.Sprint(c.Size)
}

func (r Result) grid() measure.Grid {
	g := measure.Grid{Head: []string{"suite", "SAs", "bytes", "cipher", "outbound, ns", "raw seal, ns", "outbound of raw", "inbound, ns", "raw open, ns", "inbound of raw", "allocations"}}
	for _, c := range r.Cases {
		row := []string{c.Suite, fmt.Sprint(c.SAs), c.bytes(), string(c.Cipher)}
		for _, w := range []Way{c.Out, c.In} {
			row = append(row, w.Path.Text(0), fmt.Sprintf("%.0f", w.Raw.Median), fmt.Sprintf("%.2f", w.Ratio.Median))
		}
		g.Rows = append(g.Rows, append(row, fmt.Sprintf("%.2f, %.2f", c.Out.Allocs.Median, c.In.Allocs.Median)))
	}
	return g
}

func (r Result) notes(w io.Writer) error {
	_, err := fmt.Fprintf(w, "\nA packet's whole way through the data plane in memory, with the cipher named, and beside it always the bare cipher of Go's libraries; %d × %d are TCP superpackets, which are cut, checked and joined on the way, by the packet; "+
		"medians of %d interleaved rounds of %d packets, in brackets the least and the greatest; allocations a packet out, in; %s.\n",
		segments, superSize, r.Rounds, r.Packets, r.Machine)
	return err
}

// Markdown writes the table that bench/README.md holds, and what is needed to judge it.
func (r Result) Markdown(w io.Writer) error {
	return errors.Join(r.grid().Markdown(w), r.notes(w))
}

// Text is Markdown for a terminal.
func (r Result) Text(w io.Writer) error {
	return errors.Join(r.grid().Text(w), r.notes(w))
}

// Charts are the nanoseconds a packet of the path and of the bare cipher, a chart for each suite and direction.
func (r Result) Charts() (list []plot.Chart) {
	at := map[string]int{}
	for _, c := range r.Cases {
		what := c.bytes() + " bytes"
		if c.SAs > 1 {
			what += fmt.Sprintf(", %d SAs", c.SAs)
		}
		for _, w := range []struct {
			Way
			direction, cipher string
		}{{c.Out, "outbound", "raw seal"}, {c.In, "inbound", "raw open"}} {
			title := c.Suite + ", " + w.direction
			i, ok := at[title]
			if !ok {
				i = len(list)
				at[title] = i
				list = append(list, plot.Chart{File: fmt.Sprintf("pipeline-%02d", i), Title: "In memory: " + title, Unit: "ns a packet",
					Note: fmt.Sprintf("medians of %d interleaved rounds, least and greatest; %s", r.Rounds, r.Machine)})
			}
			list[i].Bars = append(list[i].Bars, plot.Bar{Name: w.direction + ", " + what, Value: w.Path, Own: true}, plot.Bar{Name: w.cipher + ", " + what, Value: w.Raw})
		}
	}
	return list
}
