package interchange

import (
	"net/netip"

	"github.com/goipsec/goipsec/pkg/policy"
)

// childRules makes the rules of one child.
type childRules struct {
	*swan
	conn  *connection
	child *child
	rule  *ruleDraft      // what the child is
	rest  *ruleDraft      // what of it has to be blocked
	wide  map[string]bool // the sides of what is there for every protocol
}

// rules makes the rule of a child, and one that blocks for those of its selectors that IKEv1 has no room for, or that cannot be read. Nothing is permitted that is not there for
// certain.
func (s *swan) rules(c *connection, x *child, auth []authDraft) (list []*ruleDraft) {
	s.file = x.file
	r := &ruleDraft{}
	r.Name = label(c.name, "connection")
	if len(c.children) > 1 || x.name != "" && x.name != c.name {
		r.Name = label(c.name+"-"+x.name, "connection")
	}
	r.Action.Kind = x.kind
	switch {
	case x.kind == policy.Permit && !x.starts:
		s.lost(x.line, "%s, which lets traffic pass, is left out: it is not started by itself there", quote(r.Name))
		return nil
	case x.kind == policy.Permit && c.problem != "":
		s.lost(x.line, "%s, which lets traffic pass, is left out: %s", quote(r.Name), c.problem)
		return nil
	case x.kind != policy.Negotiate:
	case c.problem != "":
		r.Action.Kind = policy.Block
		r.comment = []string{"In the source this connection is protected. It blocks here: " + c.problem + "."}
	default:
		s.protect(c, x, r, auth)
	}
	rest := &ruleDraft{}
	rest.Name, rest.Action.Kind = r.Name+"-blocked", policy.Block
	m := &childRules{swan: s, conn: c, child: x, rule: r, rest: rest, wide: map[string]bool{}}
	m.pairs()
	if len(r.filters) > 1 && r.Action.Kind == policy.Negotiate {
		s.remark(x.line, "%s has %d pairs of selectors: IKEv1 negotiates each by itself, and a strongSwan peer needs a child for each", quote(r.Name), len(r.filters))
	}
	for _, made := range []*ruleDraft{r, rest} {
		if len(made.filters) > 0 {
			list = append(list, made)
		}
	}
	if list == nil {
		s.lost(x.line, "%s is left out: no pair of selectors is left", quote(r.Name))
	}
	return list
}

// maxPairs bounds the filters of one child: its selectors of both sides multiply.
const maxPairs = 10_000

// pairs makes filters of the selectors of the child.
func (m *childRules) pairs() {
	own, peer := m.ends()
	local, remote := m.bounded()
	if !m.room(len(local) * len(remote)) {
		return
	}
	var rough []policy.GenericFilter
	for _, l := range local {
		for _, r := range remote {
			f, err := pair(l, r, own, peer)
			switch {
			case !fits(&f.Src, &f.Dst):
			case err != nil:
				m.lost(m.child.line, "%s: a pair of selectors is left out: %v", quote(m.rule.Name), err)
				rough = append(rough, f)
			case l.rough || r.rough:
				rough = append(rough, f)
			default:
				m.take(f)
			}
		}
	}
	m.block(rough)
}

// ends are the two sides of what is dynamic.
func (m *childRules) ends() (own, peer policy.AddrSpec) {
	own, peer = policy.AddrSpec{Kind: policy.Me}, policy.AddrSpec{Kind: policy.Any}
	if a, err := netip.ParseAddr(m.conn.local); err == nil {
		own, _ = hostSide(a)
	}
	if a, err := netip.ParseAddr(m.conn.remote); err == nil {
		peer, _ = hostSide(a)
	}
	m.conn.access.inside(m.rule.Tunnel, &own, &peer)
	return own, peer
}

// bounded returns the selectors, of too many those of the shorter side with every address on the other.
func (m *childRules) bounded() (local, remote []selector) {
	local, remote = m.child.local, m.child.remote
	if len(local)*len(remote) <= maxPairs {
		return local, remote
	}
	m.lost(m.child.line, "%s has more than %d pairs of selectors: they are left out", quote(m.rule.Name), maxPairs)
	every := []selector{roughSelector("")}
	switch {
	case min(len(local), len(remote)) > maxPairs:
		return every, every
	case len(local) > len(remote):
		return every, remote
	}
	return local, every
}

// take adds a pair to the rule, or to what is blocked if IKEv1 cannot negotiate it.
func (m *childRules) take(f policy.GenericFilter) {
	if m.rule.Action.Kind != policy.Negotiate || byIKEv1(&f) {
		f.Mirrored = m.rule.Tunnel == nil
		m.rule.filters = append(m.rule.filters, filterDraft{GenericFilter: f})
		if f.Proto == 0 {
			f.Mirrored = true // as block asks for it
			m.wide[f.String()] = true
		}
		return
	}
	f.Mirrored = true
	m.lost(m.child.line, "a pair of selectors of %s cannot be negotiated by IKEv1, which has room for one port and no ICMP type%s",
		quote(m.rule.Name), map[bool]string{true: ": it blocks here"}[m.conn.starts])
	if m.conn.starts {
		m.blocked(f, "In the source this is protected, which IKEv1 cannot: it has room for one port and no ICMP type.")
	}
}

// block blocks what pairs that cannot be read may be about, where the child protects or drops: by their addresses alone. What the rule has in full already needs no more.
func (m *childRules) block(rough []policy.GenericFilter) {
	switch {
	case len(rough) == 0:
		return
	case m.child.kind == policy.Permit, m.child.kind == policy.Negotiate && !m.child.starts:
		m.lost(m.child.line, "those selectors of %s that cannot be read are left out", quote(m.rule.Name))
		return
	}
	before := len(m.rest.filters)
	for _, f := range rough {
		f = policy.GenericFilter{Src: f.Src, Dst: f.Dst, Mirrored: true}
		if sides := f.String(); !m.wide[sides] {
			m.wide[sides] = true
			m.blocked(f, "In the source this is about less, which cannot be read: it blocks here by its addresses alone.")
		}
	}
	if len(m.rest.filters) > before {
		m.lost(m.child.line, "those selectors of %s that cannot be read block here by their addresses alone, whatever the protocol", quote(m.rule.Name))
	}
}

// blocked adds a filter to what is blocked, with the reason once.
func (m *childRules) blocked(f policy.GenericFilter, why string) {
	if k := len(m.rest.comment); k == 0 || m.rest.comment[k-1] != why {
		m.rest.comment = append(m.rest.comment, why)
	}
	m.rest.filters = append(m.rest.filters, filterDraft{GenericFilter: f})
}
