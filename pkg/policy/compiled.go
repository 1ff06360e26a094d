package policy

import (
	"net/netip"

	"github.com/goipsec/goipsec/pkg/classifier"
)

// Compiled is a policy expanded for one set of local addresses: specific, weighted filters. It is immutable and safe for
// concurrent use. Its rules may be copies of the policy's: two one-directional tunnel rules become one with both ends.
type Compiled struct {
	Policy   *Policy
	Host     LocalHost         // that it was expanded for
	MainMode []*MainModeFilter // heaviest first
	// Outbound and Inbound are the quick-mode filters as they apply to datagrams that leave and arrive, heaviest first.
	// A filter between addresses that are not local stands in both; tunnel filters stand in that of their direction.
	Outbound, Inbound []*QuickModeFilter
	Warnings          []string

	pairs pairIndex
}

// MainModeFilter says how IKE talks to the peers of one address pair.
type MainModeFilter struct {
	Local, Remote classifier.Range // of IKE's own addresses: tunnel endpoints, or the hosts of transport mode
	Rule          *Rule
	// Meaning is a digest of what main mode takes from the rule and its policy: key exchange settings, authentication, the
	// peer's port and DPD. A main-mode SA stays over a reload if the filter of its addresses still has this meaning.
	Meaning string

	// Others are further filters for the same addresses, of rules in aggressive mode that are told apart by the identity that a peer claims.
	Others []*MainModeFilter

	rank int // position in Compiled.MainMode
}

// Filter returns the address pair as a filter, for comparing and printing.
func (m *MainModeFilter) Filter() classifier.Filter {
	return classifier.Filter{Src: m.Local, Dst: m.Remote}
}

// Weight is the filter's weight, for people.
func (m *MainModeFilter) Weight() string {
	f := m.Filter()
	return f.Weight()
}

// QuickModeFilter is one specific filter that the data plane enforces and quick mode negotiates.
type QuickModeFilter struct {
	ID     string            // stable across reloads that do not change it: a digest of the rule's meaning and the filter
	Filter classifier.Filter // in the direction of the list it stands in
	Action ActionKind
	Rule   *Rule
	// MainMode is the meaning that a main-mode SA must have to negotiate this filter; "" for one that is not negotiated.
	MainMode string
	Twin     *QuickModeFilter // the same traffic's filter in the opposite list, nil if there is none
	// Dynamic is set if the default response rule made the filter for one peer; it stands in no list of a Compiled. See Compiled.Dynamic.
	Dynamic bool

	source *GenericFilter
}

// Source is the place of the generic filter in its file.
func (f *QuickModeFilter) Source() Position { return f.source.Source }

// Weight is the filter's weight, for people. Filters are ordered by Filter.Compare, then by their action.
func (f *QuickModeFilter) Weight() string { return f.Filter.Weight() }

// Compile expands p for a host with the addresses local, of which those that are loopback, link-local or multicast do not
// count as me. It does not resolve names: Resolved must be filled (see Resolve). The error is of type Errors.
// No local address at all is allowed, for a look at a policy away from its host: then me stands for nothing.
// Every address counts for every connection type, and live keywords stand for nothing: see CompileOn.
func Compile(p *Policy, local []netip.Addr) (*Compiled, error) {
	return CompileOn(p, LocalHost{Addresses: local})
}

// CompileOn is Compile for a host of which more is known than its addresses.
func CompileOn(p *Policy, h LocalHost) (*Compiled, error) {
	return newExpansion(p, h).compile()
}

// Check expands p without a host, me standing for one address of each family that no network has, and returns what is wrong with
// the policy wherever it may be applied. What depends on the host (names, the ends of one-directional tunnel rules) is left to Compile.
func Check(p *Policy) ([]Warning, error) {
	x := newExpansion(p, LocalHost{Addresses: []netip.Addr{Me4, Me6}})
	x.offline = true
	_, err := x.compile()
	return x.warnings, err
}

func (x *expansion) compile() (*Compiled, error) {
	if len(x.local) == 0 {
		x.warn(Position{}, "no local address is known: me stands for nothing")
	}
	for _, r := range x.joinTunnelRules(x.policy.Rules) {
		x.rule(r)
	}
	if r := x.policy.DefaultResponse; r != nil {
		x.addDefaultResponse(r)
	}
	c := &Compiled{Policy: x.policy, Host: x.host}
	c.Outbound = x.settle(x.out)
	c.Inbound = x.settle(x.in)
	c.MainMode = x.settleMainMode()
	c.pairs = indexPairs(c.MainMode)
	for _, w := range x.warnings {
		c.Warnings = append(c.Warnings, w.String())
	}
	if err := x.faults.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// FindMainMode returns the heaviest main-mode filter for an address pair, or nil. A responder calls it with the initiator's
// address as remote. Its cost does not grow with the number of filters, but for those with ranges that are no prefixes.
func (c *Compiled) FindMainMode(local, remote netip.Addr) *MainModeFilter {
	return c.pairs.find(local.Unmap().WithZone(""), remote.Unmap().WithZone(""))
}

// FindMainModeBy returns the first of the main-mode filters that FindMainMode finds for an address pair, and of the others for the same addresses, that ok accepts;
// nil if there is none.
func (c *Compiled) FindMainModeBy(local, remote netip.Addr, ok func(*MainModeFilter) bool) *MainModeFilter {
	f := c.FindMainMode(local, remote)
	if f == nil || ok(f) {
		return f
	}
	for _, o := range f.Others {
		if ok(o) {
			return o
		}
	}
	return nil
}
