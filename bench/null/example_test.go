package null_test

import (
	"fmt"

	"github.com/goipsec/goipsec/bench/null"
)

// The longest inner packet leaves room for what stands around it, a UDP header and an IPv4 header.
func Example() {
	fmt.Println(1500 - 20 - 8 - null.Overhead)
	// Output: 1435
}
