package buffer_test

import (
	"fmt"

	"github.com/goipsec/goipsec/pkg/suite/internal/buffer"
)

// Output is appended to what is there; additional data must not lie where it goes.
func Example() {
	b := make([]byte, 4, 8)
	whole, tail := buffer.Grow(b, 3)
	fmt.Println(len(whole), len(tail), buffer.Overlap(tail, b), buffer.Overlap(whole, b))
	// Output: 7 3 false true
}
