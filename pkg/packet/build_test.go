package packet

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

var (
	src4, dst4 = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.7")
	src6, dst6 = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8:1::7")
)

// ip4 builds an IPv4 datagram with options (a multiple of four bytes).
func ip4(proto uint8, opts, payload []byte) []byte {
	o := Outer{Src: src4, Dst: dst4, Proto: proto, TTL: 64, ID: 0x1234}
	b := make([]byte, 20, 20+len(opts)+len(payload))
	o.Put(b, 20+len(opts)+len(payload))
	b = append(b, opts...)
	b[0] = 4<<4 | byte(len(b)/4)
	putHeaderChecksum(b)
	return append(b, payload...)
}

// ext is one IPv6 extension header: its protocol number and its bytes but for the next-header octet, which the builder sets.
type ext struct {
	kind uint8
	body []byte
}

// ip6 builds an IPv6 datagram with a chain of extension headers.
func ip6(proto uint8, chain []ext, payload []byte) []byte {
	b := make([]byte, 40)
	at := 6
	next := proto
	if len(chain) > 0 {
		next = chain[0].kind
	}
	for i, e := range chain {
		b = append(b, 0)
		b = append(b, e.body...)
		if i == 0 {
			at = 40
		}
		follow := proto
		if i+1 < len(chain) {
			follow = chain[i+1].kind
		}
		b[at] = follow
		at = len(b)
	}
	b = append(b, payload...)
	o := Outer{Src: src6, Dst: dst6, Proto: next, TTL: 64}
	o.Put(b, len(b))
	return b
}

// optionsHeader is a hop-by-hop or destination options header of 8·(n+1) bytes, less its first octet.
func optionsHeader(n int) []byte {
	b := make([]byte, 7+8*n)
	b[0] = byte(n)
	b[1], b[2] = 1, byte(4+8*n) // PadN
	if n > 30 {
		b[1], b[2] = 0x3e, 255
	}
	return b
}

// fragmentHeader is a fragment header less its first octet.
func fragmentHeader(off int, more bool, id uint32) []byte {
	b := make([]byte, 7)
	binary.BigEndian.PutUint16(b[1:], uint16(off))
	if more {
		b[2] |= 1
	}
	binary.BigEndian.PutUint32(b[3:], id)
	return b
}

// routingHeader is a routing header of one address less its first octet.
func routingHeader(left uint8) []byte {
	b := make([]byte, 23)
	b[0], b[1], b[2] = 2, 4, left
	return b
}

// tcp builds a TCP header with options and a payload.
func tcp(flags uint8, opts, payload []byte) []byte {
	b := make([]byte, 20, 20+len(opts)+len(payload))
	binary.BigEndian.PutUint16(b, 40000)
	binary.BigEndian.PutUint16(b[2:], 443)
	b = append(b, opts...)
	b[12], b[13] = byte(len(b)/4)<<4, flags
	return append(b, payload...)
}

// udp builds a UDP datagram without a checksum.
func udp(payload []byte) []byte {
	b := make([]byte, 8, 8+len(payload))
	binary.BigEndian.PutUint16(b, 5000)
	binary.BigEndian.PutUint16(b[2:], 53)
	binary.BigEndian.PutUint16(b[4:], uint16(8+len(payload)))
	return append(b, payload...)
}

// parsed is Parse for tests that are about something else.
func parsed(t interface {
	Helper()
	Fatalf(string, ...any)
}, b []byte) *Header {
	t.Helper()
	h := new(Header)
	if err := h.Parse(b); err != nil {
		t.Fatalf("parse %x: %v", b, err)
	}
	return h
}

// pattern is n bytes that differ from place to place.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// anyDatagram draws a whole datagram of either family with options or extension headers.
func anyDatagram(maxPayload int) *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		payload := rapid.SliceOfN(rapid.Byte(), 24, maxPayload).Draw(t, "payload")
		proto := rapid.SampledFrom([]uint8{protoTCP, protoUDP, protoICMPv6, protoICMP, protoSCTP, protoESP, 47}).Draw(t, "proto")
		if rapid.Bool().Draw(t, "v4") {
			opts := rapid.SampledFrom([][]byte{nil, {1, 1, 1, 0}, {7, 7, 4, 0, 0, 0, 0, 0}, {148, 4, 0, 0}, {131, 7, 8, 1, 2, 3, 4, 1}, {1, 130, 3, 5, 7, 3, 4, 0}}).Draw(t, "options")
			return ip4(proto, opts, payload)
		}
		var chain []ext
		if rapid.Bool().Draw(t, "hop") {
			chain = append(chain, ext{protoHopByHop, optionsHeader(rapid.IntRange(0, 2).Draw(t, "n"))})
		}
		if rapid.Bool().Draw(t, "routing") {
			chain = append(chain, ext{protoDestOpts, optionsHeader(0)}, ext{protoRouting, routingHeader(0)})
		}
		if rapid.Bool().Draw(t, "destination") {
			chain = append(chain, ext{protoDestOpts, optionsHeader(1)})
		}
		return ip6(proto, chain, payload)
	})
}

func TestBuildersMakeWhatTheySay(t *testing.T) {
	h := parsed(t, ip6(protoUDP, []ext{{protoHopByHop, optionsHeader(0)}, {protoFragment, fragmentHeader(0, true, 9)}}, udp(nil)))
	if h.Key.Proto != protoUDP || h.UpperOffset != 56 || h.ID != 9 || !h.MF {
		t.Fatalf("%+v", h)
	}
	if h := parsed(t, ip4(protoTCP, []byte{1, 1, 1, 1}, tcp(2, nil, nil))); h.UpperOffset != 24 || h.Key.DstPort != 443 {
		t.Fatalf("%+v", h)
	}
}
