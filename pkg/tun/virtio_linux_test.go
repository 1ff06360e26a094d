package tun

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/goipsec/goipsec/pkg/packet"
)

// vnet is an offload header.
func vnet(flags, kind uint8, hdrLen, segment, start, field int) []byte {
	b := []byte{flags, kind}
	for _, v := range []int{hdrLen, segment, start, field} {
		b = binary.NativeEndian.AppendUint16(b, uint16(v))
	}
	return b
}

// datagram is a TCP or UDP datagram of either family with n octets of payload, whose checksum holds the sum of the pseudo header.
func datagram(v6 bool, proto uint8, n int) []byte {
	at, upper := 20, 20
	if v6 {
		at = 40
	}
	if proto == protoUDP {
		upper = 8
	}
	b := make([]byte, at+upper+n)
	addresses := b[12:20]
	if v6 {
		b[0], b[6], b[7] = 0x60, proto, 64
		binary.BigEndian.PutUint16(b[4:], uint16(upper+n))
		addresses = b[8:40]
	} else {
		b[0], b[8], b[9] = 0x45, 64, proto
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	}
	for i := range addresses {
		addresses[i] = byte(i*7 + 1)
	}
	for i := range b[at+upper:] {
		b[at+upper+i] = byte(i * 3)
	}
	field := 6
	if proto == protoTCP {
		b[at+12], field = 0x50, 16
	} else {
		binary.BigEndian.PutUint16(b[at+4:], uint16(upper+n))
	}
	pseudo := append(bytes.Clone(addresses), 0, proto, byte((upper+n)>>8), byte(upper+n))
	binary.BigEndian.PutUint16(b[at+field:], ^packet.Checksum(pseudo))
	return b
}

// give puts what the kernel would give into a Packet.
func give(room int, parts ...[]byte) (p Packet, err error) {
	p = Packet{Buf: make([]byte, Headroom+room), Off: Headroom, Segment: 99, Failed: true, More: [][]byte{nil}}
	return p, p.received(copy(p.Buf[Headroom-vnetLen:], bytes.Join(parts, nil)))
}

func TestWhatTheKernelGivesIsUnderstood(t *testing.T) {
	const csum = unix.VIRTIO_NET_HDR_F_NEEDS_CSUM
	for _, c := range []struct {
		name           string
		v6             bool
		proto          uint8
		payload        int
		flags, kind    uint8
		segment, start int
		field          int
		want           int
		finished       bool
	}{
		{"complete", false, protoTCP, 100, 0, 0, 0, 0, 0, 0, false},
		{"checksum to finish", false, protoTCP, 100, csum, 0, 0, 20, 16, 0, true},
		{"of UDP in IPv6", true, protoUDP, 101, csum, 0, 0, 40, 6, 0, true},
		{"TSO", false, protoTCP, 1000, csum, unix.VIRTIO_NET_HDR_GSO_TCPV4, 300, 20, 16, 300, false},
		{"TSO with ECN", true, protoTCP, 1000, csum, unix.VIRTIO_NET_HDR_GSO_TCPV6 | unix.VIRTIO_NET_HDR_GSO_ECN, 300, 40, 16, 300, false},
		{"USO", true, protoUDP, 1000, csum, unix.VIRTIO_NET_HDR_GSO_UDP_L4, 300, 40, 6, 300, false},
		{"a superpacket of one", false, protoUDP, 300, csum, unix.VIRTIO_NET_HDR_GSO_UDP_L4, 300, 20, 6, 0, true},
	} {
		b := datagram(c.v6, c.proto, c.payload)
		// The header length is a silly one in all: nothing may depend on it.
		p, err := give(MaxDatagram+1, vnet(c.flags, c.kind, 0xffff, c.segment, c.start, c.field), b)
		if err != nil || p.Segment != c.want || p.N != len(b) || p.Failed || len(p.More) > 0 {
			t.Errorf("%s: %v, %d octets in segments of %d", c.name, err, p.N, p.Segment)
			continue
		}
		var h packet.Header
		if err := h.Parse(p.Bytes()); err != nil {
			t.Fatal(c.name, err)
		}
		if c.finished {
			if sum := packet.Checksum(append(pseudoOf(p.Bytes(), c.v6, c.proto, h.UpperOffset), p.Bytes()[h.UpperOffset:]...)); sum != 0 {
				t.Errorf("%s: the checksum is wrong by %#x", c.name, sum)
			}
		} else if !bytes.Equal(p.Bytes(), b) {
			t.Errorf("%s: the packet was changed", c.name)
		}
	}
}

func pseudoOf(b []byte, v6 bool, proto uint8, at int) []byte {
	addresses := b[12:20]
	if v6 {
		addresses = b[8:40]
	}
	n := len(b) - at
	return append(bytes.Clone(addresses), 0, proto, byte(n>>8), byte(n))
}

func TestSillyOffloadHeadersAreRefused(t *testing.T) {
	const csum, tso, uso = unix.VIRTIO_NET_HDR_F_NEEDS_CSUM, unix.VIRTIO_NET_HDR_GSO_TCPV4, unix.VIRTIO_NET_HDR_GSO_UDP_L4
	tcp, udp := datagram(false, protoTCP, 1000), datagram(false, protoUDP, 1000)
	patched := func(b []byte, at int, v byte) []byte {
		b = bytes.Clone(b)
		b[at] = v
		return b
	}
	for name, c := range map[string]struct{ head, b []byte }{
		"half a header":               {make([]byte, 5), nil},
		"nothing behind it":           {vnet(0, 0, 0, 0, 0, 0), nil},
		"a checksum behind the end":   {vnet(csum, 0, 0, 0, 2000, 16), tcp},
		"half of one":                 {vnet(csum, 0, 0, 0, len(tcp)-17, 16), tcp},
		"a field that overflows":      {vnet(csum, 0, 0, 0, 0xffff, 0xffff), tcp},
		"segments of nothing":         {vnet(csum, tso, 0, 0, 20, 16), tcp},
		"an unknown kind":             {vnet(csum, 0x33, 0, 300, 20, 16), tcp},
		"UFO":                         {vnet(csum, unix.VIRTIO_NET_HDR_GSO_UDP, 0, 300, 20, 6), udp},
		"another protocol":            {vnet(csum, uso, 0, 300, 20, 6), tcp},
		"another family":              {vnet(csum, unix.VIRTIO_NET_HDR_GSO_TCPV6, 0, 300, 20, 16), tcp},
		"checksum elsewhere":          {vnet(csum, tso, 0, 300, 24, 16), tcp},
		"another field":               {vnet(csum, tso, 0, 300, 20, 6), tcp},
		"a lying total length":        {vnet(csum, tso, 0, 300, 20, 16), patched(tcp, 3, 1)},
		"a lying UDP length":          {vnet(csum, uso, 0, 300, 20, 6), patched(udp, 25, 1)},
		"a header that ends nowhere":  {vnet(csum, tso, 0, 300, 20, 16), patched(tcp, 0, 0x4f)},
		"a short IPv4 header":         {vnet(csum, tso, 0, 300, 20, 16), patched(tcp, 0, 0x44)},
		"a short TCP header":          {vnet(csum, tso, 0, 300, 20, 16), patched(tcp, 32, 0x40)},
		"a TCP header behind the end": {vnet(csum, tso, 0, 1, 20, 16), patched(datagram(false, protoTCP, 4), 32, 0xf0)},
		"no IP":                       {vnet(csum, tso, 0, 300, 20, 16), patched(tcp, 0, 0x75)},
		"a fragment":                  {vnet(csum, tso, 0, 300, 20, 16), patched(tcp, 6, 0x20)},
		"endless extension headers":   {vnet(csum, unix.VIRTIO_NET_HDR_GSO_TCPV6, 0, 300, 40, 16), patched(patched(datagram(true, protoTCP, 900), 6, 0), 41, 0xff)},
		"a few octets":                {vnet(csum, tso, 0, 300, 20, 16), []byte{0x45}},
		"a few octets of IPv6":        {vnet(csum, tso, 0, 300, 20, 16), []byte{0x60, 0}},
	} {
		if _, err := give(MaxDatagram+1, c.head, c.b); !errors.Is(err, errSilly) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := give(len(tcp), vnet(0, 0, 0, 0, 0, 0), tcp, []byte("more")); !errors.Is(err, errCut) {
		t.Error("a packet that may have been cut:", err)
	}
}

// FuzzReceived says that no header and no packet make the device panic or hand out what cannot be cut.
func FuzzReceived(f *testing.F) {
	f.Add(append(vnet(1, unix.VIRTIO_NET_HDR_GSO_TCPV4, 0, 300, 20, 16), datagram(false, protoTCP, 1000)...))
	f.Add(append(vnet(1, unix.VIRTIO_NET_HDR_GSO_UDP_L4, 0, 300, 40, 6), datagram(true, protoUDP, 1000)...))
	f.Add(append(vnet(1, 0, 0, 0, 20, 16), datagram(false, protoTCP, 10)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > MaxDatagram {
			return
		}
		p, err := give(MaxDatagram+1, b)
		if err != nil || p.Segment == 0 {
			return
		}
		if p.N != len(b)-vnetLen || p.N <= p.Segment {
			t.Fatalf("%d octets in segments of %d", p.N, p.Segment)
		}
		first := bytes.Clone(p.Bytes())
		if err := p.super(); err != nil {
			t.Fatal("what was read cannot be written:", err)
		}
		if l, ok := layoutOf(first, p.N); !ok || !bytes.Equal(first[l.payload:], p.Bytes()[l.payload:]) {
			t.Fatal("the payload was changed")
		}
	})
}
