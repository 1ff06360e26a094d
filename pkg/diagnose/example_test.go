package diagnose_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/goipsec/goipsec/pkg/diagnose"
)

func Example() {
	t := diagnose.Ping(context.Background(), diagnose.PingOptions{
		Target:  "gw.example.com",
		Timeout: time.Second,
		Resolve: func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("DNS is silent") },
	})
	f := t.FirstFailure()
	fmt.Println(f.Name, t.ExitCode)
	fmt.Println(f.What)
	// Output:
	// resolution 10
	// no rule is called "gw.example.com", and the name has no address: DNS is silent
}
