package config

import (
	"cmp"
	"slices"
	"strings"

	"github.com/goipsec/goipsec/pkg/policy"
)

// The ports of IKE and of IKE and ESP behind a NAT.
const (
	ikePort = 500
	natPort = 4500
)

// listen reads where datagrams are received.
func (r *reader) listen(n *node) Listen {
	l := Listen{Port: ikePort, NATPort: natPort}
	if n == nil {
		return l
	}
	var nat *node
	r.each(n, "listen", listenKeys, func(key string, _, v *node) {
		switch key {
		case "addresses":
			for _, e := range r.list(v, key) {
				a, ok := r.host(e, "a listen address")
				if ok && slices.Contains(l.Addrs, a) {
					r.fail(e, "keep one of them", "the address %v stands in the list already", a)
				} else if ok {
					l.Addrs = append(l.Addrs, a)
				}
			}
		case "port":
			p, _ := r.number(v, key, 1, 65535)
			l.Port = uint16(p)
		case "nat_port":
			p, _ := r.number(v, key, 1, 65535)
			nat, l.NATPort = v, uint16(p)
		}
	})
	switch {
	case l.Port == ikePort && l.NATPort == ikePort:
		r.fail(nat, "4500 is the usual one", "port 500 cannot be the port behind a NAT as well: there the packets have a marker")
	case l.Port != ikePort && nat == nil:
		l.NATPort = l.Port
	case l.Port != ikePort && l.NATPort != l.Port:
		r.fail(nat, "leave nat_port out", "off port 500 everything uses the one port %d, with the marker from the first message", l.Port)
	}
	return l
}

// tun reads the settings of the TUN device.
func (r *reader) tun(n *node) Tun {
	var t Tun
	if n == nil {
		return t
	}
	r.each(n, "tun", tunKeys, func(key string, _, v *node) {
		if key == "mtu" {
			// RFC 8200 §5: no IPv6 below 1280.
			m, _ := r.number(v, key, 1280, 65535)
			t.MTU = int(m)
			return
		}
		if key == "queues" {
			m, _ := r.number(v, key, 1, 64)
			t.Queues = int(m)
			return
		}
		s, ok := r.str(v, "name")
		if ok && (s == "" || len(s) > 15 || strings.ContainsAny(s, "/ \t%:") || s == "." || s == "..") {
			r.fail(v, "", "%q is no name for a network interface (1 to 15 characters, no slash, space, colon or percent sign)", shorten(s))
			return
		}
		t.Name = s
	})
	return t
}

func compareLines(a, b policy.Position) int {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}
