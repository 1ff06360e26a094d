package interchange

import (
	"strings"

	"github.com/goipsec/goipsec/pkg/policy"
)

// defaultMinutes is the main-mode lifetime of a policy that names none: 8 hours.
const defaultMinutes = 480

func (n *netsh) isPolicy(name string) bool { return n.policy(name) != nil }

func (n *netsh) addPolicy(a *arguments) {
	name, ok := n.fresh(a, n.isPolicy)
	if !ok {
		return
	}
	p := &netshPolicy{line: a.line, name: name, lifetime: defaultMinutes}
	p.fallback = netshDefaultRule{line: a.line, active: true}
	n.policies.add(p)
	n.changePolicy(a, p)
}

func (n *netsh) setPolicy(a *arguments) {
	name, ok := n.named(a)
	p := n.policy(name)
	switch {
	case !ok:
	case p == nil:
		n.missing(a, "policy", name)
	default:
		n.changePolicy(a, p)
		n.renamed(a, p.name, n.isPolicy, func(s string) { n.policies.rename(p, s) })
	}
}

// changePolicy applies the tags of a command.
func (n *netsh) changePolicy(a *arguments, p *netshPolicy) {
	n.described(a, &p.description)
	n.flag(a, "mmpfs", &p.masterPFS)
	n.number(a, "qmpermm", 1<<31, &p.quickModes)
	if n.number(a, "mmlifetime", 30*24*60, &p.lifetime) && p.lifetime == 0 {
		p.lifetime = defaultMinutes
	}
	if n.flag(a, "activatedefaultrule", &p.fallback.active) {
		p.fallback.stated, p.fallback.line = true, a.line
	}
	if _, given := a.last("pollinginterval"); given {
		n.remark(a.line, "pollinginterval is not needed: the policy file is read again on SIGHUP, or by goipsec reload")
	}
	if s, given := a.last("mmsecmethods"); given {
		p.methods = mainMethods(s, func(err error) { n.lost(a.line, "%s: a main-mode method is left out: %v", a.command, err) })
	}
	assign := false
	switch given := n.flag(a, "assign", &assign); {
	case !given:
	case n.domain:
		n.lost(a.line, "assign does nothing in the store of a domain: Group Policy assigns there")
	default:
		if _, gpo := a.last("gponame"); gpo {
			n.lost(a.line, "a policy is not assigned to a Group Policy object here: the tag gponame is left out")
			return
		}
		n.assign(p, assign)
	}
}

// assign makes p the policy that applies, or takes that from it. There is one at most.
func (n *netsh) assign(p *netshPolicy, assign bool) {
	if assign {
		for _, o := range n.policies.list {
			o.assigned = false
		}
	}
	p.assigned = assign
}

func (n *netsh) deletePolicy(a *arguments) {
	name := strings.TrimSpace(a.value("name"))
	p := n.policy(name)
	switch {
	case strings.EqualFold(name, "all"):
		n.policies = registry[netshPolicy, *netshPolicy]{}
	case p == nil:
		n.missing(a, "policy", name)
	default:
		n.policies.remove(p)
	}
}

func (n *netsh) deleteAll(a *arguments) {
	if len(n.policies.list)+len(n.lists.list)+len(n.actions.list) == 0 {
		n.remark(a.line, "delete all clears a store that is empty here")
	}
	n.store = store{}
}

func (n *netsh) setStore(a *arguments) {
	word, matches := shortened(a.value("location"), []string{"local", "persistent", "domain"})
	switch {
	case matches != 1:
		n.lost(a.line, "set store: location is local or domain, not %s", quote(a.value("location")))
	case word == "domain":
		n.domain = true
		n.remark(a.line, "the script is for the store of a domain: what it makes becomes a policy file, which has to be brought to each host")
	default:
		n.domain = false
		n.remark(a.line, "set store chooses between stores of Windows: skipped")
	}
}

func (n *netsh) setBatch(a *arguments) {
	n.remark(a.line, "set batch is not needed: a policy file is applied as a whole")
}

// setDefaultRule changes the default response rule of a policy.
func (n *netsh) setDefaultRule(a *arguments) {
	name := strings.TrimSpace(a.value("policy"))
	p := n.policy(name)
	if p == nil {
		n.missing(a, "policy", name)
		return
	}
	d := &p.fallback
	d.line, d.stated = a.line, true
	n.flag(a, "qmpfs", &d.pfs)
	n.flag(a, "activate", &d.active)
	if s, given := a.last("qmsecmethods"); given {
		d.methods = quickMethods(s, func(err error) { n.lost(a.line, "%s: a security method is left out: %v", a.command, err) })
	}
	if auth := n.authOf(a); auth != nil {
		d.auth = auth
	}
}

// Rules.

func (n *netsh) addRule(a *arguments) {
	name := strings.TrimSpace(a.value("policy"))
	p := n.policy(name)
	if p == nil {
		n.missing(a, "policy", name)
		return
	}
	rule, ok := n.fresh(a, func(s string) bool { return p.rule(s) != nil })
	if !ok {
		return
	}
	r := &netshRule{line: a.line, name: rule, active: true, connection: "all"}
	if !n.changeRule(a, r) {
		return
	}
	if r.list == nil || r.action == nil {
		n.lost(a.line, "add rule: the rule %s is left out: it needs a filter list and a filter action that are there", quote(rule))
		return
	}
	p.rules.add(r)
}

// ruleOf finds the rule that a command is about.
func (n *netsh) ruleOf(a *arguments) (*netshPolicy, *netshRule) {
	name := strings.TrimSpace(a.value("policy"))
	p := n.policy(name)
	if p == nil {
		n.missing(a, "policy", name)
		return nil, nil
	}
	if _, byID := a.last("id"); byID {
		n.lost(a.line, "%s: rules are found by their names, not by an id, which only Windows knows", a.command)
		return nil, nil
	}
	name = strings.TrimSpace(a.value("name"))
	r := p.rule(name)
	if r == nil {
		n.missing(a, "rule", name)
	}
	return p, r
}

func (n *netsh) setRule(a *arguments) {
	if p, r := n.ruleOf(a); r != nil && n.changeRule(a, r) {
		n.renamed(a, r.name, func(s string) bool { return p.rule(s) != nil }, func(s string) { p.rules.rename(r, s) })
	}
}

func (n *netsh) deleteRule(a *arguments) {
	if p := n.policy(strings.TrimSpace(a.value("policy"))); p != nil && strings.EqualFold(a.value("name"), "all") {
		p.rules = registry[netshRule, *netshRule]{}
		return
	}
	if p, r := n.ruleOf(a); r != nil {
		p.rules.remove(r)
	}
}

// changeRule applies the tags of a command. It changes nothing and returns false if one of those cannot be read that say which packets
// the rule is for, or whether it applies.
func (n *netsh) changeRule(a *arguments, was *netshRule) bool {
	changed := *was
	r := &changed
	if s, given := a.last("filterlist"); given {
		if l := n.filterList(strings.TrimSpace(s)); l != nil {
			r.list = l
		} else {
			n.missing(a, "filter list", s)
			return false
		}
	}
	if s, given := a.last("filteraction"); given {
		if x := n.action(strings.TrimSpace(s)); x != nil {
			r.action = x
		} else {
			n.missing(a, "filter action", s)
			return false
		}
	}
	if s, given := a.last("tunnel"); given {
		r.tunnel = strings.TrimSpace(s)
	}
	if s, given := a.last("conntype"); given {
		if word, matches := shortened(strings.TrimSpace(s), []string{"lan", "dialup", "all"}); matches == 1 {
			r.connection = word
		} else {
			n.lost(a.line, "%s: conntype is lan, dialup or all: the command is left out", a.command)
			return false
		}
	}
	if !n.flags(a, map[string]*bool{"activate": &r.active}) {
		return false
	}
	n.described(a, &r.description)
	if auth := n.authOf(a); auth != nil {
		r.auth = auth
	}
	*was = changed
	return true
}

// authOf reads the authentication methods of a command in the order in which they stand there; nil if it names none. A list replaces the
// list that was there before.
func (n *netsh) authOf(a *arguments) []netshAuth {
	var list []netshAuth
	for _, g := range a.list {
		switch g.tag {
		case "kerberos":
			if v, ok := yes(g.value); ok && v {
				list = append(list, netshAuth{kind: policy.Kerberos})
			} else if !ok {
				n.lost(a.line, "%s: kerberos takes yes or no", a.command)
			}
		case "psk":
			if g.value == "" {
				n.lost(a.line, "%s: the pre-shared key is empty", a.command)
				continue
			}
			if strings.ContainsFunc(g.value, func(r rune) bool { return r < ' ' || r > '~' }) {
				n.remark(a.line, "%s: the pre-shared key has characters beyond ASCII, whose bytes are not the same on every system: prefer a key without", a.command)
			}
			list = append(list, netshAuth{kind: policy.PSK, psk: policy.NewSecret([]byte(g.value))})
		case "rootca":
			list = append(list, n.certificateOf(a, g.value))
		}
	}
	return list
}

// certificateOf reads the name of a CA with what may stand behind it. An apostrophe behind a backslash is a quote.
func (n *netsh) certificateOf(a *arguments, s string) netshAuth {
	lower := strings.ToLower(s)
	end := len(s)
	for _, option := range []string{"certmap:", "excludecaname:"} {
		i := strings.Index(lower, option)
		if i < 0 {
			continue
		}
		end = min(end, i)
		word, _, _ := strings.Cut(s[i+len(option):], " ")
		if v, ok := yes(word); ok && v && option == "certmap:" {
			n.lost(a.line, "%s: certmap, which maps a certificate to an account of a domain, is not here", a.command)
		} else if ok && v {
			n.lost(a.line, "%s: excludecaname is not here: the names of the CAs are always part of the certificate request", a.command)
		}
	}
	return netshAuth{kind: policy.Certificate, ca: strings.ReplaceAll(strings.TrimSpace(s[:end]), `\'`, `"`)}
}
