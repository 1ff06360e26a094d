package inspect

import (
	"fmt"
	"strconv"
	"strings"
)

// protocols are the IP protocols that people call by name.
var protocols = map[uint8]string{1: "icmp", 2: "igmp", 4: "ipip", 6: "tcp", 17: "udp", 33: "dccp", 41: "ipv6", 47: "gre", 50: "esp", 51: "ah",
	58: "icmpv6", 89: "ospf", 103: "pim", 112: "vrrp", 115: "l2tp", 132: "sctp", 135: "mobility", 136: "udplite"}

// protocolName is a protocol's name, or its number.
func protocolName(p uint8) string {
	if s, ok := protocols[p]; ok {
		return s
	}
	return "protocol " + strconv.Itoa(int(p))
}

// ParseProtocol reads a protocol by name ("tcp", "icmpv6") or by number.
func ParseProtocol(s string) (uint8, error) {
	for n, name := range protocols {
		if strings.EqualFold(name, s) {
			return n, nil
		}
	}
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil {
		return 0, fmt.Errorf("%.20q is no protocol: write a name such as tcp, udp, icmp or icmpv6, or a number from 0 to 255", s)
	}
	return uint8(n), nil
}

// hasTypes reports whether a protocol has types and codes in the place of ports.
func hasTypes(p uint8) bool { return p == 1 || p == 58 || p == 135 }

// hasPorts reports whether a protocol has ports.
func hasPorts(p uint8) bool { return p == 6 || p == 17 || p == 33 || p == 132 || p == 136 }
