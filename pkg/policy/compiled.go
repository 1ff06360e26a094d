package policy

import (
	"net/netip"

	"github.com/goipsec/goipsec/pkg/classifier"
)

// Compiled is a policy expanded for one set of local addresses: specific, weighted filters. It is immutable.
type Compiled struct {
	Policy   *Policy
	MainMode []*MainModeFilter // heaviest first
	// Outbound and Inbound are the quick-mode filters as they apply to datagrams that leave and arrive, heaviest first.
	// A filter between addresses that are not local stands in both; tunnel filters stand in that of their direction.
	Outbound, Inbound []*QuickModeFilter
	Warnings          []string
}

// MainModeFilter says how IKE talks to the peers of one address pair.
type MainModeFilter struct {
	Local, Remote classifier.Range // of IKE's own addresses: tunnel endpoints, or the hosts of transport mode
	Rule          *Rule

	policy *Policy
	rank   int // position in Compiled.MainMode
}

// QuickModeFilter is one specific filter that the data plane enforces and quick mode negotiates.
type QuickModeFilter struct {
	ID     string            // stable across reloads that do not change it: a digest of the rule's meaning and the filter
	Filter classifier.Filter // in the direction of the list it stands in
	Action ActionKind
	Rule   *Rule
	Twin   *QuickModeFilter // the same traffic's filter in the opposite list, nil if there is none
}

// Compile expands p for a host with the addresses local. It does not resolve names: Resolved must be filled.
func Compile(p *Policy, local []netip.Addr) (*Compiled, error) { panic("being written") }

// FindMainMode returns the heaviest main-mode filter for an address pair, or nil. A responder calls it with the initiator's address as remote.
func (c *Compiled) FindMainMode(local, remote netip.Addr) *MainModeFilter { panic("being written") }
