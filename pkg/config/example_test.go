package config_test

import (
	"fmt"
	"net/netip"

	"github.com/goipsec/goipsec/pkg/config"
	"github.com/goipsec/goipsec/pkg/policy"
)

// A policy with one mistake, then without it, expanded for a host.
func Example() {
	_, err := config.Parse("office.yaml", []byte(`
rules:
  - filters: [me <-> 10.0.0.1/8]
    action: block
`), config.Options{})
	fmt.Println(err)

	file, err := config.Parse("office.yaml", []byte(`
rules:
  - filters: [me <-> 10.0.0.0/8, me <-> 10.0.0.7 tcp 25]
    action: block
`), config.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	compiled, err := policy.Compile(file.Assigned, []netip.Addr{netip.MustParseAddr("192.0.2.1")})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range compiled.Outbound {
		fmt.Println(f.Action, f.Filter)
	}
	// Output:
	// office.yaml:3:15: to: "10.0.0.1/8" has bits set behind its prefix length
	//     3 |   - filters: [me <-> 10.0.0.1/8]
	//       |               ^
	//   hint: write 10.0.0.0/8 for the subnet, or 10.0.0.1 for the host
	// block 192.0.2.1 -> 10.0.0.7 proto 6 ports any -> 25
	// block 192.0.2.1 -> 10.0.0.0/8
}
