package interchange

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/policy"
)

// write returns the draft as a policy file: general things first, then the lists and actions that rules share, then the rules, each
// thing that has its default left out.
func (d *draft) write() []byte {
	var b bytes.Buffer
	for _, s := range d.head {
		b.WriteString(comment(s) + "\n")
	}
	put := func(list []string) {
		for _, s := range list {
			b.WriteString(s + "\n")
		}
	}
	if len(d.policies) != 1 {
		put([]string{"assign: " + text(d.assigned)})
		put(d.shared())
		put([]string{"policies:"})
		for _, p := range d.policies {
			put(item(p.comment, append([]string{"name: " + text(p.name)}, p.body()...)))
		}
		return b.Bytes()
	}
	p := d.policies[0]
	put(mapEach(p.comment, comment))
	put([]string{"policy: " + text(p.name)})
	body := p.body()
	put(body[:p.before(body)])
	put(d.shared())
	put(body[p.before(body):])
	return b.Bytes()
}

// shared writes what all policies of the file have in common.
func (d *draft) shared() []string {
	var out []string
	if d.exempt != 0 {
		out = append(out, fmt.Sprintf("exemptions: %d", d.exempt.Level()))
	}
	if len(d.actions) > 0 {
		out = append(out, "filter_actions:")
	}
	for _, a := range d.actions {
		out = append(out, indent(mapEach(a.comment, comment))...)
		out = append(out, indent(keyed(text(a.name), a.FilterAction))...)
	}
	if len(d.lists) > 0 {
		out = append(out, "filter_lists:")
	}
	for _, l := range d.lists {
		out = append(out, indent(mapEach(l.comment, comment))...)
		out = append(out, "  "+text(l.name)+":")
		out = append(out, indent(indent(filterLines(l.filters)))...)
	}
	return out
}

// body writes what stands under a policy beside its name.
func (p *policyDraft) body() []string {
	var out []string
	if p.description != "" {
		out = append(out, "description: "+text(p.description))
	}
	out = append(out, exchangeLines(p.keyExchange)...)
	if level := p.crlCheck.Level(); p.crlCheck != pki.CRLIfKnown {
		out = append(out, fmt.Sprintf("certificates: {crl_check: %d}", level))
	}
	if p.response != nil {
		out = append(out, "default_response:")
		out = append(out, indent(append(actionLines(p.response.action), authLines(p.response.auth)...))...)
	}
	if len(p.rules) == 0 {
		out = append(out, "rules: []")
	} else {
		out = append(out, "rules:")
	}
	for _, r := range p.rules {
		out = append(out, item(r.comment, r.lines())...)
	}
	for _, r := range p.off {
		out = append(out, indent(mapEach(r.comment, comment))...)
		out = append(out, mapEach(item(nil, r.lines()), func(s string) string { return "  # " + strings.TrimPrefix(s, "  ") })...)
	}
	return out
}

// before returns how many lines of the body stand above its rules.
func (p *policyDraft) before(body []string) int {
	for i, s := range body {
		if strings.HasPrefix(s, "rules:") {
			return i
		}
	}
	return len(body)
}

// exchangeLines writes key_exchange, nothing if all is default.
func exchangeLines(k policy.KeyExchange) []string {
	var out []string
	if len(k.Methods) > 0 && !reflect.DeepEqual(k.Methods, policy.DefaultKeyExchange().Methods) {
		out = append(out, "methods:")
		for _, m := range k.Methods {
			out = append(out, "  - "+m.String())
		}
	}
	if k.Lifetime != 0 {
		out = append(out, "lifetime: "+span(k.Lifetime))
	}
	if k.QuickModes != 0 {
		out = append(out, fmt.Sprintf("quick_modes: %d", k.QuickModes))
	}
	if out == nil {
		return nil
	}
	return append([]string{"key_exchange:"}, indent(out)...)
}

// lines writes a rule without the dash in front of it.
func (r *ruleDraft) lines() []string {
	out := []string{"name: " + text(r.Name)}
	if r.description != "" {
		out = append(out, "description: "+text(r.description))
	}
	if r.list != nil {
		out = append(out, "filter_list: "+text(r.list.name))
	} else {
		out = append(out, "filters:")
		out = append(out, indent(filterLines(r.filters))...)
	}
	if r.Connection != policy.AllConnections {
		out = append(out, "connection: "+r.Connection.String())
	}
	if r.Tunnel != nil {
		out = append(out, "tunnel: "+tunnelText(r.Tunnel))
	}
	switch {
	case r.action != nil:
		out = append(out, "action: "+text(r.action.name))
	case r.Action.Kind != policy.Negotiate:
		out = append(out, "action: "+r.Action.Kind.String())
	default:
		out = append(out, keyed("negotiate", r.Action)...)
	}
	out = append(out, authLines(r.auth)...)
	if r.Aggressive {
		out = append(out, "exchange_mode: aggressive")
	}
	return append(out, peerLines(r.Peer)...)
}

func tunnelText(t *policy.Tunnel) string {
	var parts []string
	add := func(key string, a netip.Addr) {
		if a.IsValid() {
			parts = append(parts, key+": "+flow(a.String()))
		}
	}
	add("endpoint", t.Endpoint)
	add("local", t.Local)
	add("remote", t.Remote)
	if !t.Endpoint.IsValid() && !t.Remote.IsValid() {
		parts = append(parts, "remote: any")
	}
	switch {
	case t.AskAddress:
		parts = append(parts, "address: config")
	case t.Inner.IsValid():
		parts = append(parts, "address: "+flow(t.Inner.String()))
	case t.Pool.IsValid():
		parts = append(parts, "address_pool: "+flow(t.Pool.String()))
	}
	if len(t.DNS) > 0 {
		parts = append(parts, "dns: ["+strings.Join(mapEach(t.DNS, func(a netip.Addr) string { return flow(a.String()) }), ", ")+"]")
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// authLines writes the methods in their order; one that is missing is a comment in its place.
func authLines(list []authDraft) []string {
	if len(list) == 0 {
		return nil
	}
	out := []string{"auth:"}
	for _, a := range list {
		if a.missing != "" {
			out = append(out, "  "+comment(a.missing))
			continue
		}
		parts := []string{"psk_file: " + flow(a.keyFile)}
		if a.Kind == policy.Certificate {
			parts = certificateParts(&a)
		}
		if a.LocalID != "" {
			parts = append(parts, "local_id: "+flow(a.LocalID))
		}
		if a.RemoteID != "" {
			parts = append(parts, "remote_id: "+flow(a.RemoteID))
		}
		if a.user != "" {
			parts = append(parts, "xauth: {user: "+flow(a.user)+", password_file: "+flow(a.passwordFile)+"}")
		}
		if len(parts) == 1 || a.Kind == policy.Certificate {
			for i, s := range parts {
				out = append(out, map[bool]string{true: "  - ", false: "    "}[i == 0]+s)
			}
			continue
		}
		out = append(out, "  - {"+strings.Join(parts, ", ")+"}")
	}
	return out
}

// certificateParts writes what an authentication by certificates has of its own.
func certificateParts(a *authDraft) []string {
	files := func(list []string) string {
		if len(list) == 1 {
			return flow(list[0])
		}
		return "[" + strings.Join(mapEach(list, flow), ", ") + "]"
	}
	parts := []string{"certificate: " + files(a.certificates)}
	if a.key != "" {
		parts = append(parts, "key: "+flow(a.key))
	}
	return append(parts, "ca: "+files(a.authorities))
}

// peerLines writes the transport details that are not default.
func peerLines(o policy.PeerOptions) []string {
	var out []string
	if o.ForceUDP {
		out = append(out, "encapsulation: udp")
	}
	if o.Port != 0 {
		out = append(out, fmt.Sprintf("peer_port: %d", o.Port))
	}
	switch {
	case o.DPDInterval < 0:
		out = append(out, "dpd: off")
	case o.DPDInterval > 0 && o.DPDTimeout > 0:
		out = append(out, fmt.Sprintf("dpd: {interval: %s, timeout: %s}", span(o.DPDInterval), span(o.DPDTimeout)))
	case o.DPDInterval > 0:
		out = append(out, fmt.Sprintf("dpd: {interval: %s}", span(o.DPDInterval)))
	case o.DPDTimeout > 0:
		out = append(out, fmt.Sprintf("dpd: {timeout: %s}", span(o.DPDTimeout)))
	}
	switch {
	case o.IdleTimeout < 0:
		out = append(out, "idle_timeout: off")
	case o.IdleTimeout > 0:
		out = append(out, "idle_timeout: "+span(o.IdleTimeout))
	}
	if o.ReplayWindow != 0 {
		out = append(out, fmt.Sprintf("replay_window: %d", o.ReplayWindow))
	}
	switch {
	case o.FragmentSize < 0:
		out = append(out, "fragmentation: off")
	case o.FragmentSize > 0:
		out = append(out, fmt.Sprintf("fragmentation: %d", o.FragmentSize))
	}
	if o.CopyDF != "" {
		out = append(out, "df: "+o.CopyDF)
	}
	return out
}

// span writes a time in the largest unit that it is a whole number of. Parts of a second are left out.
func span(d time.Duration) string {
	for _, u := range []struct {
		size time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}} {
		if d >= u.size && d%u.size == 0 {
			return itoa(int(d/u.size)) + u.name
		}
	}
	return itoa(int(d/time.Second)) + "s"
}

func itoa(n int) string { return strconv.Itoa(n) }

// item writes an element of a list: its comment, then its lines behind a dash.
func item(above, lines []string) []string {
	out := indent(mapEach(above, comment))
	for i, s := range lines {
		if i == 0 {
			out = append(out, "  - "+s)
		} else {
			out = append(out, "    "+s)
		}
	}
	return out
}

func indent(lines []string) []string {
	return mapEach(lines, func(s string) string { return "  " + s })
}

func mapEach[T any](lines []T, f func(T) string) []string {
	out := make([]string, len(lines))
	for i, s := range lines {
		out[i] = f(s)
	}
	return out
}
