package classify_test

import (
	"fmt"

	"github.com/goipsec/goipsec/bench/classify"
)

// A thousand filters between two hosts are measured, and every answer is held to the truth.
func Example() {
	r, err := classify.Run(classify.Options{Pairs: 1000, Packets: 2000, Rounds: 3, Verify: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Rules, "filters,", r.Hits, "hits,", r.Verified.Wrong, "wrong")
	// Output: 1000 filters, 2000 hits, 0 wrong
}
