package interchange

import "github.com/goipsec/goipsec/pkg/policy"

// serverKinds are the server types of a filter's side, which are live keywords here as there.
var serverKinds = map[string]policy.AddrKind{
	"dns": policy.LiveDNS, "wins": policy.LiveWINS, "dhcp": policy.LiveDHCP, "gateway": policy.LiveGateway,
}

// usesWINS reports whether some filter names the WINS servers, which no script tells.
func (s *store) usesWINS() (line int, yes bool) {
	for _, l := range s.lists.list {
		for _, f := range l.filters {
			if f.Src.Kind == policy.LiveWINS || f.Dst.Kind == policy.LiveWINS {
				return f.line, true
			}
		}
	}
	return 0, false
}
