package policy

import (
	"slices"

	"github.com/goipsec/goipsec/pkg/classifier"
)

// castOf names what a range is made of, "" if it holds some address of a single host.
func castOf(a classifier.Range) string {
	switch {
	case !a.IsValid():
		return ""
	case multicastV4.Covers(a) || multicastV6.Covers(a):
		return "multicast"
	case a == broadcast:
		return "broadcast"
	}
	return ""
}

// unicast refuses to protect multicast and broadcast, with which no keys can be negotiated: filters for them permit or block. list are the ranges of one side of a filter.
func (x *expansion) unicast(r *Rule, at Position, list []classifier.Range) bool {
	if r.Action.Kind != Negotiate {
		return true
	}
	for _, a := range list {
		what := castOf(a)
		if what == "" && a.IsHost() && slices.Contains(x.host.Broadcasts, a.From) {
			what = "broadcast in a subnet of this host"
		}
		if what != "" {
			x.faults.add(at, "permit or block it", "rule %q: IKE cannot protect %s (%v): there is no one peer to negotiate with", r.Name, what, a)
			return false
		}
	}
	return true
}
