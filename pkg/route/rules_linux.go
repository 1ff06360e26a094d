package route

import (
	"errors"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// tableMain is the kernel's main routing table.
const tableMain = unix.RT_TABLE_MAIN

// markRule is "not fwmark MarkBase/MarkMask lookup T".
func (h *Host) markRule(family int) *netlink.Rule {
	mask := uint32(MarkMask)
	r := netlink.NewRule()
	r.Family, r.Priority, r.Table, r.Protocol = family, h.id.Priority, int(h.id.Table), Protocol
	r.Invert, r.Mark, r.Mask = true, MarkBase, &mask
	return r
}

// behindRule is "iif TUN to P lookup main": decrypted packets for a network behind this gateway go there, even if a capture covers it.
func (h *Host) behindRule(p netip.Prefix) *netlink.Rule {
	r := netlink.NewRule()
	r.Family, r.Priority, r.Table, r.Protocol = familyOf(p.Addr()), h.id.Priority-1, tableMain, Protocol
	r.IifName, r.Dst = h.cfg.Device, toIPNet(p)
	return r
}

func (h *Host) addMarkRule(family int) error {
	rules, err := ownRules(family, h.id)
	if err != nil {
		return err
	}
	for _, r := range rules {
		if r.Priority == h.id.Priority && r.Invert && r.Mark == MarkBase {
			return nil
		}
	}
	if err := netlink.RuleAdd(h.markRule(family)); err != nil && !errors.Is(err, unix.EEXIST) {
		if errors.Is(err, unix.EAFNOSUPPORT) {
			return nil // a kernel without IPv6
		}
		return explain(err, "the policy-routing rule could not be added")
	}
	return nil
}

// setBehindRules makes the rules for networks behind the gateway what p needs: one for each that a capture covers or touches.
func (h *Host) setBehindRules(p Plan) error {
	want := map[netip.Prefix]bool{}
	for _, b := range p.Behind {
		for _, c := range p.Captures {
			if c.Prefix.Overlaps(b) {
				want[b.Masked()] = true
			}
		}
	}
	var errs []error
	for _, family := range families {
		rules, err := ownRules(family, h.id)
		if err != nil {
			return err
		}
		for i := range rules {
			r := &rules[i]
			if r.Priority != h.id.Priority-1 {
				continue
			}
			if dst := ruleDst(r); want[dst] && r.IifName == h.cfg.Device {
				delete(want, dst)
				continue
			}
			errs = append(errs, deleteRule(r))
		}
	}
	for b := range want {
		if err := netlink.RuleAdd(h.behindRule(b)); err != nil && !errors.Is(err, unix.EEXIST) {
			errs = append(errs, explain(err, "the rule for %v behind this gateway could not be added", b))
		}
	}
	return errors.Join(errs...)
}

// ruleDst returns the destination of a rule; a rule for all (0.0.0.0/0) is listed without one.
func ruleDst(r *netlink.Rule) netip.Prefix {
	if r.Dst != nil {
		return fromIPNet(r.Dst)
	}
	if r.Family == unix.AF_INET {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}

// ownRules lists the rules of one instance: those with our protocol number that look up its table, or stand right before.
func ownRules(family int, id Identity) ([]netlink.Rule, error) {
	all, err := whole(func() ([]netlink.Rule, error) { return netlink.RuleList(family) })
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return nil, nil
	}
	if err != nil {
		return nil, explain(err, "the policy-routing rules could not be listed")
	}
	var own []netlink.Rule
	for _, r := range all {
		behind := r.Priority == id.Priority-1 && r.Table == tableMain && r.IifName != ""
		if r.Protocol == Protocol && (r.Table == int(id.Table) || behind) {
			r.Family = family
			own = append(own, r)
		}
	}
	return own, nil
}

func deleteRule(r *netlink.Rule) error {
	if err := netlink.RuleDel(r); err != nil && !errors.Is(err, unix.ENOENT) {
		return explain(err, "the policy-routing rule of priority %d could not be removed", r.Priority)
	}
	return nil
}
