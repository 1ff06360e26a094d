package policy

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/goipsec/goipsec/pkg/classifier"
)

// addMainMode notes that IKE may speak between an address pair for r. Rules that share a pair must agree: a responder has
// nothing but the initiator's address to choose by.
func (x *expansion) addMainMode(r *Rule, p addressPair) {
	m, known := x.pairs[p]
	if !known {
		m = &MainModeFilter{Local: p.local, Remote: p.remote, Rule: r, Meaning: x.mmMeaning}
		x.pairs[p] = m
		x.mainMode = append(x.mainMode, m)
		return
	}
	if m.has(x.mmMeaning) || x.clash[rulePair{m.Rule, r}] {
		return
	}
	if m.standsBeside(r) {
		m.Others = append(m.Others, &MainModeFilter{Local: p.local, Remote: p.remote, Rule: r, Meaning: x.mmMeaning})
		return
	}
	if m.Rule.Connection != r.Connection || usesLive(m.Rule) || usesLive(r) {
		x.settlePair(m, r)
		return
	}
	x.clash[rulePair{m.Rule, r}] = true
	f := m.Filter()
	x.faults.add(r.Source, "a responder chooses these by the peer's address alone: give both rules the same, or different peers",
		"rule %q and rule %q (%v) both negotiate for %s, but differ in their authentication or in exchange mode, the peer's port, DPD or fragmentation",
		r.Name, m.Rule.Name, m.Rule.Source, x.show(&f))
}

// has reports whether m, or one of the others for its addresses, has a meaning.
func (m *MainModeFilter) has(meaning string) bool {
	return m.Meaning == meaning || slices.ContainsFunc(m.Others, func(o *MainModeFilter) bool { return o.Meaning == meaning })
}

// standsBeside reports whether a responder can tell the peers of r from those that m and the others are for, though the addresses are the same: in aggressive mode a
// peer says at once who it is. Rules that begin themselves are none of these.
func (m *MainModeFilter) standsBeside(r *Rule) bool {
	named := identities(r)
	if !r.answersByName() || len(named) == 0 {
		return false
	}
	for _, o := range append([]*MainModeFilter{m}, m.Others...) {
		others := identities(o.Rule)
		if !o.Rule.answersByName() || len(others) == 0 || slices.ContainsFunc(named, func(id string) bool { return slices.Contains(others, id) }) {
			return false
		}
	}
	return true
}

func (r *Rule) answersByName() bool {
	return r.Aggressive && r.Tunnel != nil && !r.Tunnel.Remote.IsValid() && !r.Tunnel.Endpoint.IsValid()
}

// identities are those that a rule wants of its peers, nil if one of its methods takes any.
func identities(r *Rule) []string {
	var list []string
	for _, a := range r.Auth {
		if a.RemoteID == "" {
			return nil
		}
		list = append(list, strings.ToLower(a.RemoteID))
	}
	return list
}

// settlePair chooses between two rules that share an address pair at the moment only, as equal does between filters.
func (x *expansion) settlePair(m *MainModeFilter, r *Rule) {
	stays, goes := m.Rule, r
	if cmp.Or(typed(m.Rule)-typed(r), strings.Compare(r.Name, m.Rule.Name)) < 0 {
		stays, goes = r, m.Rule
		m.Rule, m.Meaning = r, x.mmMeaning
	}
	if !x.offline && typed(stays) == typed(goes) && !x.clash[rulePair{goes, stays}] {
		x.clash[rulePair{goes, stays}] = true
		f := m.Filter()
		x.warn(goes.Source, "rule %q and rule %q (%v) both negotiate for %s now, and differ in their authentication or in the peer's options: those of rule %q hold",
			goes.Name, stays.Name, stays.Source, x.show(&f), stays.Name)
	}
}

func usesLive(r *Rule) bool {
	for i := range r.Filters {
		if r.Filters[i].live() {
			return true
		}
	}
	return false
}

// rulePair names two rules, so that a disagreement over many address pairs is complained of once.
type rulePair struct{ a, b *Rule }

// settleMainMode orders the main-mode filters, heaviest first.
func (x *expansion) settleMainMode() []*MainModeFilter {
	entries := make([]classifier.Entry[*MainModeFilter], len(x.mainMode))
	for i, m := range x.mainMode {
		entries[i] = classifier.Entry[*MainModeFilter]{Filter: m.Filter(), Value: m}
	}
	classifier.Sort(entries, func(a, b **MainModeFilter) int {
		f, g := (*a).Filter(), (*b).Filter()
		return compareBytes(&f, &g)
	})
	for i := range entries {
		x.mainMode[i] = entries[i].Value
		x.mainMode[i].rank = i
	}
	return x.mainMode
}

// pairIndex finds the heaviest main-mode filter of an address pair: one hash map for each combination of prefix lengths that
// occurs (a handful in practice, 33² or 129² at the very most), and a list for ranges that are no prefixes.
type pairIndex struct {
	shapes []pairShape
	odd    []*MainModeFilter // heaviest first
}

type pairShape struct {
	v4                    bool
	localBits, remoteBits int
	filters               map[prefixPair]*MainModeFilter
}

type prefixPair struct{ local, remote netip.Prefix }

// indexPairs builds the index of filters that are ordered, heaviest first.
func indexPairs(list []*MainModeFilter) pairIndex {
	type shape struct {
		v4            bool
		local, remote int
	}
	var x pairIndex
	at := map[shape]int{}
	for _, m := range list {
		local, ok1 := m.Local.Prefix()
		remote, ok2 := m.Remote.Prefix()
		if !ok1 || !ok2 {
			x.odd = append(x.odd, m)
			continue
		}
		s := shape{m.Local.From.Is4(), local.Bits(), remote.Bits()}
		i, ok := at[s]
		if !ok {
			i = len(x.shapes)
			at[s] = i
			x.shapes = append(x.shapes, pairShape{v4: s.v4, localBits: s.local, remoteBits: s.remote, filters: map[prefixPair]*MainModeFilter{}})
		}
		x.shapes[i].filters[prefixPair{local, remote}] = m
	}
	return x
}

// find returns the heaviest filter, or nil.
func (x *pairIndex) find(local, remote netip.Addr) *MainModeFilter {
	var best *MainModeFilter
	if !local.IsValid() || !remote.IsValid() || local.Is4() != remote.Is4() {
		return nil
	}
	for i := range x.shapes {
		s := &x.shapes[i]
		if s.v4 != local.Is4() {
			continue
		}
		l, _ := local.Prefix(s.localBits)
		r, _ := remote.Prefix(s.remoteBits)
		if m := s.filters[prefixPair{l, r}]; m != nil && (best == nil || m.rank < best.rank) {
			best = m
		}
	}
	for _, m := range x.odd {
		if best != nil && best.rank < m.rank {
			break
		}
		if m.Local.Contains(local) && m.Remote.Contains(remote) {
			return m
		}
	}
	return best
}
