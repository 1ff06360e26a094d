package demo_test

import (
	"context"
	"fmt"

	"github.com/goipsec/goipsec/pkg/demo"
)

// Run moves traffic between two endpoints and judges what was on the wire.
func Example() {
	report, err := demo.Run(context.Background(), demo.Options{Bytes: 64 << 10, Pings: 1})
	fmt.Println(report.OK, report.Moved, err)
	// Output: true 131072 <nil>
}
