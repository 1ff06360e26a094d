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

// A filter is let in between two others, and taken away again. The index that readers hold meanwhile stays as it is.
func ExampleIndex_Insert() {
	any, host := classifier.AnyV4, classifier.HostRange(netip.MustParseAddr("192.0.2.25"))
	old := classifier.Build([]classifier.Entry[string]{
		{Filter: classifier.Filter{Src: any, Dst: host}, Value: "protect"},
		{Filter: classifier.Filter{Src: any, Dst: any}, Value: "block"},
	})
	mail := classifier.Filter{Src: any, Dst: host, Proto: 6, DstPorts: classifier.Port(25)}
	rank := classifier.RankOf(0) - 1
	changed := old.Insert(classifier.Entry[string]{Filter: mail, Value: "permit"}, rank)

	key := packet.Key{Src: netip.MustParseAddr("198.51.100.1"), Dst: host.From, Proto: 6, DstPort: 25, Flags: packet.ProtoKnown | packet.PortsKnown}
	before, _ := old.Lookup(&key)
	after, _ := changed.Lookup(&key)
	changed, _ = changed.Delete(mail, rank)
	again, _ := changed.Lookup(&key)
	fmt.Println(before, after, again)
	// Output: protect permit protect
}
