package packet_test

import (
	"fmt"
	"net/netip"

	"github.com/goipsec/goipsec/pkg/packet"
)

// A datagram is built, parsed, and found to be too big for its path.
func Example() {
	outer := packet.Outer{Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("198.51.100.7"), Proto: 17, TTL: 64, DF: true}
	datagram := make([]byte, 1500)
	outer.Put(datagram, len(datagram))
	copy(datagram[outer.Len():], []byte{0x13, 0x88, 0, 53, 5, 0xc8, 0, 0})

	var h packet.Header
	if err := h.Parse(datagram); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(h.Key.Src, h.Key.SrcPort, "->", h.Key.Dst, h.Key.DstPort, "protocol", h.Key.Proto)

	answer := packet.TooBig(nil, datagram, &h, 1400)
	mtu, quoted, ok := packet.ParseTooBig(answer)
	fmt.Println(mtu, len(quoted), ok)
	// Output:
	// 192.0.2.1 5000 -> 198.51.100.7 53 protocol 17
	// 1400 548 true
}
