package inspect

import (
	"fmt"
	"io"
	"strings"

	"github.com/goipsec/goipsec/pkg/policy"
)

// DiffView is what changes when one policy takes the place of another.
type DiffView struct {
	SchemaVersion int                `json:"schema_version"`
	From          DiffEnd            `json:"from"`
	To            DiffEnd            `json:"to"`
	Same          bool               `json:"same"`
	Policy        []string           `json:"policy"` // what changes for all rules
	Filters       []FilterChangeView `json:"filters"`
	Unchanged     int                `json:"unchanged_filters"`
	// DroppedSAs are the filters whose quick-mode SAs would end, DroppedPeers the address pairs whose main-mode SAs would.
	DroppedSAs   []DroppedView `json:"dropped_quick_mode_sas"`
	DroppedPeers []DroppedView `json:"dropped_main_mode_sas"`
}

// DiffEnd names one of the two policies.
type DiffEnd struct {
	File   string `json:"file"`
	Policy string `json:"policy"`
}

// FilterChangeView is one specific filter that is added, removed or changed.
type FilterChangeView struct {
	Change    string      `json:"change"`    // "added", "removed", "changed"
	Direction string      `json:"direction"` // "outbound", "inbound", or "both" for a filter and its counterpart
	Filter    string      `json:"filter"`
	Before    *ChangeSide `json:"before,omitempty"`
	After     *ChangeSide `json:"after,omitempty"`
	What      []string    `json:"what,omitempty"`
}

// ChangeSide is what one policy does with a filter.
type ChangeSide struct {
	Action string `json:"action"`
	Rule   string `json:"rule"`
	Place  string `json:"place"`
}

// DroppedView names what ends.
type DroppedView struct {
	Filter string `json:"filter"`
	Rule   string `json:"rule"`
}

// ViewDiff makes the view of a difference.
func ViewDiff(from, to DiffEnd, d *policy.Difference) DiffView {
	v := DiffView{SchemaVersion: SchemaVersion, From: from, To: to, Same: d.Same(), Policy: d.Policy, Unchanged: d.Unchanged}
	for i := range d.Filters {
		v.Filters = append(v.Filters, viewChange(&d.Filters[i]))
	}
	for _, f := range d.Dropped {
		v.DroppedSAs = append(v.DroppedSAs, DroppedView{FilterText(f.Filter), f.Rule.Name})
	}
	for _, m := range d.DroppedPeers {
		v.DroppedPeers = append(v.DroppedPeers, DroppedView{FilterText(m.Filter()), m.Rule.Name})
	}
	return v
}

func viewChange(c *policy.FilterChange) FilterChangeView {
	v := FilterChangeView{Change: "changed", Direction: "both", What: c.What, Before: side(c.Before), After: side(c.After)}
	shown := c.After
	switch {
	case c.Before == nil:
		v.Change = "added"
	case c.After == nil:
		v.Change, shown = "removed", c.Before
	}
	switch {
	case !c.Inbound:
		v.Direction = "outbound"
	case !c.Outbound:
		v.Direction = "inbound"
	}
	v.Filter = FilterText(shown.Filter)
	return v
}

func side(f *policy.QuickModeFilter) *ChangeSide {
	if f == nil {
		return nil
	}
	return &ChangeSide{Action: f.Action.String(), Rule: f.Rule.Name, Place: f.Source().String()}
}

// mostChanges bounds each list that a person is shown; a program gets all.
const mostChanges = 200

// WriteText writes the view for a person: "+" for what is added, "-" for what is removed, "~" for what changes its meaning.
func (v DiffView) WriteText(w io.Writer) error {
	p := &printer{w: w}
	p.line("policy %q of %s -> policy %q of %s", v.From.Policy, v.From.File, v.To.Policy, v.To.File)
	if v.Same {
		p.line("nothing changes: %d filters mean the same", v.Unchanged)
		return p.err
	}
	for _, s := range v.Policy {
		p.line("~ %s", s)
	}
	count := map[string]int{}
	for i, c := range v.Filters {
		if count[c.Change]++; i < mostChanges {
			c.write(p)
		}
	}
	more(p, len(v.Filters))
	p.line("filters: %d added, %d removed, %d changed, %d the same", count["added"], count["removed"], count["changed"], v.Unchanged)
	drops(p, "quick-mode", v.DroppedSAs)
	drops(p, "main-mode", v.DroppedPeers)
	return p.err
}

func (c FilterChangeView) write(p *printer) {
	direction := map[string]string{"both": "", "outbound": " (outbound)", "inbound": " (inbound)"}[c.Direction]
	switch {
	case c.Before == nil:
		p.line("+ %s%s: %s, by rule %q (%s)", c.Filter, direction, c.After.Action, c.After.Rule, c.After.Place)
	case c.After == nil:
		p.line("- %s%s: %s, by rule %q (%s)", c.Filter, direction, c.Before.Action, c.Before.Rule, c.Before.Place)
	default:
		rules := fmt.Sprintf("rule %q", c.Before.Rule)
		if c.Before.Rule != c.After.Rule {
			rules += fmt.Sprintf(" -> rule %q", c.After.Rule)
		}
		p.line("~ %s%s: %s (%s)\n    %s", c.Filter, direction, rules, c.After.Place, strings.Join(c.What, "\n    "))
	}
}

func drops(p *printer, mode string, list []DroppedView) {
	if len(list) == 0 {
		p.line("%s SAs: all stay", mode)
		return
	}
	p.line("%s SAs that end, if they are up: those of", mode)
	for _, d := range list[:min(len(list), mostChanges)] {
		p.line("  %s, by rule %q", d.Filter, d.Rule)
	}
	more(p, len(list))
}

// more says how much of a list was left out.
func more(p *printer, n int) {
	if n > mostChanges {
		p.line("  … and %d more, which --json lists", n-mostChanges)
	}
}
