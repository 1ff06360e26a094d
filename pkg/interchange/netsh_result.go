package interchange

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// netshDraft turns the store that a script left behind into a draft.
type netshDraft struct {
	*netsh
	draft
	keys        keyring
	uses        map[*netshList]int
	lists       map[*netshList]*listDraft
	actions     map[actionKey]*actionDraft
	shapes      map[*netshList]listShape
	listNames   names
	actionNames names
}

// actionKey tells the drafts of one filter action apart: its group of PFS is that of the policy's main mode.
type actionKey struct {
	action *netshAction
	group  suite.Group
	tunnel bool // nothing falls back to clear, and nothing passes in clear
}

// result writes the policy file.
func (n *netsh) result(name string) (*Result, error) {
	d := &netshDraft{netsh: n, uses: map[*netshList]int{}, lists: map[*netshList]*listDraft{}, actions: map[actionKey]*actionDraft{},
		shapes: map[*netshList]listShape{}, listNames: names{}, actionNames: names{"permit": true, "block": true, "negotiate": true}}
	for _, p := range n.policies.list {
		for _, r := range p.rules.list {
			if r.active {
				d.uses[r.list]++
			}
		}
	}
	policyNames := names{}
	for _, p := range n.policies.list {
		x := d.policy(p, policyNames)
		d.draft.policies = append(d.draft.policies, x)
		if p.assigned {
			d.assigned = x.name
		}
	}
	d.settings()
	if line, yes := d.usesWINS(); yes {
		d.remark(line, "which hosts are the WINS servers, the script does not say: name them in wins_servers at the top of the policy file")
	}
	d.unused()
	if d.assigned == "" {
		d.assigned = d.draft.policies[0].name
		n.remark(0, "the script assigns no policy: %s applies when the file is used", quote(d.assigned))
	}
	if d.over != nil {
		return nil, fmt.Errorf("%s: %w", name, d.over)
	}
	return finish(&d.draft, "Imported from "+filepath.Base(name)+", a script of netsh ipsec static commands.", n.sorted(), d.keys.files), nil
}

// settings notes what the script sets for the host as a whole.
func (d *netshDraft) settings() {
	if d.netsh.exempt >= 0 {
		d.draft.exempt, _ = policy.ExemptionLevel(d.netsh.exempt)
	}
	if d.strict >= 0 {
		for _, p := range d.draft.policies {
			p.crlCheck = pki.CRLLevel(d.strict)
		}
	}
}

// unused notes the lists and actions that no rule uses, which are not written.
func (d *netshDraft) unused() {
	used := map[*netshAction]bool{}
	for _, p := range d.netsh.policies.list {
		for _, r := range p.rules.list {
			used[r.action] = true
		}
	}
	for _, l := range d.netsh.lists.list {
		if d.uses[l] == 0 {
			d.remark(l.line, "no rule uses the filter list %s: it is not written", quote(l.name))
		}
	}
	for _, x := range d.netsh.actions.list {
		if !used[x] {
			d.remark(x.line, "no rule uses the filter action %s: it is not written", quote(x.name))
		}
	}
}

// policy drafts one policy.
func (d *netshDraft) policy(p *netshPolicy, taken names) *policyDraft {
	x := &policyDraft{name: taken.take(label(p.name, "policy")), description: p.description}
	x.keyExchange = policy.KeyExchange{Methods: p.methods, QuickModes: uint32(p.quickModes)}
	if p.lifetime != defaultMinutes {
		x.keyExchange.Lifetime = time.Duration(p.lifetime) * time.Minute
	}
	if p.masterPFS {
		x.keyExchange.QuickModes = 1
		if p.quickModes > 1 {
			d.remark(p.line, "mmpfs=yes means one quick mode for each main mode, whatever qmpermm says")
		}
	}
	if len(p.methods) == 0 {
		x.keyExchange.Methods = defaultMainMethods()
		if d.negotiates(p) {
			d.remark(p.line, "the policy %s names no mmsecmethods: those of Windows' default that use 3DES are written", quote(p.name))
		}
	}
	taken = names{}
	for _, r := range p.rules.list {
		rule := d.rule(r, x, taken)
		switch {
		case rule == nil:
		case !r.active:
			d.remark(r.line, "the rule %s is not active: it is written as a comment", quote(r.name))
			rule.comment = append([]string{"not active in the script:"}, rule.comment...)
			x.off = append(x.off, rule)
		default:
			x.rules = append(x.rules, rule)
		}
	}
	x.response = d.defaultRule(p, x.keyExchange.Methods[0].Group)
	if !d.negotiates(p) && x.response == nil {
		x.keyExchange = policy.KeyExchange{}
	}
	return x
}

func (d *netshDraft) negotiates(p *netshPolicy) bool {
	return slices.ContainsFunc(p.rules.list, func(r *netshRule) bool { return r.action.kind == policy.Negotiate })
}

// defaultRule drafts the default response rule. That which Windows adds to every policy by itself, with Kerberos, is only spoken of.
func (d *netshDraft) defaultRule(p *netshPolicy, group suite.Group) *responseDraft {
	r := &p.fallback
	switch {
	case !r.active:
		return nil
	case !r.stated:
		d.remark(p.line, "policy %s has Windows' default response rule, by Kerberos: it is not carried over, and Windows Vista and later ignore it too", quote(p.name))
		return nil
	}
	x := &responseDraft{action: policy.FilterAction{Kind: policy.Negotiate, Methods: r.methods}}
	if r.pfs {
		x.action.PFS = group
	}
	if len(x.action.Methods) == 0 {
		x.action.Methods = defaultQuickMethods()
		d.remark(r.line, "the default response rule names no qmsecmethods: ESP with 3DES and SHA-1 is written")
	}
	usable := 0
	if x.auth, usable = d.authentication(r.line, r.auth, policy.DefaultResponseName); usable == 0 {
		d.lost(r.line, "the default response rule of policy %s is left out, and nobody is answered for whom there is no rule: none of its authentication methods can be used here (%s)",
			quote(p.name), strings.Join(authWords(r.auth), ", "))
		return nil
	}
	return x
}

// rule drafts one rule, nil if there is nothing to write. A rule that protects and cannot do so here blocks.
func (d *netshDraft) rule(r *netshRule, p *policyDraft, taken names) *ruleDraft {
	x := &ruleDraft{description: r.description}
	x.Name = label(r.name, "rule")
	x.Action.Kind = r.action.kind
	x.Connection = map[string]policy.Connection{"lan": policy.LAN, "dialup": policy.RemoteAccess}[r.connection]
	if r.action.kind == policy.Negotiate {
		d.protect(r, x, p)
	} else if r.tunnel != "" || len(r.auth) > 0 {
		d.remark(r.line, "the tunnel and the authentication of a rule that permits or blocks mean nothing: they are left out")
	}
	if !d.filters(r, x) {
		return nil
	}
	x.Name = taken.take(x.Name)
	return x
}

// protect fills in what a negotiation needs: methods, authentication, tunnel.
func (d *netshDraft) protect(r *netshRule, x *ruleDraft, p *policyDraft) {
	blocked := func(why string) {
		d.lost(r.line, "the rule %s blocks here what it protects in the script: %s", quote(r.name), why)
		x.comment = append(x.comment, "In the script this rule negotiates ("+label(r.action.name, "action")+"). It blocks here: "+why+".")
		x.Action, x.action, x.Tunnel, x.auth = policy.FilterAction{Kind: policy.Block}, nil, nil, nil
	}
	if r.tunnel != "" {
		a, err := netip.ParseAddr(r.tunnel)
		if err != nil || a.IsUnspecified() || a.IsMulticast() || a.Zone() != "" {
			blocked("its tunnel endpoint is not an address (a name is not resolved here)")
			return
		}
		x.Tunnel = &policy.Tunnel{Endpoint: a.Unmap()}
	}
	usable := 0
	x.auth, usable = d.authentication(r.line, r.auth, x.Name)
	if usable == 0 {
		blocked("none of its authentication methods can be used here (" + strings.Join(authWords(r.auth), ", ") + ")")
		return
	}
	a := d.filterAction(r.action, p.keyExchange.Methods, x.Tunnel != nil)
	switch {
	case a == nil:
		blocked("none of its security methods can be used")
	case r.active:
		x.action = a
		if a.name == "" { // it has no place among the actions yet
			a.name = d.actionNames.take(label(r.action.name, "action"))
			d.draft.actions = append(d.draft.actions, a)
		}
	default: // in a comment, where it can be read without its place among the actions
		x.Action = a.FilterAction
	}
}

// authWords names methods for people, without keys.
func authWords(list []netshAuth) []string {
	var out []string
	for _, a := range list {
		if w := a.kind.String(); !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	if out == nil {
		return []string{"Kerberos, the default of Windows"}
	}
	return out
}

// authentication drafts the methods in their order and counts those that can be used.
func (d *netshDraft) authentication(line int, methods []netshAuth, name string) (list []authDraft, usable int) {
	for i, a := range methods {
		switch a.kind {
		case policy.PSK:
			list = append(list, authDraft{AuthMethod: policy.AuthMethod{Kind: policy.PSK, PSK: a.psk}, keyFile: d.keys.file(a.psk, name)})
			usable++
		case policy.Certificate:
			usable += d.certificate(line, a.ca, &list, i+1, name)
		default:
			d.lost(line, "authentication by Kerberos is not here yet: choice %d of the rule %s", i+1, quote(name))
			list = append(list, authDraft{missing: fmt.Sprintf("choice %d, not here yet: kerberos", i+1)})
		}
	}
	return list, usable
}

// certificate adds an authentication by certificates below a CA to a list, which takes the files that were named for it. CAs that follow each other are one method, in whose
// list they stand in their order. It returns how many methods were added.
func (d *netshDraft) certificate(line int, ca string, list *[]authDraft, choice int, rule string) int {
	file, ok := d.opts.authority(ca)
	if !ok || len(d.opts.Certificates) == 0 {
		why := "no certificate of this host was named (--certificate)"
		if !ok {
			why = "no file with the certificate of that CA was named (--ca)"
		}
		d.lost(line, "authentication by certificate is left out, choice %d of the rule %s, CA %s: %s", choice, quote(rule), quote(ca), why)
		*list = append(*list, authDraft{missing: fmt.Sprintf("choice %d, left out: a certificate below the CA %s", choice, ca)})
		return 0
	}
	if n := len(*list); n > 0 && (*list)[n-1].Kind == policy.Certificate && (*list)[n-1].missing == "" {
		if last := &(*list)[n-1]; !slices.Contains(last.authorities, file) {
			last.authorities = append(last.authorities, file)
		}
		return 0
	}
	*list = append(*list, authDraft{AuthMethod: policy.AuthMethod{Kind: policy.Certificate}, certificates: d.opts.Certificates, key: d.opts.Key, authorities: []string{file}})
	return 1
}

// filterAction drafts a negotiation, nil if no method is left of it.
func (d *netshDraft) filterAction(x *netshAction, main []policy.MainModeMethod, tunnel bool) *actionDraft {
	key := actionKey{action: x, tunnel: tunnel && (x.soft || x.pass)}
	if x.pfs {
		key.group = main[0].Group
	}
	if done, ok := d.actions[key]; ok {
		return done
	}
	a := &actionDraft{FilterAction: policy.FilterAction{Kind: policy.Negotiate, Methods: x.methods, PFS: key.group}}
	if !x.stated {
		a.Methods = defaultQuickMethods()
		d.remark(x.line, "the filter action %s names no qmsecmethods: ESP with 3DES and SHA-1 is written", quote(x.name))
	}
	if len(a.Methods) == 0 {
		d.actions[key] = nil
		return nil
	}
	if x.description != "" {
		a.comment = []string{x.description}
	}
	if x.pfs && slices.ContainsFunc(main, func(m policy.MainModeMethod) bool { return m.Group != key.group }) {
		d.remark(x.line, "qmpfs uses the group that main mode negotiated; here it is always that of the first main-mode method, %v", key.group)
	}
	switch {
	case key.tunnel:
		d.lost(x.line, "the filter action %s has soft=yes or inpass=yes, which mean nothing in a tunnel: its tunnels are always protected", quote(x.name))
	default:
		a.InboundPassthrough = x.pass
		if x.soft {
			a.Fallback = &policy.Fallback{}
		}
	}
	d.actions[key] = a
	return a
}
