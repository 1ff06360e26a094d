package inspect

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/goipsec/goipsec/pkg/packet"
)

// Question is the selectors of one datagram, as explain is asked for them.
type Question = packet.Key

// Given reports whether a question names a protocol, and whether it names ports.
func Given(k *Question) (proto, ports bool) {
	return k.Flags&packet.ProtoKnown != 0, k.Flags&packet.PortsKnown != 0
}

// ParseQuestion reads the arguments of explain, SRC DST [PROTO [SPORT] DPORT], as the selectors of one datagram. For ICMP the ports are
// type and code. A source port that is not given with a destination port is taken to be one that a client would use.
func ParseQuestion(args []string) (Question, error) {
	var k Question
	if len(args) < 2 || len(args) > 5 {
		return k, errors.New("a question is SRC DST [PROTO [SPORT] DPORT], for example: 192.0.2.1 198.51.100.7 tcp 443")
	}
	var err error
	if k.Src, err = parseAddr(args[0]); err != nil {
		return k, err
	}
	if k.Dst, err = parseAddr(args[1]); err != nil {
		return k, err
	}
	if k.Src.Is4() != k.Dst.Is4() {
		return k, fmt.Errorf("%s and %s are of different families: no datagram has both", k.Src, k.Dst)
	}
	if len(args) == 2 {
		return k, nil
	}
	if k.Proto, err = ParseProtocol(args[2]); err != nil {
		return k, err
	}
	k.Flags |= packet.ProtoKnown
	return k, parsePorts(&k, args[3:])
}

// clientPort stands for a source port that was not given: the first of those that IANA leaves to clients.
const clientPort = 49152

func parsePorts(k *packet.Key, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !hasPorts(k.Proto) && !hasTypes(k.Proto) {
		return fmt.Errorf("%s has no ports", protocolName(k.Proto))
	}
	numbers := make([]uint16, len(args))
	for i, a := range args {
		n, err := strconv.ParseUint(a, 10, 16)
		if err != nil {
			return fmt.Errorf("%.20q is no port: write a number from 0 to 65535", a)
		}
		numbers[i] = uint16(n)
	}
	k.Flags |= packet.PortsKnown
	switch {
	case len(numbers) == 2:
		k.SrcPort, k.DstPort = numbers[0], numbers[1]
	case hasTypes(k.Proto):
		k.SrcPort = numbers[0] // a type alone: code 0
	default:
		k.SrcPort, k.DstPort = clientPort, numbers[0]
	}
	return nil
}

func parseAddr(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return a, fmt.Errorf("%.50q is no address: write one such as 192.0.2.1 or 2001:db8::1", s)
	}
	return a.Unmap().WithZone(""), nil
}

// questionText writes a datagram's selectors as people read them.
func questionText(k *packet.Key) string {
	s := k.Src.String() + " -> " + k.Dst.String()
	if k.Flags&packet.ProtoKnown == 0 {
		return s
	}
	s += " " + protocolName(k.Proto)
	switch {
	case k.Flags&packet.PortsKnown == 0:
	case hasTypes(k.Proto):
		s += fmt.Sprintf(", type %d code %d", k.SrcPort, k.DstPort)
	default:
		s += fmt.Sprintf(", port %d -> %d", k.SrcPort, k.DstPort)
	}
	return s
}
