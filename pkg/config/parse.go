package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/goipsec/goipsec/pkg/pki"
	"github.com/goipsec/goipsec/pkg/policy"
)

// Load reads the policy file at path as up does: strictly. The error is of type Errors where the file's content is at fault.
func Load(path string) (*File, error) { return LoadWith(path, Options{StrictKeyFiles: true}) }

// LoadWith is Load with options.
func LoadWith(path string, opts Options) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the policy file: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("cannot read the policy file: %s is a directory (name the file in it)", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the policy file: %w", err)
	}
	return Parse(path, data, opts)
}

// Parse reads a policy file's content; name is that of the file, for messages and for finding key files. The error is of type
// Errors and holds all that is wrong. No network is touched: DNS names stay names.
func Parse(name string, data []byte, opts Options) (*File, error) {
	r := &reader{
		name: name, opts: opts,
		filterLists: map[string][]written{}, filterActions: map[string]policy.FilterAction{},
		usedLists: map[string]bool{}, usedActions: map[string]bool{}, psks: map[string][]pskUse{},
		stores: map[string]*pki.Store{}, cas: map[string][]*x509.Certificate{},
	}
	root := r.document(data)
	if root == nil {
		return nil, r.err()
	}
	f := r.file(root)
	// The tree of a large file is several times its size, and no longer needed: let it go before the policies are expanded.
	r.filterLists, r.psks, r.stores, r.cas = nil, nil, nil, nil
	if err := r.err(); err != nil {
		return nil, err
	}
	for _, p := range f.Policies {
		r.checkPolicy(p)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	f.Warnings = r.sortedWarnings()
	return f, nil
}

// file reads the whole document.
func (r *reader) file(root *node) *File {
	f := &File{Path: r.name}
	at, keys := map[string]*node{}, map[string]*node{}
	ok := r.each(root, "a policy file", topKeys, func(key string, k, v *node) { at[key], keys[key] = v, k })
	if !ok {
		return f
	}
	// Lists and actions first, wherever they stand: rules name them.
	r.namedLists(at["filter_lists"])
	r.namedActions(at["filter_actions"])
	f.Listen = r.listen(at["listen"])
	f.Tun = r.tun(at["tun"])
	f.Exemptions = r.exemptions(at["exemptions"])
	if v := at["guard"]; v != nil {
		if s, ok := r.word(v, "guard", "required", "off"); ok && s == "off" {
			f.Guard = GuardOff
			r.warn(v, "the guard is off: clear packets that the policy protects or blocks are accepted when they arrive from outside")
		}
	}
	switch {
	case at["policies"] != nil && (at["policy"] != nil || at["rules"] != nil || at["key_exchange"] != nil || at["default_response"] != nil || at["certificates"] != nil):
		r.fail(keys["policies"], "one policy has its rules at the top; several have theirs under policies", "policies stands beside policy, rules, key_exchange, default_response or certificates")
	case at["policies"] != nil:
		f.Policies = r.policies(at["policies"])
	default:
		f.Policies = []*policy.Policy{r.single(root, at)}
	}
	r.wins(at["wins_servers"], f.Policies)
	for _, p := range f.Policies {
		p.Exemptions = f.Exemptions
	}
	f.Assigned = r.assigned(root, at["assign"], f.Policies)
	r.unused(at["filter_lists"], r.usedLists, "filter list")
	r.unused(at["filter_actions"], r.usedActions, "filter action")
	r.checkSharing(r.psks)
	return f
}

// unused warns of names that no rule uses: most often it is a rule that says something else than its author thinks.
func (r *reader) unused(n *node, used map[string]bool, what string) {
	if n == nil || !isMapping(n) {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i]; isScalar(k) && !used[k.Value] {
			r.warn(k, "no rule uses the %s %q", what, shorten(k.Value))
		}
	}
}

// single reads the short form: one policy whose keys stand at the top.
func (r *reader) single(root *node, at map[string]*node) *policy.Policy {
	p := &policy.Policy{Name: "policy", KeyExchange: policy.DefaultKeyExchange()}
	if v := at["policy"]; v != nil {
		if s, ok := r.label(v, "policy"); ok {
			p.Name = s
		}
	}
	r.policyBody(root, p, at)
	return p
}

// policies reads the full form.
func (r *reader) policies(n *node) []*policy.Policy {
	var list []*policy.Policy
	names := map[string]bool{}
	elements := r.list(n, "policies")
	for i, e := range elements {
		p := &policy.Policy{Name: fmt.Sprintf("policy-%d", i+1), KeyExchange: policy.DefaultKeyExchange()}
		at := map[string]*node{}
		if !r.each(e, "a policy", policyKeys, func(key string, _, v *node) { at[key] = v }) {
			continue
		}
		if v := at["name"]; v == nil {
			r.fail(e, "add name", "the policy has no name")
		} else if s, ok := r.label(v, "name"); ok {
			p.Name = s
			if names[s] {
				r.fail(v, "give each its own name", "there are two policies with the name %q", s)
			}
			names[s] = true
		}
		r.policyBody(e, p, at)
		list = append(list, p)
	}
	if isSequence(n) && len(elements) == 0 {
		r.fail(n, "write at least one", "the list of policies is empty")
	}
	return list
}

// policyBody reads what both forms have.
func (r *reader) policyBody(n *node, p *policy.Policy, at map[string]*node) {
	if v := at["description"]; v != nil {
		p.Description, _ = r.str(v, "description")
	}
	if v := at["key_exchange"]; v != nil {
		p.KeyExchange = r.keyExchange(v)
	}
	if v := at["certificates"]; v != nil {
		p.Certificates = r.certificateRules(v)
	}
	if v := at["default_response"]; v != nil {
		p.DefaultResponse = r.defaultResponse(v)
	}
	if at["rules"] == nil && p.DefaultResponse != nil {
		return // respond only
	}
	if at["rules"] == nil {
		r.fail(n, "see examples/ for files to start from", "the policy has no rules")
		return
	}
	elements := r.list(at["rules"], "rules")
	if isSequence(at["rules"]) && len(elements) == 0 {
		r.warn(at["rules"], "policy %q has no rules: it leaves all traffic alone", p.Name)
	}
	first := map[string]policy.Position{}
	for i, e := range elements {
		rule := r.rule(e, i+1)
		if rule == nil {
			continue
		}
		if at, ok := first[rule.Name]; ok {
			r.fail(e, "give each its own name", "rule %q has the name of the rule on line %d", rule.Name, at.Line)
		}
		first[rule.Name] = rule.Source
		p.Rules = append(p.Rules, rule)
	}
}

// assigned finds the policy to apply.
func (r *reader) assigned(root, n *node, policies []*policy.Policy) *policy.Policy {
	var names []string
	for _, p := range policies {
		names = append(names, p.Name)
	}
	if n == nil {
		if len(policies) > 1 {
			r.fail(root, "add assign: "+names[0], "the file holds %d policies and does not say which to apply", len(policies))
		}
		if len(policies) == 1 {
			return policies[0]
		}
		return nil
	}
	name, ok := r.text(n, "assign")
	if !ok {
		return nil
	}
	i := slices.Index(names, name)
	if i < 0 {
		r.fail(n, didYouMean(name, names, ""), "there is no policy %q to assign", shorten(name))
		return nil
	}
	return policies[i]
}

// namedLists reads filter_lists.
func (r *reader) namedLists(n *node) {
	if n == nil {
		return
	}
	r.named(n, "filter_lists", func(k, v *node) { r.filterLists[k.Value] = r.filters(v, "a filter list") })
}

// namedActions reads filter_actions.
func (r *reader) namedActions(n *node) {
	if n == nil {
		return
	}
	r.named(n, "filter_actions", func(k, v *node) {
		if _, taken := plainAction(k.Value); taken {
			r.fail(k, "choose another name", "%q is an action of its own", k.Value)
			return
		}
		var a policy.FilterAction
		if isScalar(v) {
			if s, ok := r.word(v, "a filter action", "permit", "block", "negotiate"); ok {
				a, _ = plainAction(s)
			}
		} else {
			a = r.negotiate(v, "a filter action")
			r.warnWeakMethods(v, a)
		}
		a.Name = k.Value
		r.filterActions[k.Value] = a
	})
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// checkPolicy expands the policy without a host and notes what is wrong with it as a whole.
func (r *reader) checkPolicy(p *policy.Policy) {
	warnings, err := policy.Check(p)
	var list policy.Errors
	if errors.As(err, &list) {
		for _, e := range list {
			r.failAt(e.Position, e.Hint, e.Message)
		}
	}
	for _, w := range warnings {
		if len(r.warnings) < maxErrors {
			r.warnings = append(r.warnings, Warning{w.Position, w.Message})
		}
	}
}

func (r *reader) sortedWarnings() []Warning {
	slices.SortStableFunc(r.warnings, func(a, b Warning) int { return compareLines(a.Position, b.Position) })
	return slices.Compact(r.warnings)
}
