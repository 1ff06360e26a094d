package memory_test

import (
	"context"
	"fmt"

	"github.com/goipsec/goipsec/bench/memory"
)

// A few SA pairs of one suite, measured in a moment.
func Example() {
	r, err := memory.Run(context.Background(), memory.Options{Suites: []string{"aes-gcm-16-128"}, SAs: 200, Rounds: 1, NoIKE: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	p := r.Pairs[0]
	fmt.Println(p.Suite, "cipher included:", p.Bytes.Median > p.Bare.Median && p.Bare.Median > 0)
	// Output: aes-gcm-16-128 cipher included: true
}
