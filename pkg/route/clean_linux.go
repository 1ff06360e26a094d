package route

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Clean removes what a killed process of that instance left in the kernel, restores the rp_filter settings that it had loosened, and
// returns, in words, what it removed. stateDir empty means DefaultStateDir. It is no error if there was nothing.
func Clean(instance, stateDir string) (removed []string, err error) {
	cfg := Config{Instance: instance, StateDir: stateDir}
	if err := checkInstance(instance); err != nil {
		return nil, err
	}
	return cleanup(instance, cfg.stateDir())
}

// cleanup goes on after an error, so that as little as possible is left.
func cleanup(instance, stateDir string) (removed []string, err error) {
	id := Derive(instance)
	var errs []error
	// Rules first: without one the table is out of use, whatever is still in it.
	for _, family := range families {
		rules, err := ownRules(family, id)
		errs = append(errs, err)
		for i := range rules {
			if err := deleteRule(&rules[i]); err != nil {
				errs = append(errs, err)
				continue
			}
			removed = append(removed, describeRule(&rules[i]))
		}
	}
	routes, err := tableRoutes(id.Table)
	errs = append(errs, err)
	for i := range routes {
		r := &routes[i]
		if r.Protocol != Protocol {
			continue
		}
		if err := netlink.RouteDel(r); err != nil && !errors.Is(err, unix.ESRCH) {
			errs = append(errs, explain(err, "the route to %v could not be removed", r.Dst))
			continue
		}
		removed = append(removed, describeRoute(r))
	}
	restored, err := restoreState(instance, stateDir)
	errs = append(errs, err)
	return append(removed, restored...), errors.Join(errs...)
}

func describeRule(r *netlink.Rule) string {
	s := fmt.Sprintf("rule %s priority %d", familyName(r.Family), r.Priority)
	if r.Invert {
		s += " not"
	}
	if r.Src != nil {
		s += " from " + r.Src.String()
	}
	if r.Dst != nil {
		s += " to " + r.Dst.String()
	}
	if r.IifName != "" {
		s += " iif " + r.IifName
	}
	if r.Mark != 0 || r.Mask != nil {
		s += fmt.Sprintf(" fwmark %#x", r.Mark)
	}
	if r.Mask != nil {
		s += fmt.Sprintf("/%#x", *r.Mask)
	}
	return s + fmt.Sprintf(" lookup %d protocol %d", r.Table, r.Protocol)
}

func describeRoute(r *netlink.Route) string {
	kind := map[int]string{unix.RTN_BLACKHOLE: "black hole", unix.RTN_THROW: "exemption", unix.RTN_UNREACHABLE: "unreachable"}[r.Type]
	if kind == "" {
		kind = "route"
	}
	s := fmt.Sprintf("%s to %v table %d metric %d protocol %d", kind, r.Dst, r.Table, r.Priority, r.Protocol)
	if r.LinkIndex > 0 && r.Type == unix.RTN_UNICAST {
		s += fmt.Sprintf(" device %d", r.LinkIndex)
	}
	if r.Gw != nil {
		s += " via " + r.Gw.String()
	}
	if r.Src != nil {
		s += " source " + r.Src.String()
	}
	return s
}

func familyName(family int) string {
	if family == unix.AF_INET {
		return "IPv4"
	}
	return "IPv6"
}
