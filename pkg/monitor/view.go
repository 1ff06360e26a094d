package monitor

import "github.com/goipsec/goipsec/pkg/endpoint"

// View is one thing to look at.
type View struct {
	ID    string // stands in addresses of the web page: main-mode-statistics
	Group string // "Policy", "Main mode", "Quick mode", "Events", "Failures"
	Title string
	Short string // the title where there is little room
	// Static views show what follows from the policy alone: they change with it only.
	Static bool

	list  endpoint.ListName
	table func(*endpoint.Page, *Table)
}

// Views are all there are, in the order in which they are shown; those of one group stand together.
var Views = []View{
	{"policy", "Policy", "Active policy", "Active policy", false, endpoint.ListRules, rulesTable},
	{"main-mode-generic-filters", "Main mode", "Generic filters", "Generic", true, endpoint.ListMainModeGeneric, mainModeFilterTable},
	{"main-mode-specific-filters", "Main mode", "Specific filters", "Specific", true, endpoint.ListMainModeSpecific, mainModeFilterTable},
	{"main-mode-policies", "Main mode", "IKE policies", "Policies", true, endpoint.ListMainModePolicies, methodsTable},
	{"main-mode-statistics", "Main mode", "Statistics", "Statistics", false, endpoint.ListOverview, mainModeStatisticsTable},
	{"main-mode-sas", "Main mode", "Security associations", "SAs", false, endpoint.ListMainModeSAs, peersTable},
	{"quick-mode-generic-filters", "Quick mode", "Generic filters", "Generic", true, endpoint.ListQuickModeGeneric, quickModeFilterTable},
	{"quick-mode-specific-filters", "Quick mode", "Specific filters", "Specific", true, endpoint.ListQuickModeSpecific, quickModeFilterTable},
	{"quick-mode-policies", "Quick mode", "Negotiation policies", "Policies", true, endpoint.ListQuickModePolicies, methodsTable},
	{"quick-mode-statistics", "Quick mode", "Statistics", "Statistics", false, endpoint.ListOverview, quickModeStatisticsTable},
	{"traffic", "Quick mode", "Traffic and drops", "Traffic", false, endpoint.ListOverview, trafficTable},
	{"quick-mode-sas", "Quick mode", "Security associations", "SAs", false, endpoint.ListQuickModeSAs, childrenTable},
	{"soft-sas", "Quick mode", "Soft SAs", "Soft", false, endpoint.ListSoftSAs, softTable},
	{"dynamic-filters", "Quick mode", "Dynamic filters", "Dynamic", false, endpoint.ListDynamic, dynamicTable},
	{"events", "Events", "Events", "Events", false, endpoint.ListEvents, eventsTable},
	{"failures", "Failures", "Failures", "Failures", false, endpoint.ListFailures, failuresTable},
}

// ByID finds a view.
func ByID(id string) (View, bool) {
	for _, v := range Views {
		if v.ID == id {
			return v, true
		}
	}
	return View{}, false
}

// Query asks for what the view shows, from offset on. Views of figures have no more than one page.
func (v View) Query(search string, offset, limit int) endpoint.Query {
	if v.list == endpoint.ListOverview {
		return endpoint.Query{List: v.list}
	}
	return endpoint.Query{List: v.list, Search: search, Offset: offset, Limit: limit}
}

// Table makes the view of the answer to its Query. search is that of the query: what the endpoint could not search is searched here.
func (v View) Table(p *endpoint.Page, search string) Table {
	t := Table{Total: p.Total, Matched: p.Matched, Offset: p.Offset}
	v.table(p, &t)
	if v.list == endpoint.ListOverview {
		t.Total = len(t.Rows)
		t.keep(search)
		t.Matched = len(t.Rows)
	}
	t.clean()
	return t
}
