package metrics_test

import (
	"fmt"
	"os"

	"github.com/goipsec/goipsec/pkg/metrics"
)

// What a scrape gets while no endpoint answers.
func Example() {
	if err := metrics.Unreachable(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// # HELP goipsec_up Whether the endpoint answers.
	// # TYPE goipsec_up gauge
	// goipsec_up 0
}
