package interchange

import (
	"slices"
	"strings"

	"github.com/goipsec/goipsec/pkg/policy"
)

// store is what the script has made so far: the objects of a policy store of Windows, in the order of their making. Rules point at lists
// and actions, so that a new name changes nothing else. Names do not differ by the case of their letters alone.
type store struct {
	policies registry[netshPolicy, *netshPolicy]
	lists    registry[netshList, *netshList]
	actions  registry[netshAction, *netshAction]
}

type netshPolicy struct {
	line              int
	name, description string
	assigned          bool
	masterPFS         bool
	quickModes        uint64 // per main mode; 0: no limit
	lifetime          uint64 // of main mode, in minutes
	methods           []policy.MainModeMethod
	rules             registry[netshRule, *netshRule]
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

func (s *store) policy(name string) *netshPolicy   { return s.policies.find(name) }
func (s *store) filterList(name string) *netshList { return s.lists.find(name) }
func (s *store) action(name string) *netshAction   { return s.actions.find(name) }
func (p *netshPolicy) rule(name string) *netshRule { return p.rules.find(name) }
func (p *netshPolicy) called() *string             { return &p.name }
func (l *netshList) called() *string               { return &l.name }
func (x *netshAction) called() *string             { return &x.name }
func (r *netshRule) called() *string               { return &r.name }

// registry holds the objects of one kind in their order, and finds them by their names.
type registry[T any, P interface {
	*T
	called() *string
}] struct {
	list   []P
	byName map[string]P
}

func (r *registry[T, P]) find(name string) P {
	return r.byName[strings.ToLower(name)]
}

func (r *registry[T, P]) add(x P) {
	if r.byName == nil {
		r.byName = map[string]P{}
	}
	r.list = append(r.list, x)
	r.byName[strings.ToLower(*x.called())] = x
}

func (r *registry[T, P]) remove(x P) {
	r.list = slices.DeleteFunc(r.list, func(y P) bool { return x == y })
	delete(r.byName, strings.ToLower(*x.called()))
}

func (r *registry[T, P]) rename(x P, name string) {
	delete(r.byName, strings.ToLower(*x.called()))
	*x.called() = name
	r.byName[strings.ToLower(name)] = x
}

// rulesWith returns the names of the rules that fit.
func (s *store) rulesWith(fits func(*netshRule) bool) []string {
	var out []string
	for _, p := range s.policies.list {
		for _, r := range p.rules.list {
			if fits(r) {
				out = append(out, r.name)
			}
		}
	}
	return out
}
