package interchange

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/goipsec/goipsec/pkg/classifier"
	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/suite"
)

// rule writes a rule: its filters, its action, and the rule itself; two rules for a tunnel that is described by both ends.
func (x *exporter) rule(r *policy.Rule, policyName string, taken names) {
	name := netshName(r.Name)
	connection := map[policy.Connection]string{policy.LAN: "conntype=lan", policy.RemoteAccess: "conntype=dialup"}[r.Connection]
	halves, auth, ok := x.halves(r)
	action := ""
	if ok {
		action = x.action(r)
	} else {
		halves, auth, action = []half{{filters: bothWays(r)}}, nil, x.plainAction(policy.Block)
	}
	for i, h := range halves {
		h.blocks = r.Action.Kind == policy.Block || !ok
		rule := name
		if i > 0 {
			rule += " (back)"
		}
		rule = taken.take(rule)
		list := x.lists.take(rule)
		if !x.filters(r, h, list) {
			x.lost(r.Source.Line, "rule %s is left out: netsh has no words for any of its filters", quote(r.Name))
			continue
		}
		tags := []string{tag("name", rule), tag("policy", policyName), tag("filterlist", list), tag("filteraction", action)}
		if h.endpoint.IsValid() {
			tags = append(tags, "tunnel="+h.endpoint.String())
		}
		x.line("add rule", append(append(tags, connection), auth...)...)
	}
}

// bothWays returns the filters of a rule as a rule without a tunnel has to have them, to be about the same traffic.
func bothWays(r *policy.Rule) []policy.GenericFilter {
	list := slices.Clone(r.Filters)
	if r.Tunnel == nil || r.Tunnel.Endpoint.IsValid() {
		return list
	}
	for i := range list {
		list[i].Mirrored = true
		if inner := r.Tunnel.Inner; inner.IsValid() {
			list[i].Src, list[i].Dst = innerSide(list[i].Src, inner.Addr()), innerSide(list[i].Dst, inner.Addr())
		}
	}
	return list
}

// half is one rule of netsh: filters, and the end of the tunnel for their direction.
type half struct {
	filters  []policy.GenericFilter
	endpoint netip.Addr
	blocks   bool
}

// halves splits a rule for what leaves and what arrives, where it is a tunnel with two ends, and gives its authentication. It is not ok for a rule that
// protects in a way that netsh has no words for.
func (x *exporter) halves(r *policy.Rule) (list []half, auth []string, ok bool) {
	no := func(why string) ([]half, []string, bool) {
		x.lost(r.Source.Line, "rule %s blocks in the script what it protects here: %s", quote(r.Name), why)
		return nil, nil, false
	}
	one := []half{{filters: r.Filters}}
	if r.Action.Kind != policy.Negotiate {
		return one, nil, true
	}
	switch {
	case r.Manual != nil:
		return no("netsh has no manual keys")
	case len(x.main) == 0:
		return no("netsh has none of the policy's main-mode methods")
	}
	if methods, _ := x.methods(r); len(methods) == 0 {
		return no("netsh has none of its security methods; it knows DES, 3DES, MD5 and SHA-1")
	}
	if auth = x.authentication(r); len(auth) == 0 {
		return no("netsh has none of its authentication methods")
	}
	x.peerOptions(r)
	t := r.Tunnel
	switch {
	case t == nil:
		return one, auth, true
	case t.Endpoint.IsValid():
		return []half{{filters: r.Filters, endpoint: t.Endpoint}}, auth, true
	case !t.Remote.IsValid():
		return no("netsh has no tunnel to peers with any address")
	case t.AskAddress || t.Pool.IsValid():
		return no("netsh has no mode config")
	}
	local := x.ownEnd(t)
	if !local.IsValid() {
		return no("netsh wants this host's own end of the tunnel, and the policy leaves it to the route: name it with --local")
	}
	out, back := make([]policy.GenericFilter, len(r.Filters)), make([]policy.GenericFilter, len(r.Filters))
	for i, f := range r.Filters {
		if t.Inner.IsValid() {
			f.Src, f.Dst = innerSide(f.Src, t.Inner.Addr()), innerSide(f.Dst, t.Inner.Addr())
		}
		out[i], back[i] = f, f
		back[i].Src, back[i].Dst, back[i].SrcPorts, back[i].DstPorts = f.Dst, f.Src, f.DstPorts, f.SrcPorts
	}
	if t.Inner.IsValid() {
		x.lost(r.Source.Line, "rule %s: netsh gives this host no address inside of a tunnel: %v has to be there already", quote(r.Name), t.Inner)
	}
	return []half{{filters: out, endpoint: t.Remote}, {filters: back, endpoint: local}}, auth, true
}

// innerSide puts the address inside of a tunnel in the place of me, which it stands for there.
func innerSide(a policy.AddrSpec, inner netip.Addr) policy.AddrSpec {
	if a.Kind == policy.Me {
		return policy.AddrSpec{Kind: policy.Host, Range: classifier.HostRange(inner)}
	}
	return a
}

// ownEnd is this host's end of a tunnel.
func (x *exporter) ownEnd(t *policy.Tunnel) netip.Addr {
	if t.Local.IsValid() {
		return t.Local
	}
	for _, a := range x.opts.Local {
		if a.Is4() == t.Remote.Is4() {
			return a
		}
	}
	return netip.Addr{}
}

// peerOptions notes what netsh does not set.
func (x *exporter) peerOptions(r *policy.Rule) {
	if r.Peer != (policy.PeerOptions{}) {
		x.lost(r.Source.Line, "rule %s: netsh does not set encapsulation, peer_port, dpd, idle_timeout, replay_window, fragmentation and df: they are left out", quote(r.Name))
	}
	if r.Aggressive {
		x.lost(r.Source.Line, "rule %s: netsh has no aggressive mode: main mode is used, which the peer must answer", quote(r.Name))
	}
	for _, a := range r.Auth {
		if a.LocalID != "" || a.RemoteID != "" {
			x.lost(r.Source.Line, "rule %s: netsh has no identities (local_id, remote_id): they are left out, and anybody who can authenticate is the peer", quote(r.Name))
			return
		}
	}
}

// authentication writes the methods that netsh knows, in their order.
func (x *exporter) authentication(r *policy.Rule) (tags []string) {
	for i, a := range r.Auth {
		if a.XAuth != nil {
			x.lost(r.Source.Line, "rule %s: netsh has no XAUTH: choice %d is left out", quote(r.Name), i+1)
			continue
		}
		switch a.Kind {
		case policy.Kerberos:
			tags = append(tags, "kerberos=yes")
		case policy.PSK:
			key := string(a.PSK.Bytes())
			if strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c > '~' || c == '"' }) {
				x.lost(r.Source.Line, "rule %s: its pre-shared key (choice %d) cannot be written in a command: it has quotes or unprintable characters", quote(r.Name), i+1)
				continue
			}
			x.keys = true
			tags = append(tags, tag("psk", key))
		case policy.Certificate:
			if a.Cert == nil {
				continue
			}
			for _, ca := range a.Cert.CAs {
				dn := strings.ReplaceAll(pki.FormatDN(ca.RawSubject), `"`, `\'`)
				tags = append(tags, tag("rootca", dn+" certmap:no excludecaname:no"))
			}
		}
	}
	return tags
}

// plainAction writes an action that permits or blocks, once for the whole script.
func (x *exporter) plainAction(kind policy.ActionKind) string {
	return x.makeAction(map[policy.ActionKind]string{policy.Permit: "Permit", policy.Block: "Block"}[kind], "action="+kind.String())
}

// makeAction writes an action, or finds the one that has the same tags.
func (x *exporter) makeAction(name, tags string) string {
	if done, ok := x.written[tags]; ok {
		return done
	}
	name = x.actions.take(netshName(name))
	x.line("add filteraction", tag("name", name), tags)
	x.written[tags] = name
	return name
}

// action writes the action of a rule.
func (x *exporter) action(r *policy.Rule) string {
	a := &r.Action
	if a.Kind != policy.Negotiate {
		return x.plainAction(a.Kind)
	}
	methods, pfs := x.methods(r)
	if f := a.Fallback; f != nil && *f != (policy.Fallback{}) {
		x.lost(r.Source.Line, "rule %s: the times of fallback_to_clear cannot be set: Windows waits 3 seconds and falls back for 5 minutes", quote(r.Name))
	}
	name := a.Name
	if name == "" || name == "negotiate" {
		name = r.Name
	}
	return x.makeAction(name, strings.Join([]string{yesNo("qmpfs", pfs), yesNo("inpass", a.InboundPassthrough), yesNo("soft", a.Fallback != nil),
		"action=negotiate", tag("qmsecmethods", strings.Join(methods, " "))}, " "))
}

// methods writes the security methods that netsh knows, and notes the others.
func (x *exporter) methods(r *policy.Rule) (words []string, pfs bool) {
	for _, m := range r.Action.Methods {
		s, ok := quickWord(m)
		if !ok {
			x.once(r.Source.Line, fmt.Sprintf("rule %s: netsh has no security method %v", quote(r.Name), m))
			continue
		}
		words = append(words, s)
	}
	if pfs = r.Action.PFS != suite.GroupNone; pfs {
		for _, m := range x.policy.KeyExchange.Methods {
			if _, ok := mainWord(m); ok && m.Group != r.Action.PFS {
				x.once(r.Source.Line, fmt.Sprintf("rule %s: the group of pfs is not %v but that of main mode", quote(r.Name), r.Action.PFS))
				break
			}
		}
	}
	return words, pfs
}

// once notes something that may be found twice.
func (x *exporter) once(line int, message string) {
	for _, n := range x.list {
		if n.Line == line && n.Message == message {
			return
		}
	}
	x.lost(line, "%s", message)
}

// quickWord writes a security method, with both limits.
func quickWord(m policy.Method) (string, bool) {
	var parts []string
	if m.AH != nil {
		h, ok := wordOf(netshInteg, m.AH.Integ)
		if !ok {
			return "", false
		}
		parts = append(parts, "AH["+h+"]")
	}
	if m.ESP != nil {
		e, ok1 := wordOf(netshEncr, m.ESP.Encr)
		i, ok2 := wordOf(netshInteg, m.ESP.Integ)
		if !ok1 || !ok2 {
			return "", false
		}
		parts = append(parts, "ESP["+e+","+i+"]")
	}
	l := m.Lifetime
	if l.Kilobytes == 0 {
		l.Kilobytes = windowsKilobytes
	}
	if l.Seconds == 0 {
		l.Seconds = windowsSeconds
	}
	return fmt.Sprintf("%s:%dk/%ds", strings.Join(parts, "+"), l.Kilobytes, l.Seconds), !m.ESN && len(parts) > 0
}

// mainWord writes a main-mode method.
func mainWord(m policy.MainModeMethod) (string, bool) {
	e, ok1 := wordOf(netshEncr, m.Encr)
	h, ok2 := wordOf(netshHash, m.Hash)
	g, ok3 := wordOf(netshGroup, m.Group)
	return e + "-" + h + "-" + g, ok1 && ok2 && ok3 && m.Encr != suite.Null
}

func wordOf[T comparable](words map[string]T, x T) (string, bool) {
	for w, y := range words {
		if y == x {
			return w, true
		}
	}
	return "", false
}
