package system

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/goipsec/goipsec/pkg/packet"
)

// A clearDatagram is one clear datagram that somebody outside sends, as one packet or as several.
type clearDatagram struct {
	number  uint32
	shape   string
	packets [][]byte
	key     packet.Key // what the datagram is, whole
	exempt  bool       // passes whatever a policy says
	// certain: its receiver's system takes it if nobody stops it. It refuses overlapping fragments, and some others that the guard must not let pass either.
	certain bool
	// second is what it is read as where the system takes the later of two overlapping fragments.
	second uint16
	local  bool // for the guarded host itself, not for one behind it
}

// magic and a number end every datagram.
const magic = "leak"

// A drawer draws datagrams at random.
type drawer struct {
	rng    *rand.Rand
	number uint32
	id     uint32 // of fragments
}

func newDrawer(seed uint64) *drawer { return &drawer{rng: rand.New(rand.NewPCG(seed, 1))} }

// The worlds that datagrams are drawn from: sources are those of the policy's rules, their neighbours, and inner addresses of the tunnel; destinations the
// guarded host's addresses and one behind it.
var (
	drawnSources = map[bool][]string{
		true:  {"10.4.0.2", "10.4.0.3", "10.4.0.4", "10.1.0.2", "192.168.2.9", "203.0.113.7", "192.168.2.1"},
		false: {"fd04::2", "fd04::3", "fd04::4", "fd01::2", "fd03::9", "2001:db8::7", "fd03::1"},
	}
	drawnDestinations = map[bool][]string{true: {"10.4.0.1", "10.1.0.1", "10.4.0.1", "192.168.1.1", "192.168.1.9"}, false: {"fd04::1", "fd01::1", "fd04::1", "fd02::1", "fd02::9"}}
	drawnPorts        = []uint16{88, 999, 4999, 5000, 5004, 5009, 5010, 5014, 5015, 6000, 6001, 65535, 500, 4500}
)

func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }

// draw returns the next datagram.
func (d *drawer) draw() *clearDatagram {
	is4 := d.rng.IntN(2) == 0
	src, dst := netip.MustParseAddr(pick(d.rng, drawnSources[is4])), netip.MustParseAddr(pick(d.rng, drawnDestinations[is4]))
	proto := pick(d.rng, []uint8{17, 17, 17, 6, 6, 1, 47, 132})
	c := d.whole(src, dst, proto, pick(d.rng, drawnPorts), pick(d.rng, drawnPorts))
	u := c.packets[0]
	switch n := d.rng.IntN(12); {
	case n < 3:
		c.shape, c.packets = "whole", [][]byte{wrap(src, dst, wire(proto, is4), u)}
	case n == 3 && is4:
		c.shape, c.packets = "IPv4 options", [][]byte{options4(d.rng, wrap(src, dst, proto, u))}
	case n < 5:
		c.shape, c.packets = "extension headers", [][]byte{d.extended(src, dst, wire(proto, is4), u)}
	case n == 5:
		c.shape, c.packets = "two fragments", d.fragments(c, u, []int{0, 16})
	case n == 6:
		c.shape, c.packets = "later fragment first", d.fragments(c, u, []int{0, 24})
		slices.Reverse(c.packets)
	case n == 7:
		c.shape, c.packets = "tiny fragments", d.fragments(c, u, []int{0, 8, 16, 24, 32})
	case n == 8:
		c.shape, c.certain = "overlapping fragments", false
		c.packets = d.fragments(c, u, []int{0, 24})
		other := slices.Clone(u)
		c.second = pick(d.rng, drawnPorts[:len(drawnPorts)-2])
		binary.BigEndian.PutUint16(other[2:], c.second)
		d.id-- // of the same datagram
		c.packets = append(d.fragments(c, other, []int{0, 24})[:1], c.packets...)
		if d.rng.IntN(2) == 0 {
			c.packets[0], c.packets[1] = c.packets[1], c.packets[0]
		}
	case n == 9 && !is4:
		c.shape, c.packets = "atomic fragment", [][]byte{wrap(src, dst, 44, append(d.fragmentHeader(wire(proto, is4), 0, false), u...))}
	case n == 10 && !is4:
		c.shape, c.certain = "first fragment without ports", false
		c.packets = d.cutChain(src, dst, wire(proto, is4), u)
	case n == 11 && !is4:
		c.shape, c.certain = "fragment in a fragment", false
		inner := d.fragments(c, u, []int{0, 16})
		c.packets = nil
		for _, p := range inner { // each fragment behind an atomic fragment header of another datagram
			c.packets = append(c.packets, wrap(src, dst, 44, append(d.fragmentHeader(44, 0, false), p[40:]...)))
		}
	default:
		c.shape, c.packets = "source port 88", nil
		c = d.whole(src, dst, 17, 88, pick(d.rng, drawnPorts))
		c.shape, c.packets = "source port 88", [][]byte{wrap(src, dst, 17, c.packets[0])}
	}
	return c
}

// wire is the protocol as the family has it: ICMPv6 for ICMP.
func wire(proto uint8, is4 bool) uint8 {
	if proto == 1 && !is4 {
		return 58
	}
	return proto
}

// whole returns a datagram whose only packet is still without its IP header.
func (d *drawer) whole(src, dst netip.Addr, proto uint8, sport, dport uint16) *clearDatagram {
	d.number++
	text := binary.BigEndian.AppendUint32([]byte("some octets to be cut in pieces "+magic), d.number)
	c := &clearDatagram{number: d.number, certain: true, local: dst != netip.MustParseAddr("192.168.1.9") && dst != netip.MustParseAddr("fd02::9"),
		key: packet.Key{Src: src, Dst: dst, Proto: wire(proto, src.Is4()), SrcPort: sport, DstPort: dport, Flags: packet.ProtoKnown | packet.PortsKnown}}
	c.exempt = proto == 17 && c.local && (dport == 500 || dport == 4500)
	var u []byte
	switch proto {
	case 17, 6:
		u = segment(src, dst, proto, sport, dport, string(text))
	case 1:
		c.key.SrcPort, c.key.DstPort = pick(d.rng, []uint16{8, 0, 13}), 0
		if src.Is6() {
			c.key.SrcPort = pick(d.rng, []uint16{128, 129, 135})
		}
		u = append([]byte{byte(c.key.SrcPort), 0, 0, 0, 0, 7, 0, 1}, text...)
		if src.Is4() {
			sum(netip.Addr{}, netip.Addr{}, 0, u, 2)
			s := uint32(^binary.BigEndian.Uint16(u[2:])) + 0xffff - uint32(len(u)) // ICMP has no pseudo-header
			binary.BigEndian.PutUint16(u[2:], ^uint16(s%0xffff))
		} else {
			sum(src, dst, 58, u, 2)
		}
	default:
		c.key.SrcPort, c.key.DstPort = 0, 0
		c.key.Flags = packet.ProtoKnown
		u = append([]byte{0, 0, 0x88, 0xb5, 0, 0, 0, 0, 0, 0, 0, 0}, text...)
		if proto == 132 {
			u[2], u[3] = 0, 99
			c.key.DstPort, c.key.Flags = 99, packet.ProtoKnown|packet.PortsKnown
		}
	}
	c.packets = [][]byte{u}
	return c
}

// options4 puts no-operations, a router alert or a time stamp into an IPv4 header.
func options4(rng *rand.Rand, pkt []byte) []byte {
	option := pick(rng, [][]byte{{1, 1, 1, 0}, {0x94, 4, 0, 0}, {68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {7, 7, 4, 0, 0, 0, 0, 0}})
	out := append(slices.Clone(pkt[:20]), option...)
	out = append(out, pkt[20:]...)
	out[0] += byte(len(option) / 4)
	binary.BigEndian.PutUint16(out[2:], uint16(len(out)))
	return out // the system that sends it computes the checksum
}

// extended puts up to four extension headers before the payload, or, for IPv4, which has none, nothing.
func (d *drawer) extended(src, dst netip.Addr, proto uint8, u []byte) []byte {
	if src.Is4() {
		return wrap(src, dst, proto, u)
	}
	pad := []byte{0, 0, 1, 4, 0, 0, 0, 0}
	// Long padding is refused; an experimental option to be skipped (RFC 4727) is not.
	long := append([]byte{0, 2, 30, 20}, make([]byte, 20)...)
	routing := []byte{0, 0, 253, 0, 0, 0, 0, 0} // of an experimental type, with nothing left to visit
	var next []uint8
	var headers [][]byte
	if d.rng.IntN(2) == 0 {
		next, headers = append(next, 0), append(headers, slices.Clone(pad))
	}
	for range d.rng.IntN(3) {
		kind := pick(d.rng, []uint8{60, 43})
		h := slices.Clone(pick(d.rng, [][]byte{pad, long}))
		if kind == 43 {
			h = slices.Clone(routing)
		}
		next, headers = append(next, kind), append(headers, h)
	}
	next = append(next, proto)
	var body []byte
	for i, h := range headers {
		h[0] = next[i+1]
		body = append(body, h...)
	}
	return wrap(src, dst, next[0], append(body, u...))
}

func (d *drawer) fragmentHeader(next uint8, offset int, more bool) []byte {
	d.id++
	return fragmentHeader(next, offset, more, d.id)
}

// fragmentHeader is RFC 8200 §4.5.
func fragmentHeader(next uint8, offset int, more bool, id uint32) []byte {
	field := uint16(offset)
	if more {
		field |= 1
	}
	h := binary.BigEndian.AppendUint16([]byte{next, 0}, field)
	return binary.BigEndian.AppendUint32(h, id)
}

// fragments cuts a payload where the offsets say, which are multiples of eight.
func (d *drawer) fragments(c *clearDatagram, u []byte, offsets []int) [][]byte {
	d.id++
	if c.key.Src.Is6() && c.key.Proto == 6 && offsets[1] < 20 {
		c.certain = false // the system wants the whole header in the first one (RFC 7112)
	}
	var list [][]byte
	for i, from := range offsets {
		to, more := len(u), i < len(offsets)-1
		if more {
			to = offsets[i+1]
		}
		if c.key.Src.Is6() {
			list = append(list, wrap(c.key.Src, c.key.Dst, 44, append(fragmentHeader(c.key.Proto, from, more, d.id), u[from:to]...)))
			continue
		}
		pkt := wrap(c.key.Src, c.key.Dst, c.key.Proto, u[from:to])
		field := uint16(from / 8)
		if more {
			field |= 0x2000
		}
		binary.BigEndian.PutUint16(pkt[4:], uint16(d.id)%0xfffe+1) // 0 would have the sender choose
		binary.BigEndian.PutUint16(pkt[6:], field)
		list = append(list, pkt)
	}
	return list
}

// cutChain has the first fragment end before the transport header, behind or within another header.
func (d *drawer) cutChain(src, dst netip.Addr, proto uint8, u []byte) [][]byte {
	d.id++
	options := append([]byte{proto, 2, 30, 20}, make([]byte, 20)...)
	body, cut := append(options, u...), pick(d.rng, []int{8, 16, 24})
	return [][]byte{wrap(src, dst, 44, append(fragmentHeader(60, 0, true, d.id), body[:cut]...)), wrap(src, dst, 44, append(fragmentHeader(60, cut, false, d.id), body[cut:]...))}
}
