package pipeline_test

import (
	"context"
	"fmt"

	"github.com/goipsec/goipsec/bench/pipeline"
)

// One suite and one size, measured in a moment.
func Example() {
	r, err := pipeline.Run(context.Background(), pipeline.Options{Suites: []string{"aes-gcm-16-128"}, SAs: []int{1}, Sizes: []int{1420}, Packets: 256, Rounds: 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := r.Cases[0]
	fmt.Println(c.Suite, c.Size, "bytes: measured", len(c.Out.Ratio.Samples), "times, cipher included:", c.Out.Path.Median > 0)
	// Output: aes-gcm-16-128 1420 bytes: measured 3 times, cipher included: true
}
