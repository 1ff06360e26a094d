package handshake_test

import (
	"context"
	"fmt"

	"github.com/goipsec/goipsec/bench/handshake"
)

// One exchange, measured in a moment.
func Example() {
	r, err := handshake.Run(context.Background(), handshake.Options{Exchanges: []string{"curve25519"}, Negotiations: 20, Rounds: 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := r.Cases[0]
	fmt.Printf("%s; %s: measured %d times, group included: %t\n", c.What, c.Place, len(c.Rate.Samples), c.Group.Median > 0)
	// Output: curve25519, aes-gcm-16-128, no PFS; memory, one pair: measured 3 times, group included: true
}
