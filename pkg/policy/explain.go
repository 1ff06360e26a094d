package policy

import (
	"strings"

	"github.com/goipsec/goipsec/pkg/classifier"
)

// Match is a filter that a question touches.
type Match struct {
	Filter *QuickModeFilter
	// Whole is set if all of the question's datagrams are the filter's; clear if only some are. The first Match that is whole
	// decides; those before it decide for the part that they hold.
	Whole bool
	// Why says why the filter weighs less than the Match before it; "" for the first.
	Why string
}

// Explain returns the filters that a datagram meets, heaviest first, at most limit of them (0: all). The question q is itself a filter:
// of one datagram, if both ranges are single addresses and protocol and ports are given; ports that are not given are ports that
// cannot be read, so that a filter with ports does not hold all of q, but may touch it. No whole Match means that no filter decides.
func (c *Compiled) Explain(q classifier.Filter, outbound bool, limit int) []Match {
	list := c.Inbound
	if outbound {
		list = c.Outbound
	}
	var found []Match
	for _, f := range list {
		if !f.Filter.Overlaps(&q) {
			continue
		}
		m := Match{Filter: f, Whole: f.Filter.Contains(&q)}
		if n := len(found); n > 0 {
			m.Why = lighter(f, found[n-1].Filter)
		}
		found = append(found, m)
		if limit > 0 && len(found) == limit {
			break
		}
	}
	return found
}

// Decision returns the filter that decides for all of q, nil if there is none.
func (c *Compiled) Decision(q classifier.Filter, outbound bool) *QuickModeFilter {
	list := c.Inbound
	if outbound {
		list = c.Outbound
	}
	for _, f := range list {
		if f.Filter.Contains(&q) {
			return f
		}
	}
	return nil
}

// weightFields says, for each field of a weight, what the heavier filter has.
var weightFields = []string{
	"fewer of its sides are a single address",
	"more of its sides are any",
	"its prefixes are shorter",
	"its ranges fill more of their prefixes",
	"it names no protocol",
	"it has more destination ports",
	"it has more source ports",
}

// lighter says why f comes behind heavy.
func lighter(f, heavy *QuickModeFilter) string {
	a, b := strings.Split(f.Weight(), "."), strings.Split(heavy.Weight(), ".")
	for i := range min(len(a), len(b), len(weightFields)) {
		if a[i] != b[i] {
			return weightFields[i]
		}
	}
	if f.Action != heavy.Action {
		return "equal weight: " + heavy.Action.String() + " goes before " + f.Action.String()
	}
	return "equal weight and action: a fixed order of addresses decides"
}
