package classifier

import (
	"fmt"

	"github.com/goipsec/goipsec/pkg/packet"
)

// Ports is an inclusive range of ports, or of ICMP types (source) or codes (destination). The zero value is any.
// Ports that are given, even all of them, leave out datagrams whose ports cannot be read.
type Ports struct {
	From, To uint16
	Given    bool
}

// Filter says which datagrams a rule is for: both ranges of one family, a protocol (0: any), ports.
// It is the slow, obvious truth; Index gives the same answers fast. A Filter that is not valid matches nothing.
type Filter struct {
	Src, Dst           Range
	Proto              uint8 // 0: any
	SrcPorts, DstPorts Ports
}

// Port returns the range of one port.
func Port(n uint16) Ports { return Ports{n, n, true} }

// IsValid reports whether p is any or its ends are in order.
func (p Ports) IsValid() bool { return !p.Given || p.From <= p.To }

// match reports whether port n, where known, is one of p.
func (p Ports) match(n uint16, known bool) bool {
	return !p.Given || known && p.From <= n && n <= p.To
}

// covers reports whether p leaves out nothing that o lets through.
func (p Ports) covers(o Ports) bool {
	return !p.Given || o.Given && p.From <= o.From && o.To <= p.To
}

// overlaps reports whether some datagram passes both.
func (p Ports) overlaps(o Ports) bool {
	return !p.Given || !o.Given || p.From <= o.To && o.From <= p.To
}

// String returns "any", one number, or "from-to".
func (p Ports) String() string {
	switch {
	case !p.Given:
		return "any"
	case p.From == p.To:
		return fmt.Sprint(p.From)
	}
	return fmt.Sprintf("%d-%d", p.From, p.To)
}

// IsValid reports whether some datagram could match: both ranges valid and of one family, port ranges in order.
func (f *Filter) IsValid() bool {
	return f.Src.IsValid() && f.Dst.IsValid() && f.Src.From.BitLen() == f.Dst.From.BitLen() && f.SrcPorts.IsValid() && f.DstPorts.IsValid()
}

// Match reports whether the datagram with key k is one of the filter's. A filter that names a protocol or a port does not
// match a datagram in which that could not be read (OPAQUE, RFC 4301 §4.4.1.1).
func (f *Filter) Match(k *packet.Key) bool {
	if !f.Src.Contains(k.Src) || !f.Dst.Contains(k.Dst) {
		return false
	}
	if f.Proto != 0 && (k.Flags&packet.ProtoKnown == 0 || f.Proto != k.Proto) {
		return false
	}
	known := k.Flags&packet.PortsKnown != 0
	return f.SrcPorts.match(k.SrcPort, known) && f.DstPorts.match(k.DstPort, known)
}

// Mirror returns the filter of the opposite direction: addresses and ports change sides. The type and code of ICMP, ICMPv6 and
// mobility headers have no sides and stay.
func (f Filter) Mirror() Filter {
	f.Src, f.Dst = f.Dst, f.Src
	if f.Proto != 1 && f.Proto != 58 && f.Proto != 135 {
		f.SrcPorts, f.DstPorts = f.DstPorts, f.SrcPorts
	}
	return f
}

// Contains reports whether every datagram of g is also one of f's. Every filter contains one that is not valid.
func (f *Filter) Contains(g *Filter) bool {
	if !g.IsValid() {
		return true
	}
	return f.IsValid() && f.Src.Covers(g.Src) && f.Dst.Covers(g.Dst) && (f.Proto == 0 || f.Proto == g.Proto) &&
		f.SrcPorts.covers(g.SrcPorts) && f.DstPorts.covers(g.DstPorts)
}

// Overlaps reports whether some datagram is one of both.
func (f *Filter) Overlaps(g *Filter) bool {
	return f.IsValid() && g.IsValid() && f.Src.Overlaps(g.Src) && f.Dst.Overlaps(g.Dst) &&
		(f.Proto == 0 || g.Proto == 0 || f.Proto == g.Proto) && f.SrcPorts.overlaps(g.SrcPorts) && f.DstPorts.overlaps(g.DstPorts)
}

// String returns the filter as people write it, such as "10.0.0.1 -> 192.0.2.0/24 proto 6 any -> 25".
func (f Filter) String() string {
	s := f.Src.String() + " -> " + f.Dst.String()
	if f.Proto != 0 {
		s += fmt.Sprintf(" proto %d", f.Proto)
	}
	if !f.SrcPorts.Given && !f.DstPorts.Given {
		return s
	}
	return s + " ports " + f.SrcPorts.String() + " -> " + f.DstPorts.String()
}
