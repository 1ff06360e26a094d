package ikev1

import (
	"fmt"

	"github.com/goipsec/goipsec/pkg/ike/isakmp"
	"github.com/goipsec/goipsec/pkg/policy"
)

// The default response rule: under a main-mode SA that it made, and under no other, a peer gets what it asks for as far as the rule allows: in transport mode, between the
// two hosts, for the protocol and ports that it names. Each such selector is a dynamic filter of its own.

const (
	// maxDynamic bounds the dynamic filters of all peers, maxDynamicPerPeer those of one: each is a route and a rule of the host's firewall.
	maxDynamic        = 1024
	maxDynamicPerPeer = 16
)

// dynamicFilter is the filter that the default response rule makes for a selector in transport mode; nil if it makes none. The error is a refusal.
func (m *Machine) dynamicFilter(s *mainMode, sel isakmp.Selector) (*policy.QuickModeFilter, error) {
	if m.policy.Policy.DefaultResponse == nil || s.rule != m.policy.Policy.DefaultResponse {
		return nil, nil
	}
	f := m.policy.Dynamic(sel)
	if f == nil {
		return nil, &isakmp.Refusal{Notify: isakmp.InvalidIDInformation, Failure: isakmp.Failure{
			What: fmt.Sprintf("the peer wants to protect %v by the default response rule, and a filter of the policy decides about that traffic", sel),
			Why:  "filters of the policy go before dynamic ones, whatever they do", Next: "write a rule for this peer, or narrow the filter (goipsec policy explain shows it)", Answered: true}}
	}
	if m.dynamic[f.ID] > 0 {
		return f, nil
	}
	own := map[string]bool{}
	for _, c := range s.peer.children {
		if c.filter.Dynamic {
			own[c.sa.Filter] = true
		}
	}
	if len(own) >= maxDynamicPerPeer || len(m.dynamic) >= maxDynamic {
		return nil, &isakmp.Refusal{Notify: isakmp.NoProposalChosen, Failure: isakmp.Failure{
			What: fmt.Sprintf("there are %d dynamic filters for the peer, and %d in all: no more are made", len(own), len(m.dynamic)),
			Why:  fmt.Sprintf("the default response rule makes %d for one peer at most, and %d in all", maxDynamicPerPeer, maxDynamic), Next: "write a rule for this peer", Answered: true}}
	}
	return f, nil
}

// counted keeps the number of children of a dynamic filter.
func (m *Machine) counted(c *child, by int) {
	if !c.filter.Dynamic {
		return
	}
	if m.dynamic[c.sa.Filter] += by; m.dynamic[c.sa.Filter] == 0 {
		delete(m.dynamic, c.sa.Filter)
	}
}

// stillThere is the filter of the policy in force that means what f, of an earlier one, did; nil if there is none.
func (m *Machine) stillThere(f *policy.QuickModeFilter) *policy.QuickModeFilter {
	if !f.Dynamic {
		return m.filters.byID[f.ID]
	}
	if again := m.policy.Dynamic(f.Filter); again != nil && again.ID == f.ID {
		return again
	}
	return nil
}
