package interchange

import (
	"slices"
	"strings"

	"github.com/goipsec/goipsec/pkg/policy"
)

// store is what the script has made so far: the objects of a policy store of Windows, in the order of their making. Rules point at lists
// and actions, so that a new name changes nothing else. Names do not differ by the case of their letters alone.
type store struct {
	policies []*netshPolicy
	lists    []*netshList
	actions  []*netshAction
}

type netshPolicy struct {
	line              int
	name, description string
	assigned          bool
	masterPFS         bool
	quickModes        uint64 // per main mode; 0: no limit
	lifetime          uint64 // of main mode, in minutes
	methods           []policy.MainModeMethod
	rules             []*netshRule
	fallback          netshDefaultRule
}

// netshDefaultRule is the default response rule.
type netshDefaultRule struct {
	line    int
	active  bool
	stated  bool // the script says so, and it is not only Windows' default
	pfs     bool
	methods []policy.Method
	auth    []netshAuth
}

type netshRule struct {
	line              int
	name, description string
	list              *netshList
	action            *netshAction
	tunnel            string
	connection        string // lan, dialup or all
	active            bool
	auth              []netshAuth
}

// netshAuth is an authentication method: Kerberos, a pre-shared key, or a certificate below a CA.
type netshAuth struct {
	kind policy.AuthKind
	psk  policy.Secret
	ca   string // the CA's distinguished name
}

type netshList struct {
	line              int
	name, description string
	filters           []netshFilter
}

type netshFilter struct {
	policy.GenericFilter
	description string
	line        int
}

type netshAction struct {
	line              int
	name, description string
	kind              policy.ActionKind
	pfs, pass, soft   bool
	methods           []policy.Method
	stated            bool // the script names methods
}

func (s *store) policy(name string) *netshPolicy {
	return find(s.policies, name, func(p *netshPolicy) string { return p.name })
}

func (s *store) filterList(name string) *netshList {
	return find(s.lists, name, func(l *netshList) string { return l.name })
}

func (s *store) action(name string) *netshAction {
	return find(s.actions, name, func(a *netshAction) string { return a.name })
}

func (p *netshPolicy) rule(name string) *netshRule {
	return find(p.rules, name, func(r *netshRule) string { return r.name })
}

func find[T any](list []*T, name string, of func(*T) string) *T {
	if i := slices.IndexFunc(list, func(x *T) bool { return strings.EqualFold(of(x), name) }); i >= 0 {
		return list[i]
	}
	return nil
}

func remove[T comparable](list []T, x T) []T {
	return slices.DeleteFunc(list, func(y T) bool { return y == x })
}

// rulesWith returns the names of the rules that fit.
func (s *store) rulesWith(fits func(*netshRule) bool) []string {
	var out []string
	for _, p := range s.policies {
		for _, r := range p.rules {
			if fits(r) {
				out = append(out, r.name)
			}
		}
	}
	return out
}
