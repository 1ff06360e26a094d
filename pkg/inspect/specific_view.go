package inspect

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/goipsec/goipsec/pkg/policy"
)

// SpecificView is what a policy expands into on one host: weighted filters, heaviest first.
type SpecificView struct {
	SchemaVersion int                  `json:"schema_version"`
	Policy        string               `json:"policy"`
	MainMode      []MainModeFilterView `json:"main_mode_filters"`
	Outbound      []SpecificFilterView `json:"outbound_filters"`
	Inbound       []SpecificFilterView `json:"inbound_filters"`
	Warnings      []string             `json:"warnings"`
}

// MainModeFilterView is one main-mode filter.
type MainModeFilterView struct {
	Weight string `json:"weight"`
	Local  string `json:"local"`
	Remote string `json:"remote"`
	Rule   string `json:"rule"`
}

// SpecificFilterView is one quick-mode filter, in the direction of its list.
type SpecificFilterView struct {
	ID     string `json:"-"`      // means nothing outside this process: see policy.Rule.Meaning
	Weight string `json:"weight"` // sorts as text; see classifier.Filter.Weight
	Filter string `json:"filter"`
	Action string `json:"action"`
	Rule   string `json:"rule"`
	Place  string `json:"place"`
}

// ViewSpecific makes the view of an expanded policy.
func ViewSpecific(c *policy.Compiled) SpecificView {
	v := SpecificView{SchemaVersion: SchemaVersion, Policy: c.Policy.Name, Outbound: viewFilters(c.Outbound), Inbound: viewFilters(c.Inbound), Warnings: c.Warnings}
	for _, m := range c.MainMode {
		v.MainMode = append(v.MainMode, MainModeFilterView{Weight: m.Weight(), Local: m.Local.String(), Remote: m.Remote.String(), Rule: m.Rule.Name})
	}
	return v
}

func viewFilters(list []*policy.QuickModeFilter) []SpecificFilterView {
	out := make([]SpecificFilterView, len(list))
	for i, f := range list {
		out[i] = viewFilter(f)
	}
	return out
}

func viewFilter(f *policy.QuickModeFilter) SpecificFilterView {
	return SpecificFilterView{ID: f.ID, Weight: f.Weight(), Filter: FilterText(f.Filter), Action: f.Action.String(), Rule: f.Rule.Name, Place: f.Source().String()}
}

// weightLegend tells what the fields of a weight are.
const weightLegend = "weight: hosts.subnets.prefix bits.range.protocol.destination port.source port; the first field that differs decides, more is heavier"

// WriteText writes tables for a person.
func (v SpecificView) WriteText(w io.Writer) error {
	p := &printer{w: w}
	p.line("policy %q, specific filters, heaviest first", v.Policy)
	p.line("%s", weightLegend)
	p.line("\nmain-mode filters: %d", len(v.MainMode))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(v.MainMode) > 0 {
		fmt.Fprintln(t, "  WEIGHT\tLOCAL\tREMOTE\tRULE")
	}
	for _, m := range v.MainMode {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", m.Weight, m.Local, m.Remote, m.Rule)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, list := range []struct {
		name    string
		filters []SpecificFilterView
	}{{"outbound", v.Outbound}, {"inbound", v.Inbound}} {
		p.line("\n%s quick-mode filters: %d", list.name, len(list.filters))
		if err := writeFilters(w, list.filters); err != nil {
			return err
		}
	}
	for _, s := range v.Warnings {
		p.line("warning: %s", s)
	}
	return p.err
}

func writeFilters(w io.Writer, filters []SpecificFilterView) error {
	if len(filters) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  WEIGHT\tFILTER\tACTION\tRULE")
	for _, f := range filters {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", f.Weight, f.Filter, f.Action, f.Rule)
	}
	return t.Flush()
}
