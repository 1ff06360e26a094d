package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/goipsec/goipsec/pkg/classifier"
)

const (
	icmp   = 1
	icmpv6 = 58
)

// protocols are the names that a filter may use, by their IANA numbers.
var protocols = map[string]uint8{
	"icmp": icmp, "igmp": 2, "ipip": 4, "tcp": 6, "egp": 8, "udp": 17, "dccp": 33, "ipv6": 41, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51,
	"icmpv6": icmpv6, "ipv6-icmp": icmpv6, "icmp6": icmpv6, "eigrp": 88, "ospf": 89, "pim": 103, "vrrp": 112, "l2tp": 115,
	"sctp": 132, "udplite": 136,
}

var protocolNames = func() []string {
	names := []string{"any"}
	for n := range protocols {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}()

// protocol reads a protocol by name or number; 0 is any.
func protocol(s string) (p uint8, hint string, ok bool) {
	s = strings.ToLower(s)
	if s == "any" {
		return 0, "", true
	}
	if p, ok := protocols[s]; ok {
		return p, "", true
	}
	v, err := strconv.ParseUint(s, 10, 8)
	switch {
	case err == nil && v > 0 && strconv.FormatUint(v, 10) == s:
		return uint8(v), "", true
	case err == nil && v == 0:
		return 0, "leave it out for any protocol", false
	}
	return 0, didYouMean(s, protocolNames, "write a number from 1 to 255 or a name such as tcp, udp, icmp, icmpv6, gre, sctp"), false
}

func isICMP(proto uint8) bool { return proto == icmp || proto == icmpv6 }

// hasPorts reports whether the protocol's first four bytes are its ports.
func hasPorts(proto uint8) bool { return slices.Contains([]uint8{6, 17, 33, 132, 136}, proto) }

// ports reads one number or a range from-to, up to limit.
func ports(s string, limit uint64) (p classifier.Ports, problem string) {
	if strings.EqualFold(s, "any") {
		return p, ""
	}
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	lo, ok1 := parseNumber(strings.TrimSpace(from))
	hi, ok2 := parseNumber(strings.TrimSpace(to))
	switch {
	case !ok1 || !ok2 || lo > limit || hi > limit:
		return p, "must be a number from 0 to " + strconv.FormatUint(limit, 10) + ", a range such as 10-20, or any"
	case lo > hi:
		return p, "ends before it begins"
	}
	return classifier.Ports{From: uint16(lo), To: uint16(hi), Given: true}, ""
}
