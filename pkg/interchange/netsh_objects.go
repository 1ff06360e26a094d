package interchange

import (
	"fmt"
	"strings"

	"github.com/goipsec/goipsec/pkg/policy"
)

// named returns the name that a command is about. It is needed by every command that makes or changes an object.
func (n *netsh) named(a *arguments) (string, bool) {
	name := strings.TrimSpace(a.value("name"))
	_, byGUID := a.last("guid")
	switch {
	case byGUID:
		n.lost(a.line, "%s: objects are found by their names, not by a GUID, which only Windows knows", a.command)
	case name == "":
		n.lost(a.line, "%s: the name is missing", a.command)
	case strings.EqualFold(name, "all"):
		n.lost(a.line, "%s: all is no name", a.command)
	default:
		return name, true
	}
	return "", false
}

// fresh is named for what is yet to be made.
func (n *netsh) fresh(a *arguments, taken func(string) bool) (string, bool) {
	name, ok := n.named(a)
	if ok && taken(name) {
		n.lost(a.line, "%s: %s is there already, and Windows refuses another: the command is left out", a.command, quote(name))
		return "", false
	}
	return name, ok
}

// renamed gives an object the name of the tag newname.
func (n *netsh) renamed(a *arguments, name string, taken func(string) bool, rename func(string)) {
	s, given := a.last("newname")
	switch s = strings.TrimSpace(s); {
	case !given:
	case s == "" || strings.EqualFold(s, "all") || taken(s) && !strings.EqualFold(s, name):
		n.lost(a.line, "%s: the new name %s cannot be given", a.command, quote(s))
	default:
		rename(s)
	}
}

func (n *netsh) described(a *arguments, to *string) {
	if s, given := a.last("description"); given {
		*to = s
	}
}

// missing notes a command about what is not there. To delete it is how careful scripts begin.
func (n *netsh) missing(a *arguments, what, name string) {
	say := n.lost
	if strings.HasPrefix(a.command, "delete ") {
		say = n.remark
	}
	say(a.line, "%s: there is no %s %s: the command is left out", a.command, what, quote(name))
}

// Filter lists.

func (n *netsh) isList(name string) bool { return n.filterList(name) != nil }

func (n *netsh) addList(a *arguments) {
	if name, ok := n.fresh(a, n.isList); ok {
		n.lists.add(&netshList{line: a.line, name: name, description: a.value("description")})
	}
}

func (n *netsh) setList(a *arguments) {
	name, ok := n.named(a)
	l := n.filterList(name)
	switch {
	case !ok:
	case l == nil:
		n.missing(a, "filter list", name)
	default:
		n.renamed(a, l.name, n.isList, func(s string) { n.lists.rename(l, s) })
		n.described(a, &l.description)
	}
}

func (n *netsh) deleteList(a *arguments) {
	n.deleteNamed(a, "filter list", func(name string) bool { return n.isList(name) },
		func(r *netshRule) string { return r.list.name },
		func(name string) { n.lists.remove(n.filterList(name)) },
		func() (all []string) {
			for _, l := range n.lists.list {
				all = append(all, l.name)
			}
			return all
		})
}

// deleteNamed deletes a list or an action, or all of them; what a rule uses stays, as in Windows.
func (n *netsh) deleteNamed(a *arguments, what string, exists func(string) bool, used func(*netshRule) string, drop func(string), all func() []string) {
	name := strings.TrimSpace(a.value("name"))
	targets := []string{name}
	if strings.EqualFold(name, "all") {
		targets = all()
	} else if !exists(name) {
		n.missing(a, what, name)
		return
	}
	for _, t := range targets {
		if by := n.rulesWith(func(r *netshRule) bool { return strings.EqualFold(used(r), t) }); len(by) > 0 {
			n.remark(a.line, "%s: the %s %s stays, as in Windows, since the rule %s uses it", a.command, what, quote(t), quote(by[0]))
			continue
		}
		drop(t)
	}
}

// Filter actions.

func (n *netsh) isAction(name string) bool { return n.action(name) != nil }

func (n *netsh) addAction(a *arguments) {
	if name, ok := n.fresh(a, n.isAction); ok {
		x := &netshAction{line: a.line, name: name, kind: policy.Negotiate}
		if n.changeAction(a, x) {
			n.actions.add(x)
		}
	}
}

func (n *netsh) setAction(a *arguments) {
	name, ok := n.named(a)
	x := n.action(name)
	switch {
	case !ok:
	case x == nil:
		n.missing(a, "filter action", name)
	case n.changeAction(a, x):
		n.renamed(a, x.name, n.isAction, func(s string) { n.actions.rename(x, s) })
	}
}

// changeAction applies the tags of a command. It changes nothing and returns false if the action itself cannot be read, or what may pass
// in clear: what packets meet is not guessed.
func (n *netsh) changeAction(a *arguments, was *netshAction) bool {
	changed := *was
	x := &changed
	if s, given := a.last("action"); given {
		word, _ := shortened(strings.TrimSpace(s), []string{"permit", "block", "negotiate"})
		kind, ok := map[string]policy.ActionKind{"permit": policy.Permit, "block": policy.Block, "negotiate": policy.Negotiate}[word]
		if !ok {
			n.lost(a.line, "%s: action is permit, block or negotiate, not %s: the command is left out", a.command, quote(s))
			return false
		}
		x.kind = kind
	}
	n.described(a, &x.description)
	if !n.flags(a, map[string]*bool{"qmpfs": &x.pfs, "inpass": &x.pass, "soft": &x.soft}) {
		return false
	}
	if s, given := a.last("qmsecmethods"); given {
		x.methods = quickMethods(s, func(err error) { n.lost(a.line, "%s: a security method is left out: %v", a.command, err) })
		x.stated = true
	}
	*was = changed
	return true
}

func (n *netsh) deleteAction(a *arguments) {
	n.deleteNamed(a, "filter action", func(name string) bool { return n.isAction(name) },
		func(r *netshRule) string { return r.action.name },
		func(name string) { n.actions.remove(n.action(name)) },
		func() (all []string) {
			for _, x := range n.actions.list {
				all = append(all, x.name)
			}
			return all
		})
}

// Filters.

func (n *netsh) addFilter(a *arguments) {
	name := strings.TrimSpace(a.value("filterlist"))
	if name == "" || strings.EqualFold(name, "all") {
		n.lost(a.line, "add filter: the filter list is not named: the filter is left out")
		return
	}
	f, err := netshFilterOf(a)
	if err != nil {
		n.lost(a.line, "add filter: the filter is left out: %v", err)
		return
	}
	l := n.filterList(name)
	if l == nil { // the command makes the list
		l = &netshList{line: a.line, name: name}
		n.lists.add(l)
	}
	l.filters = append(l.filters, f)
}

func (n *netsh) deleteFilter(a *arguments) {
	name := strings.TrimSpace(a.value("filterlist"))
	l := n.filterList(name)
	if l == nil {
		n.missing(a, "filter list", name)
		return
	}
	f, err := netshFilterOf(a)
	if err != nil {
		n.lost(a.line, "delete filter: it is not understood: %v", err)
		return
	}
	for i := range l.filters {
		if sameFilter(&l.filters[i].GenericFilter, &f.GenericFilter) {
			l.filters = append(l.filters[:i], l.filters[i+1:]...)
			return
		}
	}
	n.remark(a.line, "delete filter: the list %s has no such filter", quote(name))
}

func sameFilter(a, b *policy.GenericFilter) bool {
	side := func(x, y *policy.AddrSpec) bool { return x.Kind == y.Kind && x.Range == y.Range && x.Name == y.Name }
	return side(&a.Src, &b.Src) && side(&a.Dst, &b.Dst) && a.Proto == b.Proto && a.SrcPorts == b.SrcPorts && a.DstPorts == b.DstPorts && a.Mirrored == b.Mirrored
}

// netshFilterOf reads the filter that a command describes. Nothing of it is guessed: half a filter would be another one.
func netshFilterOf(a *arguments) (netshFilter, error) {
	f := netshFilter{line: a.line, description: a.value("description")}
	f.Mirrored = true
	if s, given := a.last("mirrored"); given {
		v, ok := yes(s)
		if !ok {
			return f, fmt.Errorf("mirrored is yes or no, not %s", quote(s))
		}
		f.Mirrored = v
	}
	var err error
	if f.Src, err = netshSide(a.value("srcaddr"), a.value("srcmask")); err != nil {
		return f, fmt.Errorf("srcaddr: %w", err)
	}
	if f.Dst, err = netshSide(a.value("dstaddr"), a.value("dstmask")); err != nil {
		return f, fmt.Errorf("dstaddr: %w", err)
	}
	if s, given := a.last("protocol"); given {
		if f.Proto, err = netshProtocol(s); err != nil {
			return f, err
		}
	}
	if s, given := a.last("srcport"); given {
		if f.SrcPorts, err = netshPort(s); err != nil {
			return f, fmt.Errorf("srcport: %w", err)
		}
	}
	if s, given := a.last("dstport"); given {
		if f.DstPorts, err = netshPort(s); err != nil {
			return f, fmt.Errorf("dstport: %w", err)
		}
	}
	return f, checkSides(&f.GenericFilter)
}

// checkSides refuses what no policy file takes.
func checkSides(f *policy.GenericFilter) error {
	if (f.SrcPorts.Given || f.DstPorts.Given) && f.Proto != 6 && f.Proto != 17 {
		return fmt.Errorf("a port needs protocol TCP or UDP")
	}
	four, six := false, false
	for _, s := range []*policy.AddrSpec{&f.Src, &f.Dst} {
		if s.Range.IsValid() {
			four, six = four || s.Range.From.Is4(), six || s.Range.From.Is6()
		}
	}
	switch {
	case four && six:
		return fmt.Errorf("it mixes IPv4 and IPv6: nothing can match it")
	case six && f.Proto == 1:
		return fmt.Errorf("ICMP is a protocol of IPv4; that of IPv6 has the number 58")
	case four && f.Proto == 58:
		return fmt.Errorf("protocol 58, ICMPv6, is one of IPv6")
	}
	return nil
}
