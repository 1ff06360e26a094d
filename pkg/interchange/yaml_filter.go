package interchange

import (
	"strings"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/policy"
)

// filterLines writes filters, one a line.
func filterLines(list []filterDraft) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = "- " + text(filterText(&list[i].GenericFilter))
		if c := list[i].comment; c != "" {
			out[i] += " " + comment(c)
		}
	}
	return out
}

// filterText writes a filter in the form on one line.
func filterText(g *policy.GenericFilter) string {
	arrow := " -> "
	if g.Mirrored {
		arrow = " <-> "
	}
	s := sideText(&g.Src) + arrow + sideText(&g.Dst)
	if g.Proto == 0 {
		return s
	}
	s += " " + protocolText(g.Proto)
	src, dst := g.SrcPorts, g.DstPorts
	switch {
	case isICMP(g.Proto) && dst.Given:
		return s + " " + src.String() + " " + dst.String()
	case isICMP(g.Proto) && src.Given:
		return s + " " + src.String()
	case src.Given:
		return s + " " + src.String() + " " + dst.String()
	case dst.Given:
		return s + " " + dst.String()
	}
	return s
}

// sideText writes one side so that a reader takes it for the same kind: a name of one label has a dot behind it.
func sideText(a *policy.AddrSpec) string {
	switch a.Kind {
	case policy.DNSName:
		if !strings.Contains(a.Name, ".") {
			return a.Name + "."
		}
		return a.Name
	case policy.Host, policy.Subnet, policy.AddrRange:
		return rangeText(a.Range)
	}
	return a.String()
}

// rangeText writes a range of addresses; every address of a family as a prefix, since any means both families.
func rangeText(r classifier.Range) string {
	if r.IsHost() {
		return r.From.String()
	}
	if p, ok := r.Prefix(); ok {
		return p.String()
	}
	return r.From.String() + "-" + r.To.String()
}

// protocolNames are the names that are used for the commonest protocols.
var protocolNames = map[uint8]string{1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 51: "ah", 58: "icmpv6", 132: "sctp"}

func protocolText(p uint8) string {
	if name, ok := protocolNames[p]; ok {
		return name
	}
	return itoa(int(p))
}

func isICMP(p uint8) bool { return p == 1 || p == 58 }
