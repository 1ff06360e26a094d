package goals

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/goipsec/goipsec/bench/classify"
	"github.com/goipsec/goipsec/bench/measure"
	"github.com/goipsec/goipsec/bench/plot"
)

func (r Report) grid() measure.Grid {
	g := measure.Grid{Head: []string{"", "must", "aim", "measured", "met"}}
	for _, row := range r.Goals {
		g.Rows = append(g.Rows, []string{row.Goal, row.Must, row.Aim, row.Text, string(row.Met)})
	}
	return g
}

// notes say how many goals are met, and why some were not measured.
func (r Report) notes(w io.Writer) error {
	count, why := map[Met]int{}, map[string][]string{}
	for _, row := range r.Goals {
		count[row.Met]++
		if row.Why != "" {
			why[row.Why] = append(why[row.Why], row.Goal)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nOf %d goals %d reach their aim, %d more what must be; %d do not, and %d were not measured.\n", len(r.Goals), count[AimMet], count[MustMet], count[NotMet], count[Unmeasured])
	for _, reason := range slices.Sorted(maps.Keys(why)) {
		fmt.Fprintf(&b, "- not measured, because %s: %s\n", reason, strings.Join(why[reason], "; "))
	}
	b.WriteString("\nMedians over interleaved rounds are judged, in brackets the least and the greatest. W is the faster of wireguard-go and Tailscale's fork in each round, N the null forwarder; ")
	fmt.Fprintf(&b, "TupleMerge's figures are from its authors' program on the reference machine and not of this run; %s.\n", r.Machine)
	if e := r.Results.E2E; e != nil && e.IdleRounds > 0 {
		fmt.Fprintf(&b, "Idle round trips are judged over %d rounds, the rest of whole tunnels over %d.\n", e.Rounds+e.IdleRounds, e.Rounds)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Text writes the goals for a terminal.
func (r Report) Text(w io.Writer) error {
	return errors.Join(r.grid().Text(w), r.notes(w))
}

// Markdown writes the goals, and behind them the whole results of each part.
func (r Report) Markdown(w io.Writer) error {
	errs := []error{r.grid().Markdown(w), r.notes(w)}
	for _, p := range Parts() {
		if t := r.Results.table(p); t != nil {
			_, err := fmt.Fprintf(w, "\n### %s\n\n", p)
			errs = append(errs, err, t.Markdown(w))
		}
	}
	return errors.Join(errs...)
}

// table is the result of a part, or nil.
func (r *Results) table(p Part) interface{ Markdown(w io.Writer) error } {
	if r.missing(p) != "" {
		return nil
	}
	switch p {
	case E2E:
		return r.E2E
	case Pipeline:
		return r.Pipeline
	case Handshake:
		return r.Handshake
	case Memory:
		return r.Memory
	}
	return r.lookups()
}

// lookups is a row for each set of filters.
func (r *Results) lookups() measure.Grid {
	g := measure.Grid{Head: []string{"filters", "ns a look-up", "32 packets together", "build, ms", "bytes a filter", "µs a change"}}
	for _, name := range slices.Sorted(maps.Keys(r.Classify)) {
		c := r.Classify[name]
		change := "–"
		if c.Changes != nil {
			change = c.Changes.Each.Times(1e-3).Text(1)
		}
		ns := func(s classify.Spread) string { return fmt.Sprintf("%.0f (%.0f – %.0f)", s.Median, s.Min, s.Max) }
		g.Rows = append(g.Rows, []string{name, ns(c.Lookup), ns(c.Together), fmt.Sprintf("%.0f", float64(c.BuildNS)/1e6), fmt.Sprintf("%.0f", c.PerRule), change})
	}
	return g
}

// Charts are those of the parts that have some.
func (r Report) Charts() (list []plot.Chart) {
	if r.Results.Pipeline != nil {
		list = append(list, r.Results.Pipeline.Charts()...)
	}
	if len(r.Results.Classify) > 0 {
		c := plot.Chart{File: "classify", Title: "A look-up", Unit: "ns", Note: r.Machine.String()}
		for _, name := range slices.Sorted(maps.Keys(r.Results.Classify)) {
			s := r.Results.Classify[name].Lookup
			c.Bars = append(c.Bars, plot.Bar{Name: name, Own: true, Value: measure.Spread{Median: s.Median, Min: s.Min, Max: s.Max, Samples: []float64{s.Min, s.Median, s.Max}}})
			if reference, ok := references[name]; ok {
				c.Bars = append(c.Bars, plot.Bar{Name: name + ", TupleMerge", Value: measure.Of([]float64{reference})})
			}
		}
		list = append(list, c)
	}
	if r.Results.E2E != nil {
		list = append(list, r.Results.E2E.Charts()...)
	}
	return list
}
