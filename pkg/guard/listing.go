package guard

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// SchemaVersion is the version of the JSON form of a Listing. It grows when a field changes its meaning or goes away.
const SchemaVersion = 1

// Listing is the guard of one instance as the host's firewall has it.
type Listing struct {
	SchemaVersion int    `json:"schema_version"`
	Instance      string `json:"instance"`
	System        string `json:"system"` // "nftables", "pf", "wfp"
	// Lines are in the order in which they are asked, those of one direction after those of another. The first that matches decides; what none matches passes.
	Lines []Line `json:"rules"`
	// Dropped counts what the guard has dropped since it was put in force, which every reload does anew.
	Dropped Dropped `json:"dropped"`
}

// Line is one rule in force.
type Line struct {
	Direction string `json:"direction"` // "inbound", "outbound", "forwarded"
	Rule      int    `json:"rule"`      // the rule's place among those of its direction, from 1, heaviest first; 0: not from the policy
	What      string `json:"what"`      // the filter, or what passes in any case
	Verdict   string `json:"verdict"`   // "accept" or "drop"
	// Packets and Bytes count what a rule that drops has dropped, since it was put in force; where the system does not count they are 0.
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// Dropped counts packets by what dropped them: rules for what arrives or is forwarded, for what leaves or is forwarded, or that it could not be told whether a
// rule is about them.
type Dropped struct {
	Inbound    uint64 `json:"inbound"`
	Outbound   uint64 `json:"outbound"`
	Unreadable uint64 `json:"unreadable"`
}

// Add adds the counts of another guard.
func (d *Dropped) Add(o Dropped) {
	d.Inbound += o.Inbound
	d.Outbound += o.Outbound
	d.Unreadable += o.Unreadable
}

const (
	inbound, outbound, forwarded = "inbound", "outbound", "forwarded"
	accept, drop                 = "accept", "drop"
)

// String returns "accept" or "drop".
func (v Verdict) String() string {
	if v == Drop {
		return drop
	}
	return accept
}

// Drops returns the lines that drop.
func (l *Listing) Drops() []Line {
	return slices.DeleteFunc(slices.Clone(l.Lines), func(x Line) bool { return x.Verdict != drop })
}

// sort orders the lines: by direction, what is not from the policy first, then rules by weight.
func (l *Listing) sort() {
	order := map[string]int{inbound: 0, outbound: 1, forwarded: 2}
	slices.SortStableFunc(l.Lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(order[a.Direction], order[b.Direction]), cmp.Compare(a.Rule, b.Rule))
	})
}

// WriteText writes the listing as tables for a person.
func (l *Listing) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "guard of instance %s (%s): dropped %d inbound, %d outbound, %d unreadable\n", l.Instance, l.System, l.Dropped.Inbound, l.Dropped.Outbound, l.Dropped.Unreadable)
	direction := ""
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, x := range l.Lines {
		if x.Direction != direction {
			direction = x.Direction
			fmt.Fprintf(tw, "%s\nRULE\tVERDICT\tPACKETS\tBYTES\tWHAT\n", direction)
		}
		rule, packets, bytes := "-", "-", "-"
		if x.Rule > 0 {
			rule = fmt.Sprint(x.Rule)
		}
		if x.Verdict == drop {
			packets, bytes = fmt.Sprint(x.Packets), fmt.Sprint(x.Bytes)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", rule, x.Verdict, packets, bytes, x.What)
	}
	return tw.Flush()
}
