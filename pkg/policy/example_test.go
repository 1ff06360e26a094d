package policy_test

import (
	"cmp"
	"fmt"
	"net/netip"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/policy"
)

// "Reject all", with one exception: the exception weighs more, whatever the order.
func Example() {
	everyone := policy.AddrSpec{Kind: policy.Any}
	p := &policy.Policy{Name: "reject-all", Rules: []*policy.Rule{
		{Name: "all", Action: policy.FilterAction{Kind: policy.Block}, Filters: []policy.GenericFilter{{Src: everyone, Dst: everyone, Mirrored: true}}},
		{Name: "ssh", Action: policy.FilterAction{Kind: policy.Permit}, Filters: []policy.GenericFilter{
			{Src: everyone, Dst: policy.AddrSpec{Kind: policy.Me}, Proto: 6, DstPorts: classifier.Port(22), Mirrored: true}}},
	}}
	c, err := policy.Compile(p, []netip.Addr{netip.MustParseAddr("192.0.2.1")})
	if err != nil {
		fmt.Println(err)
		return
	}
	packet := classifier.Filter{
		Src: classifier.HostRange(netip.MustParseAddr("198.51.100.7")), Dst: classifier.HostRange(netip.MustParseAddr("192.0.2.1")),
		Proto: 6, SrcPorts: classifier.Port(40000), DstPorts: classifier.Port(22),
	}
	for _, m := range c.Explain(packet, false, 0) {
		fmt.Printf("%v %v: %s\n", m.Filter.Action, m.Filter.Filter, cmp.Or(m.Why, "the heaviest"))
	}
	// Output:
	// permit any4 -> 192.0.2.1 proto 6 ports any -> 22: the heaviest
	// block any4 -> any4: fewer of its sides are a single address
}
