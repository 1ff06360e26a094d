package monitor_test

import (
	"fmt"

	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/monitor"
)

// A view asks for a list and makes rows of text of the answer.
func Example() {
	view, _ := monitor.ByID("quick-mode-specific-filters")
	fmt.Println(view.Group, view.Title, view.Query("web", 0, 50).List)
	answer := endpoint.Page{Total: 9, Matched: 1, Filters: []endpoint.FilterEntry{{Rule: "web", Source: "192.0.2.1", Destination: "any4", Protocol: "6",
		SourcePort: "any", DestinationPort: "443", Direction: "outbound", Weight: "1.0.032.0.1.65536.00000", Action: "permit"}}}
	table := view.Table(&answer, "web")
	fmt.Println(table.Columns[0].Title, table.Rows[0].Cells[0], table.Rows[0].Cells[2])
	// Output:
	// Quick mode Specific filters quick-mode-specific-filters
	// Source 192.0.2.1 tcp
}
