package pipeline

import (
	"fmt"

	"github.com/goipsec/goipsec/bench/plot"
)

// Charts are the nanoseconds a packet of the path and of the bare cipher, a chart for each suite and direction.
func (r Result) Charts() (list []plot.Chart) {
	at := map[string]int{}
	for _, c := range r.Cases {
		for _, w := range []struct {
			Way
			direction, cipher string
		}{{c.Out, "outbound", "raw seal"}, {c.In, "inbound", "raw open"}} {
			title := c.Suite + ", " + w.direction
			i, ok := at[title]
			if !ok {
				i = len(list)
				at[title] = i
				list = append(list, plot.Chart{File: "pipeline-" + fmt.Sprintf("%02d", i), Title: "In memory: " + title, Unit: "ns a packet",
					Note: fmt.Sprintf("medians of %d interleaved rounds, least and greatest; %s", r.Rounds, r.Machine)})
			}
			list[i].Bars = append(list[i].Bars, plot.Bar{Name: fmt.Sprintf("%s, %d bytes", w.direction, c.Size), Value: w.Path, Own: true},
				plot.Bar{Name: fmt.Sprintf("%s, %d bytes", w.cipher, c.Size), Value: w.Raw})
		}
	}
	return list
}
