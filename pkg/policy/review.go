package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/packet"
)

// Finding is something in a policy that works, and most likely does not do what its author thinks.
type Finding struct {
	Code     string // for programs: one of the Code constants
	Position Position
	Message  string // what is so
	Instead  string // what to write
}

// The codes of findings.
const (
	CodeNeverMatches = "never-matches"       // heavier filters take all of its packets
	CodeNotChecked   = "not-checked"         // too many filters to tell whether they can match
	CodeAnswers      = "answers-stopped"     // what is permitted has no way back
	CodeEverybody    = "negotiates-with-all" // a host that roams is cut off
	CodeSameGateway  = "gateway-key-unclear" // two keys for one gateway
)

// String returns the finding with its place.
func (f Finding) String() string {
	return Warning{f.Position, f.Message + ": " + f.Instead}.String()
}

// review is one look at a compiled policy.
type review struct {
	c       *Compiled
	out, in lookup
	list    []Finding
}

// Review says what in an expanded policy deserves another look: filters that can never match, permitted traffic whose answers are stopped, negotiation with everybody,
// two keys for one gateway. In the order of their places, at most maxErrors of a kind. It takes time in proportion to n log n at most.
func Review(c *Compiled) []Finding {
	r := &review{c: c, out: lookup{list: c.Outbound}, in: lookup{list: c.Inbound}}
	r.neverMatching()
	r.answers()
	r.everybody()
	r.gateways()
	slices.SortStableFunc(r.list, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Position.Line, b.Position.Line), cmp.Compare(a.Position.Column, b.Position.Column))
	})
	return r.list
}

func (r *review) add(code string, at Position, instead, format string, args ...any) {
	same := 0
	for i := range r.list {
		if r.list[i].Code == code {
			same++
		}
	}
	if same < maxErrors {
		r.list = append(r.list, Finding{code, at, fmt.Sprintf(format, args...), instead})
	}
}

// lookup finds the filter of a list that decides for a packet: by going through the list while few ask, by an index when many do.
type lookup struct {
	list    []*QuickModeFilter
	scanned int
	index   *classifier.Index[struct{}]
}

// find returns the position of the deciding filter, -1 if there is none.
func (l *lookup) find(k *packet.Key) int {
	if l.index == nil && l.scanned < fewScanned {
		for i, f := range l.list {
			if f.Filter.Match(k) {
				l.scanned += i
				return i
			}
		}
		l.scanned += len(l.list)
		return -1
	}
	if l.index == nil {
		entries := make([]classifier.Entry[struct{}], len(l.list))
		for i, f := range l.list {
			entries[i].Filter = f.Filter
		}
		l.index = classifier.Build(entries)
	}
	if i, ok := l.index.Find(k); ok {
		return i
	}
	return -1
}

// neverMatching looks for generic filters all of whose specific ones are taken by heavier ones.
func (r *review) neverMatching() {
	alive := map[*GenericFilter]bool{}
	dead := map[*GenericFilter][]*QuickModeFilter{} // what takes the packets of each
	order := []*QuickModeFilter{}
	unchecked, budget := 0, maxScanned
	for _, l := range [...]*lookup{&r.out, &r.in} {
		for i, f := range l.list {
			if !mayBeCovered(&f.Filter) || alive[f.source] {
				continue
			}
			if i == 0 || r.sampled(l, i) {
				alive[f.source] = true
				continue
			}
			if budget -= i; budget < 0 {
				unchecked++
				alive[f.source] = true
				continue
			}
			by := covered(f, l.list[:i])
			if by == nil {
				alive[f.source] = true
				continue
			}
			if _, known := dead[f.source]; !known {
				order = append(order, f)
			}
			dead[f.source] = append(dead[f.source], by...)
		}
	}
	for _, f := range order {
		if !alive[f.source] {
			r.add(CodeNeverMatches, f.Source(), "delete it, or make those narrower", "rule %q: the filter %s can never match: heavier ones take all of its packets (%s)",
				f.Rule.Name, f.source, rulesOf(dead[f.source]))
		}
	}
	if unchecked > 0 {
		r.add(CodeNotChecked, r.c.Policy.firstPosition(), "look at those that many others are exceptions from with policy explain", "for %d filters it was not found out whether they can ever match: too many heavier ones overlap them", unchecked)
	}
}

// sampled reports whether a filter decides for one of its packets at least.
func (r *review) sampled(l *lookup, i int) bool {
	keys := samples(&l.list[i].Filter)
	return slices.ContainsFunc(keys, func(k packet.Key) bool { return l.find(&k) == i })
}

// rulesOf names a few of the rules of filters, with their places.
func rulesOf(list []*QuickModeFilter) string {
	const few = 3
	var names []string
	for _, f := range list {
		name := fmt.Sprintf("rule %q on line %d", f.Rule.Name, f.Source().Line)
		if slices.Contains(names, name) {
			continue
		}
		if len(names) == few {
			return strings.Join(names, ", ") + " and others"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// answers looks for permitted traffic of one direction whose answers another rule stops.
func (r *review) answers() {
	seen := map[*GenericFilter]bool{}
	for _, d := range [...]struct{ there, back *lookup }{{&r.out, &r.in}, {&r.in, &r.out}} {
		for _, f := range d.there.list {
			if f.Action != Permit || f.source.Mirrored || f.Twin != nil || isICMP(f.Filter.Proto) || seen[f.source] {
				continue
			}
			seen[f.source] = true
			back := f.Filter.Mirror()
			k := samples(&back)[2]
			i := d.back.find(&k)
			if i < 0 || d.back.list[i].Action == Permit {
				continue
			}
			stops := d.back.list[i]
			r.add(CodeAnswers, f.Source(), "write <-> for both directions, if answers are meant to pass", "rule %q permits %s, and what comes back is for rule %q on line %d, which does %v",
				f.Rule.Name, f.source, stops.Rule.Name, stops.Source().Line, stops.Action)
		}
	}
}

// isICMP: the answer to a type is another type, and what that is no filter says.
func isICMP(proto uint8) bool { return proto == 1 || proto == 58 }

// everybody looks for rules that want IPsec of whomever this host meets.
func (r *review) everybody() {
	for _, rule := range r.c.Policy.Rules {
		a := &rule.Action
		if a.Kind != Negotiate || rule.Manual != nil || rule.Tunnel != nil || a.Fallback != nil || rule.Connection == LAN {
			continue
		}
		for i := range rule.Filters {
			g := &rule.Filters[i]
			if g.Proto == 0 && (g.Src.Kind == Me && g.Dst.Kind == Any || g.Src.Kind == Any && g.Dst.Kind == Me) {
				r.add(CodeEverybody, g.Source, "name the networks whose hosts have IPsec, or write connection: lan, and permit me <-> dns, me <-> dhcp and me <-> gateway",
					"rule %q negotiates with everybody (%s): a host that roams meets name servers, DHCP servers and gateways that have no IPsec, and is cut off", rule.Name, g)
			}
		}
	}
}

// gateways looks for tunnel rules that share a gateway, and differ in what main mode takes from them, where it is not the same address pair that shows it.
func (r *review) gateways() {
	first := map[string]*Rule{}
	for _, rule := range r.c.Policy.Rules {
		t := rule.Tunnel
		if t == nil || !t.Remote.IsValid() || rule.Action.Kind != Negotiate || rule.Manual != nil {
			continue
		}
		// With a local end in one and none in the other the pairs only overlap: the heavier decides, and the other's key is never used there.
		for _, pair := range [...]bool{true, false} {
			other := first[fmt.Sprint(t.Remote, pair)]
			if other == nil || pair == t.Local.IsValid() || mainModeMeaning(r.c.Policy, other) == mainModeMeaning(r.c.Policy, rule) {
				continue
			}
			r.add(CodeSameGateway, rule.Source, "give both rules the same auth, and the same local end",
				"rule %q and rule %q on line %d are tunnels to %v with different authentication, and only one of them names its local end: the one that does decides for both where that end is used",
				rule.Name, other.Name, other.Source.Line, t.Remote)
			break
		}
		key := fmt.Sprint(t.Remote, t.Local.IsValid())
		if first[key] == nil {
			first[key] = rule
		}
	}
}

// firstPosition is the place of the first rule.
func (p *Policy) firstPosition() Position {
	if len(p.Rules) == 0 {
		return Position{}
	}
	return p.Rules[0].Source
}
