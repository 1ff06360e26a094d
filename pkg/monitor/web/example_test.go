package web_test

import (
	"fmt"

	"github.com/goipsec/goipsec/pkg/monitor/web"
)

// Only loopback addresses are listened on.
func Example() {
	_, err := web.Listen("0.0.0.0:8080")
	fmt.Println(err != nil)
	// Output: true
}
