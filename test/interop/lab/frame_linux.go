package lab

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
)

// A Frame is an Ethernet frame, seen as far as a test of what is on the wire needs it.
type Frame struct {
	Raw      []byte
	Type     uint16 // Ethernet's: 0x0800, 0x86dd, 0x0806
	Src, Dst netip.Addr
	Protocol int    // of IP, beyond IPv6 hop-by-hop, routing and fragment headers; -1 where there is none
	Fragment bool   // not the first fragment
	id       uint32 // of a fragmented datagram
	SrcPort  uint16 // of UDP and TCP
	DstPort  uint16
	Payload  []byte // behind the IP headers
}

func parseFrame(raw []byte) Frame {
	f := Frame{Raw: raw, Protocol: -1}
	if len(raw) < 14 {
		return f
	}
	f.Type = binary.BigEndian.Uint16(raw[12:])
	switch ip := raw[14:]; {
	case f.Type == 0x0800 && len(ip) >= 20:
		f.parse4(ip)
	case f.Type == 0x86dd && len(ip) >= 40:
		f.parse6(ip)
	}
	if (f.Protocol == 6 || f.Protocol == 17) && !f.Fragment && len(f.Payload) >= 4 {
		f.SrcPort, f.DstPort = binary.BigEndian.Uint16(f.Payload), binary.BigEndian.Uint16(f.Payload[2:])
	}
	return f
}

func (f *Frame) parse4(ip []byte) {
	f.Src, _ = netip.AddrFromSlice(ip[12:16])
	f.Dst, _ = netip.AddrFromSlice(ip[16:20])
	f.Protocol = int(ip[9])
	f.Fragment = binary.BigEndian.Uint16(ip[6:])&0x1fff != 0
	f.id = uint32(binary.BigEndian.Uint16(ip[4:]))
	f.Payload = ip[min(int(ip[0]&15)*4, len(ip)):min(int(binary.BigEndian.Uint16(ip[2:])), len(ip))]
}

func (f *Frame) parse6(ip []byte) {
	f.Src, _ = netip.AddrFromSlice(ip[8:24])
	f.Dst, _ = netip.AddrFromSlice(ip[24:40])
	f.Protocol, f.Payload = int(ip[6]), ip[40:]
	for {
		p := f.Payload
		switch {
		case (f.Protocol == 0 || f.Protocol == 43 || f.Protocol == 60) && len(p) >= 8 && len(p) >= 8+8*int(p[1]):
			f.Protocol, f.Payload = int(p[0]), p[8+8*int(p[1]):]
		case f.Protocol == 44 && len(p) >= 8:
			f.Fragment = f.Fragment || binary.BigEndian.Uint16(p[2:])>>3 != 0
			f.id = binary.BigEndian.Uint32(p[4:])
			f.Protocol, f.Payload = int(p[0]), p[8:]
		default:
			return
		}
	}
}

// Kind names what a frame is on a wire that should carry protected traffic only: "esp", "ah", "ike" (UDP 500 and 4500, keepalives
// and ESP in UDP included), "arp", "nd" (neighbour discovery and MLD), "error" (an ICMP error about one of the first three, as a
// host sends when the endpoint there has ended), or "clear".
func (f *Frame) Kind() string {
	switch {
	case f.Type == 0x0806:
		return "arp"
	case f.Protocol == 50:
		return "esp"
	case f.Protocol == 51:
		return "ah"
	case f.Protocol == 17 && (isIKEPort(f.SrcPort) || isIKEPort(f.DstPort)):
		return "ike"
	case f.Protocol == 58 && len(f.Payload) > 0 && isDiscovery(f.Payload[0]):
		return "nd"
	case f.quotesProtected():
		return "error"
	}
	return "clear"
}

// quotesProtected reads the packet inside an ICMP error.
func (f *Frame) quotesProtected() bool {
	if len(f.Payload) < 8+20 || f.Fragment {
		return false
	}
	inner := Frame{Protocol: -1}
	switch quoted := f.Payload[8:]; {
	case f.Protocol == 1 && (f.Payload[0] == 3 || f.Payload[0] == 11):
		inner.parse4(quoted)
	case f.Protocol == 58 && f.Payload[0] < 128 && len(quoted) >= 40:
		inner.parse6(quoted)
	default:
		return false
	}
	if inner.Protocol == 17 && len(inner.Payload) >= 4 {
		return isIKEPort(binary.BigEndian.Uint16(inner.Payload)) || isIKEPort(binary.BigEndian.Uint16(inner.Payload[2:]))
	}
	return inner.Protocol == 50 || inner.Protocol == 51
}

func isIKEPort(p uint16) bool { return p == 500 || p == 4500 }

// isDiscovery tells neighbour discovery (133 to 137) and MLD (130 to 132, 143) from the rest of ICMPv6.
func isDiscovery(icmpType byte) bool { return icmpType >= 130 && icmpType <= 137 || icmpType == 143 }

func (f *Frame) String() string {
	return fmt.Sprintf("%s %v:%d -> %v:%d protocol %d, %d bytes", f.Kind(), f.Src, f.SrcPort, f.Dst, f.DstPort, f.Protocol, len(f.Raw))
}

// joinPorts gives the later fragments of a datagram the ports of its first one.
func joinPorts(frames []Frame) {
	type datagram struct {
		src, dst netip.Addr
		protocol int
		id       uint32
	}
	of := func(f *Frame) datagram { return datagram{f.Src, f.Dst, f.Protocol, f.id} }
	first := map[datagram]*Frame{}
	for i := range frames {
		if f := &frames[i]; !f.Fragment && f.SrcPort != 0 {
			first[of(f)] = f
		}
	}
	for i := range frames {
		if f := &frames[i]; f.Fragment && first[of(f)] != nil {
			f.SrcPort, f.DstPort = first[of(f)].SrcPort, first[of(f)].DstPort
		}
	}
}

// Kinds counts frames by kind.
func Kinds(frames []Frame) map[string]int {
	joinPorts(frames)
	kinds := make(map[string]int)
	for i := range frames {
		kinds[frames[i].Kind()]++
	}
	return kinds
}

// Clear lists the frames that are neither protected nor needed to protect; a test wants none.
func Clear(frames []Frame) string {
	joinPorts(frames)
	var b strings.Builder
	for i := range frames {
		if frames[i].Kind() == "clear" {
			fmt.Fprintln(&b, frames[i].String())
		}
	}
	return b.String()
}

// NoClear fails the test if the frames hold a clear one, or if they hold nothing protected: an empty capture proves nothing.
func (l *Lab) NoClear(frames []Frame) {
	l.t.Helper()
	if seen := Clear(frames); seen != "" {
		l.t.Fatalf("clear packets on the wire:\n%s", seen)
	}
	if kinds := Kinds(frames); kinds["esp"]+kinds["ah"]+kinds["ike"] == 0 {
		l.t.Fatalf("nothing protected on the wire: %v", kinds)
	}
}
