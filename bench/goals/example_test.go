package goals_test

import (
	"fmt"

	"github.com/goipsec/goipsec/bench/goals"
	"github.com/goipsec/goipsec/bench/measure"
	"github.com/goipsec/goipsec/bench/memory"
)

// Results are judged row by row; what was not measured says so.
func Example() {
	r := &goals.Results{Memory: &memory.Result{Pairs: []memory.Pair{{Suite: "aes-gcm-16-128", Bytes: measure.Of([]float64{3072, 3072, 3100})}}}}
	rows := goals.Judge(r)
	last := rows[len(rows)-1]
	fmt.Println(last.Goal, last.Must, last.Text, last.Met)
	fmt.Println(rows[0].Goal, rows[0].Met, "because", rows[0].Why)
	// Output:
	// memory of an SA pair among 100,000 ≤ 4 KB 3.00 KB (3.00 – 3.03) must
	// TCP, 1 flow, AES-128-GCM in UDP not measured because it was not measured
}
