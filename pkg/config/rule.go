package config

import (
	"fmt"
	"time"

	"github.com/goipsec/goipsec/pkg/policy"
)

// rule reads one rule; number counts from 1 and names a rule without a name.
func (r *reader) rule(n *node, number int) *policy.Rule {
	rule := &policy.Rule{Name: fmt.Sprintf("rule-%d", number), Source: r.position(n)}
	at := map[string]*node{} // the values
	ok := r.each(n, "a rule", ruleKeys, func(key string, _, v *node) {
		at[key] = v
		switch key {
		case "name":
			if s, ok := r.label(v, "name"); ok {
				rule.Name = s
			}
		case "description":
			r.str(v, key)
		case "tunnel":
			rule.Tunnel = r.tunnel(v)
		case "exchange_mode":
			rule.Aggressive = r.exchangeMode(v)
		case "auth":
			rule.Auth = r.auth(v)
		case "connection":
			rule.Connection = r.connection(v)
		default:
			r.peerOption(key, v, &rule.Peer)
		}
	})
	if !ok {
		return nil
	}
	filters := r.ruleFilters(n, at)
	r.ruleAction(n, at, rule)
	r.checkRule(n, at, rule, filters)
	rule.Filters = make([]policy.GenericFilter, len(filters))
	for i := range filters {
		rule.Filters[i] = filters[i].GenericFilter
	}
	r.notePSK(at["auth"], rule)
	return rule
}

// ruleFilters reads the rule's own filters or finds the list that it names.
func (r *reader) ruleFilters(n *node, at map[string]*node) []written {
	own, named := at["filters"], at["filter_list"]
	switch {
	case own != nil && named != nil:
		r.fail(named, "keep one of them", "filters and filter_list stand in one rule")
	case own != nil:
		return r.filters(own, "filters")
	case named == nil:
		r.fail(n, "write filters: [me <-> ADDRESS], or filter_list: NAME", "the rule has no filters")
	default:
		name, ok := r.text(named, "filter_list")
		list, known := r.filterLists[name]
		switch {
		case !ok:
		case !known:
			r.fail(named, didYouMean(name, sortedKeys(r.filterLists), "filter lists stand under filter_lists"), "there is no filter list %q", shorten(name))
		default:
			r.usedLists[name] = true
			return append([]written(nil), list...) // what a rule makes of its filters stays with the rule
		}
	}
	return nil
}

// ruleAction reads what the rule does: action, negotiate or manual, one of them.
func (r *reader) ruleAction(n *node, at map[string]*node, rule *policy.Rule) {
	var chosen []*node
	for _, key := range []string{"action", "negotiate", "manual"} {
		if v := at[key]; v != nil {
			chosen = append(chosen, v)
		}
	}
	testOnly := false
	if v := at["test_only"]; v != nil {
		if testOnly = r.boolean(v, "test_only"); at["manual"] == nil {
			r.fail(v, "delete it", "test_only is for manual keys")
		}
	}
	switch {
	case len(chosen) == 0:
		r.fail(n, "write action: permit, action: block, or negotiate: {} for the default methods", "the rule does not say what to do")
	case len(chosen) > 1:
		r.fail(chosen[1], "keep one of them", "a rule has one of action, negotiate and manual")
	case at["negotiate"] != nil:
		rule.Action = r.negotiate(at["negotiate"], "negotiate")
		r.warnWeakMethods(at["negotiate"], rule.Action)
	case at["manual"] != nil:
		rule.Manual, rule.Action = r.manual(at["manual"], testOnly)
		r.warnWeakMethods(at["manual"], rule.Action)
	default:
		r.actionWord(at["action"], rule)
	}
}

// actionWord reads permit, block, negotiate, or the name of a filter action.
func (r *reader) actionWord(n *node, rule *policy.Rule) {
	s, ok := r.text(n, "action")
	if !ok {
		return
	}
	if a, known := plainAction(s); known {
		rule.Action = a
		return
	}
	a, known := r.filterActions[s]
	if !known {
		words := append(sortedKeys(r.filterActions), "permit", "block", "negotiate")
		r.fail(n, didYouMean(s, words, "write permit, block, negotiate, or the name of an entry of filter_actions"), "there is no action %q", shorten(s))
		return
	}
	r.usedActions[s] = true
	rule.Action = a
}

func plainAction(s string) (policy.FilterAction, bool) {
	switch s {
	case "permit":
		return policy.FilterAction{Name: s, Kind: policy.Permit}, true
	case "block":
		return policy.FilterAction{Name: s, Kind: policy.Block}, true
	case "negotiate":
		return policy.FilterAction{Name: s, Kind: policy.Negotiate, Methods: policy.DefaultMethods()}, true
	}
	return policy.FilterAction{}, false
}

func (r *reader) warnWeakMethods(n *node, a policy.FilterAction) {
	for _, m := range a.Methods {
		instead := "esp aes-gcm-16-128, or esp aes-cbc-256 hmac-sha256-128,"
		if m.ESP == nil {
			instead = "ah hmac-sha256-128"
		}
		r.weak(n, m, m.Weak(), instead)
	}
}

// checkRule checks what needs the whole rule.
func (r *reader) checkRule(n *node, at map[string]*node, rule *policy.Rule, filters []written) {
	negotiated := rule.Action.Kind == policy.Negotiate && at["manual"] == nil
	protects := rule.Action.Kind == policy.Negotiate
	for _, key := range []string{"tunnel", "auth", "encapsulation", "peer_port", "dpd", "idle_timeout", "replay_window", "df", "fragmentation", "exchange_mode"} {
		if v := at[key]; v != nil && !protects && rule.Action.Kind != 0 {
			r.fail(v, "delete it", "%s has no meaning in a rule that does %v", key, rule.Action.Kind)
		}
	}
	switch {
	case negotiated && at["auth"] == nil:
		r.fail(n, "add auth: [{psk_file: NAME}]", "the rule negotiates but names no authentication")
	case at["manual"] != nil && at["auth"] != nil:
		r.fail(at["auth"], "delete it", "manual keys need no authentication")
	}
	if rule.Tunnel != nil && protects {
		r.checkTunnelFilters(rule, filters)
		r.checkPool(rule, filters)
	}
	r.checkXAuth(at["auth"], rule)
	r.checkExchangeMode(at["exchange_mode"], rule)
	if at["manual"] != nil && rule.Tunnel != nil && !rule.Tunnel.Remote.IsValid() && !rule.Tunnel.Endpoint.IsValid() {
		r.fail(at["tunnel"], "name the peer's address", "manual keys need to know the peer")
	}
	if negotiated {
		r.checkSoft(n, rule)
	}
	for i := range filters {
		f := &filters[i]
		if negotiated {
			r.checkNegotiable(f)
		}
		if protects && !f.Mirrored && rule.Tunnel == nil {
			r.warn(f.node, "rule %q protects %s in one direction only: the answers travel in clear; write <->, or mirrored: true", rule.Name, &f.GenericFilter)
		}
	}
}

// notePSK remembers who shares the rule's keys, and warns of keys that a group shares.
func (r *reader) notePSK(n *node, rule *policy.Rule) {
	for _, a := range rule.Auth {
		if a.Kind != policy.PSK {
			continue
		}
		peer, group := peerOf(rule)
		roaming := rule.Tunnel != nil && !rule.Tunnel.Local.IsValid() && rule.Tunnel.Inner.IsValid()
		switch {
		case group:
			r.warn(n, "rule %q: a group shares the pre-shared key: whoever has it can pose as any other of them, this host too; prefer a rule and a key for each peer", rule.Name)
		case roaming:
			r.warn(n, "rule %q: a road warrior's pre-shared key is a group key: main mode chooses the key by address, so the other end has one for all who call from anywhere, and whoever has it can pose as that end", rule.Name)
		}
		if peer != "" {
			key := string(a.PSK.Bytes())
			r.psks[key] = append(r.psks[key], pskUse{n, rule.Name, peer})
		}
	}
}

// peerOption reads one of the transport details of a rule.
func (r *reader) peerOption(key string, v *node, p *policy.PeerOptions) {
	switch key {
	case "encapsulation":
		s, ok := r.word(v, key, "auto", "udp")
		p.ForceUDP = ok && s == "udp"
	case "peer_port":
		port, _ := r.number(v, key, 1, 65535)
		p.Port = uint16(port)
	case "replay_window":
		w, _ := r.number(v, key, policy.MinReplayWindow, policy.MaxReplayWindow)
		p.ReplayWindow = int(w)
	case "df":
		p.CopyDF, _ = r.word(v, key, "copy", "set", "clear")
	case "fragmentation":
		p.FragmentSize = r.fragmentation(v)
	case "idle_timeout":
		if isScalar(v) && v.Value == "off" {
			p.IdleTimeout = -1
			return
		}
		p.IdleTimeout, _ = r.duration(v, key, time.Second, 30*24*time.Hour)
	case "dpd":
		r.dpd(v, p)
	}
}

// fragmentation reads whether long IKE messages go in fragments: auto, off, or the largest datagram of one.
func (r *reader) fragmentation(n *node) int {
	if isScalar(n) && n.ShortTag() == "!!int" {
		size, _ := r.number(n, "fragmentation", policy.MinFragmentSize, policy.MaxFragmentSize)
		return int(size)
	}
	if s, ok := r.word(n, "fragmentation", "auto", "off"); ok && s == "off" {
		return -1
	}
	return 0
}

// dpd reads the dead peer detection's times, or off.
func (r *reader) dpd(n *node, p *policy.PeerOptions) {
	if isScalar(n) && n.Value == "off" {
		p.DPDInterval = -1
		return
	}
	r.each(n, "dpd", dpdKeys, func(key string, _, v *node) {
		d, _ := r.duration(v, key, time.Second, 24*time.Hour)
		if key == "interval" {
			p.DPDInterval = d
		} else {
			p.DPDTimeout = d
		}
	})
}
