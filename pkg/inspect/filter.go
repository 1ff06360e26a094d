package inspect

import (
	"strings"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/policy"
)

// FilterText writes a specific filter as people read it: "192.0.2.1 -> 198.51.100.0/24 tcp, port 25".
func FilterText(f classifier.Filter) string {
	return f.Src.String() + " -> " + f.Dst.String() + upperText(f.Proto, f.SrcPorts, f.DstPorts)
}

// upperText is the protocol and port part of a filter, with a leading space, or "".
func upperText(proto uint8, src, dst classifier.Ports) string {
	var parts []string
	if proto != 0 {
		parts = append(parts, protocolName(proto))
	}
	from, to := "from port ", "port "
	if hasTypes(proto) {
		from, to = "type ", "code "
	}
	if src.Given {
		parts = append(parts, from+src.String())
	}
	if dst.Given {
		parts = append(parts, to+dst.String())
	}
	if len(parts) == 0 {
		return ""
	}
	return " " + strings.Join(parts, ", ")
}

// genericText writes a filter as the policy holds it.
func genericText(g *policy.GenericFilter) string {
	arrow := " -> "
	if g.Mirrored {
		arrow = " <-> "
	}
	return addrText(&g.Src) + arrow + addrText(&g.Dst) + upperText(g.Proto, g.SrcPorts, g.DstPorts)
}

func addrText(a *policy.AddrSpec) string {
	if a.Kind != policy.DNSName || len(a.Resolved) == 0 {
		return a.String()
	}
	addrs := make([]string, len(a.Resolved))
	for i, r := range a.Resolved {
		addrs[i] = r.String()
	}
	return a.Name + " (" + strings.Join(addrs, ", ") + ")"
}
