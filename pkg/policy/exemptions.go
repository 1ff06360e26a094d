package policy

import (
	"net/netip"
	"strings"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/packet"
)

// Exemptions says which traffic passes whatever the filters say: what Windows calls the default exemptions, a level from 0 to 3. The zero
// value is level 3, the strictest, so that a policy that was made without a thought of them has no hole. IKE, ESP and AH of the
// endpoint, loopback, neighbour discovery and multicast listener discovery always pass and are not part of it.
type Exemptions uint8

const (
	// ExemptKerberos lets Kerberos (TCP and UDP, port 88 at either end) and RSVP (IP protocol 46) pass: levels 0 and 2.
	ExemptKerberos Exemptions = 1 << iota
	// ExemptMulticast lets multicast and broadcast pass: levels 0 and 1.
	ExemptMulticast
)

// StrictestLevel is the level with no exemptions but IKE: the default.
const StrictestLevel = 3

// ExemptionLevel returns the exemptions of a level from 0 to 3; false if there is no such level.
func ExemptionLevel(n int) (Exemptions, bool) {
	if n < 0 || n > StrictestLevel {
		return 0, false
	}
	return Exemptions(StrictestLevel - n), true
}

// Level is the number that the level has in Windows' setting.
func (x Exemptions) Level() int { return StrictestLevel - int(x) }

const (
	protoTCP     = 6
	protoUDP     = 17
	protoRSVP    = 46
	kerberosPort = 88
)

var (
	broadcast   = classifier.HostRange(netip.AddrFrom4([4]byte{255, 255, 255, 255}))
	multicastV4 = classifier.RangeOf(netip.MustParsePrefix("224.0.0.0/4"))
	multicastV6 = classifier.RangeOf(netip.MustParsePrefix("ff00::/8"))
)

// Filters returns what is exempt as filters. They hold in both directions, and before every filter of a policy. Broadcast to a subnet's own
// address is not among them: only the host knows its subnets.
func (x Exemptions) Filters() []classifier.Filter {
	var list []classifier.Filter
	if x&ExemptMulticast != 0 {
		list = append(list, classifier.Filter{Src: classifier.AnyV4, Dst: multicastV4}, classifier.Filter{Src: classifier.AnyV4, Dst: broadcast},
			classifier.Filter{Src: classifier.AnyV6, Dst: multicastV6})
	}
	if x&ExemptKerberos == 0 {
		return list
	}
	for _, all := range anyRanges {
		list = append(list, classifier.Filter{Src: all, Dst: all, Proto: protoRSVP})
		for _, proto := range [...]uint8{protoTCP, protoUDP} {
			list = append(list, classifier.Filter{Src: all, Dst: all, Proto: proto, SrcPorts: classifier.Port(kerberosPort)},
				classifier.Filter{Src: all, Dst: all, Proto: proto, DstPorts: classifier.Port(kerberosPort)})
		}
	}
	return list
}

// Match reports whether a datagram is exempt. It allocates nothing. A datagram whose ports cannot be read is not taken for Kerberos.
func (x Exemptions) Match(k *packet.Key) bool {
	if x == 0 {
		return false
	}
	if x&ExemptMulticast != 0 && (k.Dst.IsMulticast() || k.Dst == broadcast.From) {
		return true
	}
	if x&ExemptKerberos == 0 || k.Flags&packet.ProtoKnown == 0 {
		return false
	}
	switch k.Proto {
	case protoRSVP:
		return true
	case protoTCP, protoUDP:
		return k.Flags&packet.PortsKnown != 0 && (k.SrcPort == kerberosPort || k.DstPort == kerberosPort)
	}
	return false
}

// Hole says what a level lets pass that an attacker can make use of; "" for the levels that have no such hole.
func (x Exemptions) Hole() string {
	if x&ExemptKerberos == 0 {
		return ""
	}
	return "anything from source port 88, TCP or UDP, passes in clear to every port of this host, whatever the filters say"
}

// String names what is exempt, for people.
func (x Exemptions) String() string {
	var parts []string
	if x&ExemptMulticast != 0 {
		parts = append(parts, "multicast", "broadcast")
	}
	if x&ExemptKerberos != 0 {
		parts = append(parts, "RSVP", "Kerberos")
	}
	return strings.Join(append(parts, "IKE"), ", ")
}
