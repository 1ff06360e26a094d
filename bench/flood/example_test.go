package flood_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/bench/flood"
)

// Options that cannot be met are refused before a datagram is sent.
func Example() {
	to := netip.MustParseAddr("127.0.0.1")
	_, err := flood.Send(context.Background(), flood.Options{From: to, To: to, Port: 5300, Flows: 1, Size: 20, Length: time.Second})
	fmt.Println(errors.Is(err, flood.ErrOptions) || errors.Is(err, flood.ErrUnsupported))
	// Output: true
}
