package endpoint

import (
	"net/netip"

	"github.com/goipsec/goipsec/pkg/guard"
	"github.com/goipsec/goipsec/pkg/policy"
	"github.com/goipsec/goipsec/pkg/route"
)

func (h *systemHost) installGuard(c *policy.Compiled, o *opened) error {
	if h.opts.NoGuard {
		o.warnings = append(o.warnings, "there is no guard: clear packets that arrive from the network are accepted even where the policy blocks them or wants them protected")
		return nil
	}
	h.guarded = true
	return h.setGuard(c)
}

// setGuard puts the guard for a policy in force. It learns at each packet what the host's addresses are, so that one that is new is covered at once.
func (h *systemHost) setGuard(c *policy.Compiled) error {
	h.compiled = c
	open, err := policy.CompileOpen(c.Policy, c.Host)
	if err != nil {
		return err
	}
	h.keepCounts()
	err = guard.Install(guard.Config{Instance: h.opts.Instance, Device: h.name, Mark: route.MarkBase, MarkMask: route.MarkMask,
		Ports: []uint16{h.opts.Port, h.opts.NATPort}, Me: []netip.Addr{policy.Me4, policy.Me6}, NotMe: innerAddresses(c.Policy),
		Inbound:  append(inboundRules(open.Inbound, c.Inbound, h.soft), guardRules(twinsOf(h.dynamic))...),
		Outbound: append(guardRules(open.Outbound), guardRules(h.dynamic)...),
		Exempt:   c.Policy.Exemptions.Filters(), ExemptBroadcast: c.Policy.Exemptions&policy.ExemptMulticast != 0})
	h.counted = h.counted || err == nil
	return err
}

// keepCounts adds the counters of the guard in force, which its replacement begins anew, to those that status shows.
func (h *systemHost) keepCounts() {
	if !h.counted {
		return
	}
	if d, err := guard.CountDropped(h.opts.Instance); err == nil {
		h.dropped.Add(d)
	}
}

// guardDrops counts the packets that the guard has dropped since the endpoint started.
func (h *systemHost) guardDrops() Drops {
	d, err := guard.CountDropped(h.opts.Instance)
	if err != nil {
		h.opts.Log.Debug("the guard's counters could not be read", "error", err)
	}
	d.Add(h.dropped)
	return Drops{"inbound": d.Inbound, "outbound": d.Outbound, "unreadable": d.Unreadable}
}

// innerAddresses are those that the TUN has.
func innerAddresses(p *policy.Policy) []netip.Addr {
	var list []netip.Addr
	for _, r := range p.Rules {
		if r.Tunnel != nil && r.Tunnel.Inner.IsValid() {
			list = append(list, r.Tunnel.Inner.Addr())
		}
	}
	return list
}
