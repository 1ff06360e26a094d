package inspect_test

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/goipsec/goipsec/pkg/inspect"
	"github.com/goipsec/goipsec/pkg/policy"
)

func Example() {
	everyone := policy.AddrSpec{Kind: policy.Any}
	p := &policy.Policy{Name: "closed", Rules: []*policy.Rule{{
		Name:    "all",
		Filters: []policy.GenericFilter{{Src: everyone, Dst: everyone}},
		Action:  policy.FilterAction{Kind: policy.Block},
		Source:  policy.Position{File: "closed.yaml", Line: 3, Column: 5},
	}}}
	local := []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	c, err := policy.Compile(p, local)
	if err != nil {
		fmt.Println(err)
		return
	}
	k, err := inspect.ParseQuestion([]string{"192.0.2.1", "192.0.2.2", "tcp", "443"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(inspect.Explain(c, k, local).Directions[0].Does[0])
	if err := inspect.Write(os.Stdout, inspect.ViewCheck("closed.yaml", []*policy.Policy{p}, nil, nil, nil, nil), false); err != nil {
		fmt.Println(err)
	}
	// Output:
	// it is dropped and counted
	// policy "closed": 1 rules, 1 filters
	// closed.yaml: good
}
