package route

import (
	"fmt"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
)

// KernelIPsec returns an error if SAs or policies of another IPsec program stand in the kernel: they would take packets before us or
// after us. Policies of single sockets do not count. Kernels without XFRM have nothing to report.
func KernelIPsec() error {
	states, err := netlink.XfrmStateList(netlink.FAMILY_ALL)
	if err != nil {
		states = nil
	}
	all, err := netlink.XfrmPolicyList(netlink.FAMILY_ALL)
	if err != nil {
		all = nil
	}
	policies := 0
	for _, p := range all {
		if p.Dir <= netlink.XFRM_DIR_FWD { // the directions above are those of sockets
			policies++
		}
	}
	if len(states) == 0 && policies == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d SAs and %d policies are there, of strongSwan, Libreswan or set by hand (see them with  ip xfrm state; ip xfrm policy). "+
		"Stop that program, or remove them with  ip xfrm state flush; ip xfrm policy flush", ErrKernelIPsec, len(states), policies)
}

func readNumber(path string) string {
	b, _ := os.ReadFile(path)
	return strings.TrimSpace(string(b))
}
