package live

import (
	"encoding/binary"
	"net/netip"
	"strings"
)

// lease is an address that a server gave.
type lease struct{ address, server string }

// format is one way in which clients write leases down.
type format struct {
	patterns []string
	leases   func(f Files, name string) []lease
}

var formats = []format{
	{[]string{"var/lib/dhcp/*.leases", "var/lib/dhclient/*.leases", "var/lib/dhclient/*.lease", "var/lib/NetworkManager/dhclient-*.lease"},
		func(f Files, name string) []lease { return statements(string(f.read(name))) }},
	{[]string{"run/systemd/netif/leases/*", "var/lib/NetworkManager/internal-*.lease", "run/NetworkManager/devices/*"},
		func(f Files, name string) []lease { return variables(string(f.read(name))) }},
	{[]string{"var/lib/dhcpcd/*.lease", "var/db/dhcpcd/*.lease"},
		func(f Files, name string) []lease { return message(f.raw(name)) }},
}

// DHCP returns the servers of the DHCPv4 leases whose addresses the host has: own tells. Of several leases of one address in a file the last counts.
func (f Files) DHCP(own func(netip.Addr) bool) []netip.Addr {
	var list []netip.Addr
	for _, form := range formats {
		for _, pattern := range form.patterns {
			for _, name := range f.matching(pattern) {
				for _, server := range current(form.leases(f, name), own) {
					list = add(list, server)
				}
			}
		}
	}
	return list
}

// current returns the servers of the leases that are in use.
func current(leases []lease, own func(netip.Addr) bool) []string {
	last := map[netip.Addr]string{}
	var order []netip.Addr
	for _, l := range leases {
		a, err := netip.ParseAddr(l.address)
		if err != nil || l.server == "" || !own(a) {
			continue
		}
		if _, seen := last[a]; !seen {
			order = append(order, a)
		}
		last[a] = l.server
	}
	servers := make([]string, len(order))
	for i, a := range order {
		servers[i] = last[a]
	}
	return servers
}

// statements reads the lease blocks of dhclient: "fixed-address 192.0.2.5;" and "option dhcp-server-identifier 192.0.2.1;".
func statements(text string) []lease {
	var list []lease
	var l lease
	for line := range strings.Lines(text) {
		words := strings.Fields(strings.TrimSuffix(strings.TrimSpace(line), ";"))
		switch {
		case len(words) == 2 && words[0] == "lease" && words[1] == "{":
			l = lease{}
		case len(words) == 2 && words[0] == "fixed-address":
			l.address = words[1]
		case len(words) == 3 && words[0] == "option" && words[1] == "dhcp-server-identifier":
			l.server = words[2]
		case len(words) == 1 && words[0] == "}":
			list = append(list, l)
			l = lease{}
		}
	}
	return list
}

// variables reads files of NAME=VALUE lines: those of systemd-networkd, and of NetworkManager, which uses the same names for leases and those
// of DHCP options in the state of its devices.
func variables(text string) []lease {
	var l lease
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "ADDRESS", "ip_address":
			l.address = value
		case "SERVER_ADDRESS", "dhcp_server_identifier":
			l.server = value
		}
	}
	return []lease{l}
}

// The fixed part of a DHCP message (RFC 2131 §2), its magic cookie, and the options that matter (RFC 2132).
const (
	yiaddrAt         = 16
	cookieAt         = 236
	cookie           = 0x63825363
	optionPad        = 0
	optionEnd        = 255
	serverIdentifier = 54 // RFC 2132 §9.7
)

// message reads the server's last message, which is what dhcpcd keeps.
func message(b []byte) []lease {
	if len(b) < cookieAt+4 || binary.BigEndian.Uint32(b[cookieAt:]) != cookie {
		return nil
	}
	address, _ := netip.AddrFromSlice(b[yiaddrAt : yiaddrAt+4])
	for options := b[cookieAt+4:]; len(options) > 0 && options[0] != optionEnd; {
		if options[0] == optionPad {
			options = options[1:]
			continue
		}
		if len(options) < 2 || len(options) < 2+int(options[1]) {
			return nil
		}
		value := options[2 : 2+int(options[1])]
		if server, ok := netip.AddrFromSlice(value); options[0] == serverIdentifier && ok && server.Is4() {
			return []lease{{address.String(), server.String()}}
		}
		options = options[2+len(value):]
	}
	return nil
}
