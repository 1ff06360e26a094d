package classifier_test

import (
	"fmt"
	"net/netip"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/packet"
)

// Everything is refused, except mail to one host.
func Example() {
	server := classifier.HostRange(netip.MustParseAddr("192.0.2.25"))
	entries := []classifier.Entry[string]{
		{Filter: classifier.Filter{Src: classifier.AnyV4, Dst: classifier.AnyV4}, Value: "block"},
		{Filter: classifier.Filter{Src: classifier.AnyV4, Dst: server, Proto: 6, DstPorts: classifier.Port(25)}, Value: "permit"},
	}
	classifier.Sort(entries, nil)
	index := classifier.Build(entries)

	key := packet.Key{
		Src: netip.MustParseAddr("198.51.100.1"), Dst: netip.MustParseAddr("192.0.2.25"),
		Proto: 6, SrcPort: 40000, DstPort: 25, Flags: packet.ProtoKnown | packet.PortsKnown,
	}
	action, _ := index.Lookup(&key)
	fmt.Println(entries[0].Filter, "weighs", entries[0].Filter.Weight(), "so", action)

	key.DstPort = 80
	action, _ = index.Lookup(&key)
	fmt.Println(entries[1].Filter, "weighs", entries[1].Filter.Weight(), "so", action)
	// Output:
	// any4 -> 192.0.2.25 proto 6 ports any -> 25 weighs 1.0.032.0.1.65536.00000 so permit
	// any4 -> any4 weighs 0.0.000.0.0.00000.00000 so block
}
