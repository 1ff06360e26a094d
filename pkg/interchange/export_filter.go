package interchange

import (
	"strings"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/policy"
)

// filters writes a filter list, and reports whether it has filters. A filter that names what netsh cannot is widened in a rule that blocks and left out of
// one that permits: never is more permitted than the policy says.
func (x *exporter) filters(r *policy.Rule, h half, list string) bool {
	var lines [][]string
	for i := range h.filters {
		f := h.filters[i]
		if !sayable(&f) {
			line := f.Source.Line
			if !h.blocks {
				x.lost(line, "rule %s: netsh names single ports of TCP and UDP only: the filter %s %s is left out", quote(r.Name), &f, protocolText(f.Proto))
				continue
			}
			x.lost(line, "rule %s: netsh names single ports of TCP and UDP only: the filter %s blocks all of %s", quote(r.Name), &f, protocolText(f.Proto))
			f.SrcPorts, f.DstPorts = classifier.Ports{}, classifier.Ports{}
		}
		lines = append(lines, filterTags(&f, list))
	}
	if len(lines) == 0 {
		return false
	}
	x.line("add filterlist", tag("name", list))
	for _, tags := range lines {
		x.line("add filter", tags...)
	}
	return true
}

// sayable reports whether netsh has words for the filter's ports.
func sayable(f *policy.GenericFilter) bool {
	for _, p := range [...]classifier.Ports{f.SrcPorts, f.DstPorts} {
		if p.Given && (p.From != p.To || p.From == 0 || f.Proto != 6 && f.Proto != 17) {
			return false
		}
	}
	return true
}

// filterTags writes the tags of add filter.
func filterTags(f *policy.GenericFilter, list string) []string {
	src, srcMask := sideTags(&f.Src, "src")
	dst, dstMask := sideTags(&f.Dst, "dst")
	tags := []string{tag("filterlist", list), src, dst}
	switch f.Proto {
	case 0:
	case 1, 6, 17:
		tags = append(tags, "protocol="+strings.ToUpper(protocolText(f.Proto)))
	default:
		tags = append(tags, "protocol="+itoa(int(f.Proto)))
	}
	tags = append(tags, yesNo("mirrored", f.Mirrored), srcMask, dstMask)
	if f.SrcPorts.Given {
		tags = append(tags, "srcport="+f.SrcPorts.String())
	}
	if f.DstPorts.Given {
		tags = append(tags, "dstport="+f.DstPorts.String())
	}
	return tags
}

// sideTags writes one side and its mask. Masks are for IPv4; of IPv6 and of what is no prefix the ends are written.
func sideTags(a *policy.AddrSpec, side string) (addr, mask string) {
	key := side + "addr="
	switch a.Kind {
	case policy.Host, policy.Subnet, policy.AddrRange:
	case policy.DNSName:
		return key + a.Name, ""
	default:
		return key + strings.ToUpper(a.String()), ""
	}
	if a.Range.IsHost() {
		return key + a.Range.From.String(), ""
	}
	if p, ok := a.Range.Prefix(); ok && p.Addr().Is4() && p.Bits() > 0 {
		return key + p.Addr().String(), side + "mask=" + itoa(p.Bits())
	}
	return key + a.Range.From.String() + "-" + a.Range.To.String(), ""
}
