package monitor

import (
	"slices"
	"strconv"
	"strings"

	"github.com/goipsec/goipsec/pkg/endpoint"
)

func rulesTable(p *endpoint.Page, t *Table) {
	t.Columns = []Column{{Title: "Rule"}, {Title: "Action"}, {Title: "Filters", Number: true, Rank: 3}, {Title: "Mode", Rank: 2}, {Title: "Tunnel", Rank: 4},
		{Title: "Authentication", Rank: 1}, {Title: "Policy", Rank: 6}, {Title: "Options", Rank: 5}}
	for _, r := range p.Rules {
		auth := strings.Join(r.Auth, ", ")
		if r.Manual {
			auth = "manual keys"
		}
		t.add(r.Place+r.Name, []string{r.Name, r.Action, strconv.Itoa(r.Filters), r.Mode, r.Tunnel, auth, r.Policy, strings.Join(r.Options, ", ")}, Field{"Place", r.Place})
	}
}

func mainModeFilterTable(p *endpoint.Page, t *Table) {
	t.Columns = []Column{{Title: "Source", Whole: true}, {Title: "Destination", Whole: true}, {Title: "Way", Rank: 4}, {Title: "Authentication", Rank: 3}, {Title: "Weight", Rank: 2, Whole: true},
		{Title: "Rule", Rank: 1}, {Title: "IKE policy", Rank: 5}}
	for i, f := range p.Filters {
		t.add(strconv.Itoa(p.Offset+i), []string{f.Source, f.Destination, way(f.Direction), strings.Join(f.Auth, ", "), f.Weight, f.Rule, f.Policy},
			Field{"Tunnel", f.Tunnel}, Field{"Place", f.Place})
	}
	if len(p.Filters) > 0 && p.Filters[0].Weight == "" {
		t.drop("Weight")
	}
}

func quickModeFilterTable(p *endpoint.Page, t *Table) {
	t.Columns = []Column{{Title: "Source", Whole: true}, {Title: "Destination", Whole: true}, {Title: "Protocol", Rank: 5}, {Title: "Src port", Rank: 7}, {Title: "Dst port", Rank: 6},
		{Title: "Way", Rank: 3}, {Title: "Action", Rank: 1}, {Title: "Weight", Rank: 2, Whole: true}, {Title: "Rule", Rank: 4}, {Title: "Policy", Rank: 8}, {Title: "Tunnel", Rank: 9}}
	for i, f := range p.Filters {
		t.add(strconv.Itoa(p.Offset+i), []string{f.Source, f.Destination, protocolName(f.Protocol), f.SourcePort, f.DestinationPort, way(f.Direction), f.Action, f.Weight, f.Rule,
			f.Policy, f.Tunnel}, Field{"Tunnel", f.Tunnel}, Field{"Place", f.Place})
	}
	// Generic filters have no weight; of specific ones, which need room for it, the tunnel is a detail.
	if len(p.Filters) > 0 && p.Filters[0].Weight == "" {
		t.drop("Weight")
	} else {
		t.drop("Tunnel")
	}
}

// drop takes a column away; generic filters have no weight.
func (t *Table) drop(title string) {
	n := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Title == title })
	t.Columns = slices.Delete(t.Columns, n, n+1)
	for i := range t.Rows {
		r := &t.Rows[i]
		r.Cells, r.Details = slices.Delete(r.Cells, n, n+1), slices.Delete(r.Details, n, n+1)
	}
}

// way is a direction in few letters.
func way(direction string) string { return strings.TrimSuffix(direction, "bound") }

// protocolName gives the numbers that everybody knows their names.
func protocolName(n string) string {
	if name, ok := map[string]string{"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6"}[n]; ok {
		return name
	}
	return n
}

func methodsTable(p *endpoint.Page, t *Table) {
	t.Columns = []Column{{Title: "Policy"}, {Title: "Order", Number: true, Rank: 4}, {Title: "Method", Whole: true}, {Title: "Lifetime", Rank: 1}, {Title: "PFS", Rank: 2}, {Title: "Rules", Number: true, Rank: 5},
		{Title: "Weak", Rank: 3}}
	for i, x := range p.Methods {
		pfs := x.PFS
		if x.QuickModes == 1 {
			pfs = "master key"
		}
		r := t.add(strconv.Itoa(p.Offset+i), []string{x.Policy, strconv.Itoa(x.Order), x.Name, lifetime(x), pfs, strconv.Itoa(x.Rules), strings.Join(x.Weak, "; ")},
			Field{"Quick modes per main mode", orEmpty(uint64(x.QuickModes))})
		r.Alarm = len(x.Weak) > 0
	}
}

func lifetime(m endpoint.MethodEntry) string {
	s := elapsed(uint64(m.Seconds))
	if m.Kilobytes > 0 {
		s += " or " + kilobytes(uint64(m.Kilobytes))
	}
	return s
}
