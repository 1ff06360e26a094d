package endpoint_test

import (
	"fmt"

	"github.com/goipsec/goipsec/pkg/endpoint"
)

// An endpoint without a policy is refused.
func Example() {
	_, err := endpoint.New(endpoint.Options{})
	fmt.Println(err)
	// Output: endpoint: no policy is assigned
}
