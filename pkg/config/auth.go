package config

import (
	"fmt"
	"strings"

	"github.com/goipsec/goipsec/pkg/policy"
)

// goodPSK is the least number of characters that a pre-shared key should have.
const goodPSK = 25

// auth reads a rule's list of authentication methods.
func (r *reader) auth(n *node) []policy.AuthMethod {
	var list []policy.AuthMethod
	elements := r.list(n, "auth")
	for _, e := range elements {
		if a, ok := r.authMethod(e); ok {
			list = append(list, a)
		}
	}
	if isSequence(n) && len(elements) == 0 {
		r.fail(n, "write - psk_file: NAME", "the list of authentication methods is empty")
	}
	return list
}

func (r *reader) authMethod(n *node) (policy.AuthMethod, bool) {
	a := policy.AuthMethod{}
	if isScalar(n) && r.plain(n) {
		switch n.Value {
		case "kerberos":
			r.notYet(n, n.Value)
		case "certificate":
			r.fail(n, "write {certificate: FILE, key: FILE, ca: [FILE]}", "a certificate needs its files")
		default:
			r.fail(n, "write psk_file: NAME", "an authentication method must be a mapping")
			r.hideLast() // it may be a key that was written without psk:
		}
		return a, false
	}
	before := len(r.errs) + r.more
	var method *node
	at, keys := map[string]*node{}, map[string]*node{}
	ok := r.each(n, "an authentication method", authKeys, func(key string, k, v *node) {
		at[key], keys[key] = v, k
		switch key {
		case "psk", "psk_file", "certificate", "kerberos":
			if method != nil {
				r.fail(k, "write a list entry for each", "%s and %s stand in one authentication method", method.Value, key)
			}
			method = k
		}
	})
	switch {
	case !ok:
	case method == nil && len(r.errs)+r.more == before:
		r.fail(n, "write psk_file: NAME, or certificate: NAME", "the authentication method names no method")
	case len(r.errs)+r.more == before:
		a = r.authBy(method, at, keys)
		if v := at["xauth"]; v != nil {
			a.XAuth = r.xauth(v)
		}
	}
	if len(r.errs)+r.more > before {
		return a, false
	}
	if a.Kind == policy.PSK {
		r.checkPSK(n, a.PSK)
	}
	return a, true
}

// authBy reads an authentication method whose keys are known.
func (r *reader) authBy(method *node, at, keys map[string]*node) policy.AuthMethod {
	v := at[method.Value]
	if method.Value == "certificate" {
		return r.certificateAuth(at)
	}
	for _, key := range []string{"key", "passphrase_file", "ca"} {
		if k := keys[key]; k != nil {
			r.fail(k, "delete it, or name a certificate", "%s belongs to a certificate", key)
		}
	}
	a := policy.AuthMethod{Kind: policy.PSK}
	switch method.Value {
	case "psk":
		a.PSK = r.inline(v, "psk")
		r.warn(v, "the pre-shared key stands in the policy file: keep it in a file of its own (psk_file) that only root may read")
	case "psk_file":
		a.PSK = r.keyFile(v, "psk_file")
	default:
		r.notYet(method, method.Value)
	}
	if v := at["local_id"]; v != nil {
		a.LocalID = r.identity(v, "local_id")
	}
	if v := at["remote_id"]; v != nil {
		a.RemoteID = r.identity(v, "remote_id")
	}
	return a
}

func (r *reader) notYet(n *node, what string) {
	r.fail(n, "use certificate or psk_file", "authentication by %s is not here yet", what)
}

// checkPSK warns of keys that can be guessed: whoever answers one negotiation in the peer's place can try keys at leisure.
func (r *reader) checkPSK(n *node, s policy.Secret) {
	key := s.Bytes()
	var seen [256]bool
	kinds := 0
	for _, b := range key {
		if !seen[b] {
			seen[b] = true
			kinds++
		}
	}
	switch {
	case len(key) < goodPSK && kinds < 12 || len(key) < 16:
		r.warn(n, "the pre-shared key has %d characters and can be guessed: use %d random ones or more (goipsec psk makes some)", len(key), goodPSK)
	case len(key) < goodPSK:
		r.warn(n, "the pre-shared key has %d characters: %d random ones are recommended", len(key), goodPSK)
	case kinds < 10:
		r.warn(n, "the pre-shared key repeats %d characters and can be guessed: use random ones", kinds)
	}
}

// identity reads an identity that IKE shows to the peer or wants of it: an address, a name, or user@name.
func (r *reader) identity(n *node, what string) string {
	s, ok := r.str(n, what)
	if ok && (s == "" || len(s) > 255 || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' })) {
		r.fail(n, "write an address, a name such as gw.example.com, or user@example.com", "%s must have 1 to 255 visible ASCII characters", what)
		return ""
	}
	return s
}

// pskUse is where a pre-shared key is used.
type pskUse struct {
	at   *node
	rule string
	peer string
}

// checkSharing warns of pre-shared keys that more than one pair of hosts shares.
func (r *reader) checkSharing(uses map[string][]pskUse) {
	for _, list := range uses {
		for _, u := range list[1:] {
			if u.peer != list[0].peer {
				r.warn(u.at, "rule %q has the pre-shared key of rule %q, which is for another peer: each of them can pose as the other; use one key a peer", u.rule, list[0].rule)
				break
			}
		}
	}
}

// peerOf names the peers of a rule, and says whether they are more than one host.
func peerOf(rule *policy.Rule) (name string, group bool) {
	if t := rule.Tunnel; t != nil {
		switch {
		case t.Endpoint.IsValid():
			return "", false // the other direction's rule knows the peer
		case !t.Remote.IsValid():
			return "any", true
		}
		return t.Remote.String(), false
	}
	for i := range rule.Filters {
		f := &rule.Filters[i]
		a := &f.Dst
		if a.Kind == policy.Me {
			a = &f.Src
		}
		s := a.Name
		switch a.Kind {
		case policy.Any, policy.Subnet, policy.AddrRange:
			group = true
			fallthrough
		case policy.Host:
			s = fmt.Sprint(a.Kind, a.Range)
		case policy.LiveDNS, policy.LiveWINS, policy.LiveDHCP, policy.LiveGateway:
			s, group = a.String(), true
		}
		if name == "" {
			name = s
		}
		if name != s {
			return name + " and others", true
		}
	}
	return name, group
}
