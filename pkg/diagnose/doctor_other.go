//go:build !linux

package diagnose

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// host makes the checks that make sense where goipsec has no device, routes and firewall of its own yet, and says what was not looked at.
func (o *DoctorOptions) host() []Finding {
	list := []Finding{o.rights(), o.portsFinding(holdersOf), o.mtu()}
	for _, name := range []string{"tun", "raw-sockets", "offload", "nftables", "kernel-ipsec", "rp-filter", "forwarding", "routes", "rules", "firewall", "leftovers"} {
		list = append(list, Finding{Name: name, State: Skipped, What: "not looked at on this system"})
	}
	return list
}

// rights asks who runs this. Windows has no such number.
func (o *DoctorOptions) rights() Finding {
	switch os.Geteuid() {
	case 0:
		return Finding{Name: "rights", State: OK, What: "this is root"}
	case -1:
		return Finding{Name: "rights", State: Skipped, What: "not looked at on this system"}
	}
	return Finding{Name: "rights", State: Problem, What: "this is not root", Why: "devices and port 500 are refused", Next: "run with sudo"}
}

// holdersOf tries the port: whoever holds it has no name here.
func holdersOf(port uint16) []holder {
	c, err := net.ListenUDP("udp", &net.UDPAddr{Port: int(port)})
	if err == nil {
		c.Close()
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return []holder{{at: netip.IPv4Unspecified()}}
	}
	return nil
}

func (o *DoctorOptions) mtu() Finding {
	list, err := net.Interfaces()
	if err != nil {
		return Finding{Name: "mtu", State: Skipped, What: err.Error()}
	}
	least, name := 1<<16, ""
	for _, i := range list {
		if i.Flags&net.FlagUp != 0 && i.Flags&net.FlagLoopback == 0 && i.MTU > 0 && i.MTU < least {
			least, name = i.MTU, i.Name
		}
	}
	if name == "" {
		return Finding{Name: "mtu", State: Warning, What: "no interface is up", Why: "no peer can be reached", Next: "connect this host to a network"}
	}
	return Finding{Name: "mtu", State: OK, What: fmt.Sprintf("the narrowest interface, %s, takes %d bytes", name, least)}
}
