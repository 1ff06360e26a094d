package classifier

import (
	"net/netip"

	"github.com/goipsec/goipsec/pkg/packet"
)

// Range is an inclusive range of addresses of one family. The zero Range is invalid.
type Range struct{ From, To netip.Addr }

// Ports is an inclusive range of ports, or of ICMP types (source) or codes (destination). The zero value is any.
type Ports struct {
	From, To uint16
	Given    bool
}

// Filter says which datagrams a rule is for: both ranges of one family, a protocol (0: any), ports.
// It is the slow, obvious truth; Index gives the same answers fast.
type Filter struct {
	Src, Dst           Range
	Proto              uint8 // 0: any
	SrcPorts, DstPorts Ports
}

// Match reports whether the datagram with key k is one of the filter's.
func (f *Filter) Match(k *packet.Key) bool { panic("being written") }

// Mirror returns the filter of the opposite direction.
func (f Filter) Mirror() Filter { panic("being written") }

// Contains reports whether every datagram of g is also one of f's.
func (f *Filter) Contains(g *Filter) bool { panic("being written") }

// Overlaps reports whether some datagram is one of both.
func (f *Filter) Overlaps(g *Filter) bool { panic("being written") }

// Compare orders filters by weight: positive if f is heavier (more specific) than g, 0 on equal weight. If the datagrams of
// f are a proper subset of g's the result is positive.
func (f *Filter) Compare(g *Filter) int { panic("being written") }

// Weight is what Compare compares, for people: a short, documented form that policy show prints and that sorts like Compare.
func (f *Filter) Weight() string { panic("being written") }
