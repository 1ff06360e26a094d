package e2e_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/goipsec/goipsec/bench/e2e"
)

// What cannot be measured is refused before anything is started.
func Example() {
	_, err := e2e.Run(context.Background(), e2e.Options{Peers: []string{"goipsec", "carrier-pigeon"}})
	fmt.Println(errors.Is(err, e2e.ErrOptions) || errors.Is(err, e2e.ErrUnsupported))
	// Output: true
}
