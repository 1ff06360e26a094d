package classifier

import (
	"net/netip"

	"github.com/goipsec/goipsec/pkg/packet"
	"pgregory.net/rapid"
)

// The generators draw from few values, so that filters nest, touch and overlap, and packets hit.

func drawAddr(six bool) *rapid.Generator[netip.Addr] {
	return rapid.Custom(func(t *rapid.T) netip.Addr {
		a := byte(rapid.IntRange(0, 7).Draw(t, "low"))
		b := rapid.SampledFrom([]byte{0, 1, 128, 255}).Draw(t, "mid")
		if !six {
			return netip.AddrFrom4([4]byte{10, 0, b, a})
		}
		return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 7: b, 15: a, 8: rapid.SampledFrom([]byte{0, 255}).Draw(t, "hi")})
	})
}

func drawRange(six bool) *rapid.Generator[Range] {
	return rapid.Custom(func(t *rapid.T) Range {
		a := drawAddr(six).Draw(t, "address")
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			if six {
				return AnyV6
			}
			return AnyV4
		case 1, 2:
			return HostRange(a)
		case 3:
			b := drawAddr(six).Draw(t, "end")
			if b.Less(a) {
				a, b = b, a
			}
			return Range{a, b}
		}
		return RangeOf(netip.PrefixFrom(a, a.BitLen()-rapid.SampledFrom([]int{0, 1, 2, 3, 8, 9, 16, 24, 31}).Draw(t, "host bits")))
	})
}

func drawPorts() *rapid.Generator[Ports] {
	return rapid.Custom(func(t *rapid.T) Ports {
		a := rapid.SampledFrom([]uint16{0, 3, 8, 53, 443, 1024, 65535}).Draw(t, "port")
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			return Port(a)
		case 1:
			return Ports{0, 65535, true}
		case 2:
			b := rapid.SampledFrom([]uint16{0, 3, 8, 53, 443, 1024, 65535}).Draw(t, "end")
			return Ports{min(a, b), max(a, b), true}
		}
		return Ports{}
	})
}

func drawFilterOf(six bool) *rapid.Generator[Filter] {
	return rapid.Custom(func(t *rapid.T) Filter {
		f := Filter{Src: drawRange(six).Draw(t, "src"), Dst: drawRange(six).Draw(t, "dst")}
		if rapid.Bool().Draw(t, "addresses only") {
			return f
		}
		f.Proto = rapid.SampledFrom([]uint8{0, 1, 6, 17, 58, 255}).Draw(t, "proto")
		f.SrcPorts, f.DstPorts = drawPorts().Draw(t, "sport"), drawPorts().Draw(t, "dport")
		return f
	})
}

// drawFilter draws a filter, now and then one that is not valid.
func drawFilter() *rapid.Generator[Filter] {
	return rapid.Custom(func(t *rapid.T) Filter {
		f := drawFilterOf(rapid.Bool().Draw(t, "six")).Draw(t, "filter")
		switch rapid.IntRange(0, 40).Draw(t, "flaw") {
		case 0:
			f.Src = Range{}
		case 1:
			f.Dst.From, f.Dst.To = f.Dst.To, f.Dst.From
		case 2:
			f.Src = AnyV4
		case 3:
			f.DstPorts = Ports{9, 8, true}
		case 4:
			f.Src.From = f.Src.From.WithZone("eth0")
		}
		return f
	})
}

// drawKey draws keys as the parser makes them, and some that it never makes.
func drawKey() *rapid.Generator[packet.Key] {
	return rapid.Custom(func(t *rapid.T) packet.Key {
		six := rapid.Bool().Draw(t, "six")
		return packet.Key{
			Src: drawAddr(six).Draw(t, "src"), Dst: drawAddr(six).Draw(t, "dst"),
			SrcPort: rapid.SampledFrom([]uint16{0, 3, 8, 53, 444, 65535}).Draw(t, "sport"),
			DstPort: rapid.SampledFrom([]uint16{0, 3, 8, 53, 443, 65535}).Draw(t, "dport"),
			Proto:   rapid.SampledFrom([]uint8{0, 1, 6, 17, 58, 255}).Draw(t, "proto"),
			Flags:   packet.KeyFlags(rapid.IntRange(0, 15).Draw(t, "flags")),
		}
	})
}

// linear is the truth that Index must equal.
func linear[V any](entries []Entry[V], k *packet.Key) int {
	for i := range entries {
		if entries[i].Filter.Match(k) {
			return i
		}
	}
	return -1
}
